#!/usr/bin/env python3
"""Holds a page to its run: page.py PAGE SUMMARY.json. Its numbers, its sections, and that nothing raw is in it."""
import html.parser
import json
import re
import sys

SECTIONS = {"time", "throughput", "latency", "batches", "labels", "records", "machine", "what"}
FATES = ("rows_out", "repeats_dropped", "filtered", "dead_letters")
wrong = []


def expect(what, got, wanted):
    if got != wanted:
        wrong.append(f"{what}: {got!r}, expected {wanted!r}")


class Reader(html.parser.HTMLParser):
    """Collects what the checks ask for, and that elements are closed in order."""

    VOID = {"meta", "link", "br", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.sections, self.tags, self.attributes, self.policy, self.data, self.text = [], set(), set(), [], "", "", []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        pairs = dict(attributes)
        if tag == "section":
            self.sections.add(pairs.get("id"))
        if tag == "svg" and pairs.get("aria-hidden") != "true" and not pairs.get("aria-label"):
            wrong.append("a drawing without a label")
        if pairs.get("http-equiv") == "Content-Security-Policy":
            self.policy = pairs["content"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        expect("closing", self.open.pop() if self.open else None, tag)

    def handle_data(self, text):
        if self.open and self.open[-1] == "script":
            self.data += text
        elif self.open and self.open[-1] != "style":
            self.text.append(text)


def check_safety(text, reader):
    expect("tags that load or run something", reader.tags & {"img", "iframe", "link", "object", "embed", "image", "use", "b onclick"}, set())
    expect("scripts that run", [v for t, k, v in reader.attributes if t == "script" and k == "type" and v != "application/json"], [])
    expect("handlers and addresses", [a for a in reader.attributes if a[1].startswith("on") or
                                      (a[1] in ("src", "href") and not a[2].startswith("#")) or a[1] == "style"], [])
    expect("the policy forbids all else", reader.policy.startswith("default-src 'none'; style-src 'sha256-"), True)
    for secret in ("SECRET-TEXT", "SECRET-USER", "the last line has no end", "://"):
        expect(f"'{secret}' in the page", secret in text, False)
    expect("markup of a language in the page", re.findall(r"<script>|<img src=x|<b>x", text), [])
    expect("that language, escaped", "&lt;b&gt;x&lt;/b&gt;" in text, True)


def check_drift(shown, told):
    """The columns of the page are those of the summary, the furthest from the baseline first."""
    what = shown["drift"]
    expect(f"{told['name']} columns compared", sorted(c["column"] for c in what["columns"]) if what else [], sorted(c["column"] for c in told["drift"]))
    for column in what["columns"] if what else []:
        one = next(c for c in told["drift"] if c["column"] == column["column"])
        nulls = next(c for c in told["labels"] if c["column"] == column["column"])
        expect(f"drift of {column['column']}", {k: column[k] for k in one}, one)
        expect(f"nulls of {column['column']}", {k: column[k] for k in nulls}, nulls)
    distances = [c["psi_max"] for c in what["columns"]] if what else []
    expect("order of columns", distances, sorted(distances, reverse=True))
    for name, curve in (what or {"curves": {}})["curves"].items():
        expect(f"curve of {name}", len(curve["t"]) > 0 and len(curve["t"]) == len(curve["psi"]) == len(curve["share"]) and max(curve["share"]) <= 1, True)


def check_numbers(data, summary):
    expect("pipelines", [p["name"] for p in data["pipelines"]], [p["name"] for p in summary["pipelines"]])
    for shown, told in zip(data["pipelines"], summary["pipelines"]):
        counts = shown["counts"]
        for name in FATES + ("records_in", "rows_scored", "rows_reused", "rows_other_language", "tokens_saved", "tokens_scored", "batches",
                                              "flops"):
            expect(f"{told['name']} {name}", counts[name], told[name])
        expect(f"{told['name']} adds up", counts["records_in"], sum(counts[name] for name in FATES))
        for i, name in enumerate(part["name"] for part in told["parts"]):
            expect(f"{told['name']} part {i}", shown["parts"][i]["name"], name)
            expect(f"busy time of {name}", abs(shown["parts"][i]["busy_s"] - told["parts"][i]["busy_s"]) < 1e-6, True)
        for lane in shown["lanes"]:
            share = sum(lane[state] for state in ("busy", "blocked", "starved", "other"))
            expect(f"{told['name']} {lane['crew']} shares", abs(share - 1) < 1e-3 and min(lane[s] for s in ("busy", "blocked", "starved", "other")) >= -1e-9, True)
        check_drift(shown, told)
        edges, rate = shown["rate"]["edges_s"], shown["rate"]["sum"]
        drawn = sum(value * (b - a) for a, b, value in zip(edges, edges[1:], rate))
        expect(f"{told['name']}: {drawn} records under the curve of {told['records_in']}", abs(drawn - told["records_in"]) <= 0.02 * told["records_in"] + 2, True)
    main = next(p for p in data["pipelines"] if p["name"] == data["main"])
    for name in ("p50_s", "p95_s", "p99_s"):
        expect(name, abs(main["latency"]["response"][name] - summary[name]) <= 1e-6 * max(1, summary[name]), True)
    share = data["ceilings"][0]["share"]
    expect("share of the measured peak", share is not None and abs(share - summary["model_peak_share"]) <= 0.1 * share, True)
    rows = main["counts"]["rows_out"]
    expect("rows that labels were counted on", data["labels"]["rows_read"], rows)
    for name, head in data["labels"]["heads"].items():
        expect(f"labels of {name}", sum(head["all"]), rows)
        expect(f"labels of {name} by language", sum(sum(counts) for _, counts in head["languages"]), rows)
    expect("kinds of dead letters add up", sum(n for *_, n in data["dead_letters"]), sum(p["counts"]["dead_letters"] for p in data["pipelines"]))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    with open(sys.argv[2], encoding="utf-8") as file:
        summary = json.load(file)
    reader = Reader()
    reader.feed(text)
    reader.close()
    expect("elements left open", reader.open, [])
    drifting = any(p["drift"] for p in summary["pipelines"])
    expect("sections", reader.sections, SECTIONS | ({"drift"} if drifting else set()))
    check_safety(text, reader)
    check_numbers(json.loads(reader.data), summary)
    words = " ".join(reader.text)
    expect("the corpus is named", "<b>&corpus.jsonl" in words, True)
    expect("a verdict", bool(re.search(r"limits? enrich|enrich waited|No part of enrich", words)), True)
    expect("page of under 2 MB", len(text) < 2_000_000, True)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
