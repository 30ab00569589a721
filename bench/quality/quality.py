"""Quality against rate and size: a linear model, it before an encoder, and the encoder in each precision, in one table.

  bench/quality/quality.py --linear build/linear [--model models/tweets] [--suite tweets] [--texts FILE] [--dunlin PROGRAM]
                           [--precisions int8,bf16,fp32] [--rounds 3] [--limit 4000] [--output table|json]

All rows are measured in one session on this machine: quality by `dunlin model eval` on the suite, rates by turns, a row after the other in
each round. The linear model must be calibrated for this encoder: README.md says how. Standard library only.
Exit status: 0 done, 1 a command failed, 2 usage.
"""
import argparse
import json
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile


def run(command, text=None):
    """What the command prints, and the CPU time that it took in s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, input=text, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"quality.py: {' '.join(map(str, command))}: {done.stderr.decode().strip()}")
    return done.stdout.decode(), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Row:
    """A way to score texts: what to ask `model eval` for, and what to time."""

    def __init__(self, name, directory, options=(), linear=None):
        self.name, self.directory, self.options, self.linear = name, directory, list(options), linear
        self.rates = []

    def judge(self, dunlin, suite):
        extra = ["--cascade", self.linear] if self.linear else []
        out, _ = run([dunlin, "model", "eval", self.directory, suite, *self.options, *extra, "--output", "json"])
        figures = [f for f in json.loads(out)["figures"] if f["kind"] == "model"]
        own = figures[-1]["model"]  # behind the encoder alone, where both are there
        self.tasks = {f["task"]: f for f in figures if f["model"] == own}
        self.mean = self.tasks.pop("mean")
        answered = [(f["linear"], f["n"]) for f in self.tasks.values() if "linear" in f]
        self.answered = sum(share * n for share, n in answered) / sum(n for _, n in answered) if answered else None

    def time(self, dunlin, texts):
        """Texts a second of CPU time, without the time to start."""
        extra = ["--cascade", self.linear] if self.linear else []
        command = [dunlin, "model", "score", self.directory, *self.options, *extra]
        _, start = run(command, texts[0])
        _, all_of_it = run(command, b"".join(texts))
        self.rates.append((len(texts) - 1) / (all_of_it - start))

    def measure_size(self, dunlin):
        out, _ = run([dunlin, "model", "describe", self.directory, *self.options])
        self.megabytes = float(re.search(r"^weights  ([0-9.]+) MB", out, re.M).group(1))


class Linear(Row):
    """Its texts cost less than printing their scores: the program times them itself."""

    def time(self, dunlin, texts):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(texts))
            file.flush()
            out, _ = run([dunlin, "model", "bench", self.directory, "--runs", "3", "--texts", file.name, "--output", "json"])
        self.rates.append(json.loads(out)["texts_per_s"])


def read_texts(path, limit):
    if not path:
        path = pathlib.Path(__file__).resolve().parents[2] / "datasets/samples/tweets.jsonl"
        lines = [json.loads(line)["text"].replace("\n", " ") for line in path.open(encoding="utf-8")]
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line.strip()][:limit]
    return [line.encode() + b"\n" for line in lines]


def print_table(rows, columns):
    head = ["", "mean", "95 % interval", *columns, "answered %", "texts/s a core", "spread %", "MB"]
    cells = [head]
    for row in rows:
        rate = statistics.median(row.rates)
        cells.append([row.name, f"{100 * row.mean['value']:.2f}", f"{100 * row.mean['low']:.1f} to {100 * row.mean['high']:.1f}",
                      *(f"{100 * row.tasks[task]['value']:.2f}" for task in columns),
                      "" if row.answered is None else f"{100 * row.answered:.1f}",
                      f"{rate:,.0f}", f"{100 * (max(row.rates) - min(row.rates)) / rate:.1f}", f"{row.megabytes:.1f}"])
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    for line in cells:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))).rstrip())


def print_json(rows, columns):
    print(json.dumps([{"name": row.name, "mean": row.mean["value"], "low": row.mean["low"], "high": row.mean["high"],
                       "tasks": {task: row.tasks[task]["value"] for task in columns}, "answered": row.answered,
                       "texts_per_s": statistics.median(row.rates), "rates": row.rates, "megabytes": row.megabytes} for row in rows]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dunlin", default="build/release/dunlin")
    parser.add_argument("--model", default="models/tweets")
    parser.add_argument("--linear", required=True)
    parser.add_argument("--suite", default="tweets")
    parser.add_argument("--texts", type=pathlib.Path, help="a text a line; default: samples/tweets.jsonl")
    parser.add_argument("--precisions", default="int8,bf16,fp32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=4000)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    precisions = options.precisions.split(",")
    rows = [Linear("linear", options.linear),
            *(Row(f"cascade, {p}", options.model, ["--backend", p], options.linear) for p in precisions),
            *(Row(p, options.model, ["--backend", p]) for p in precisions)]
    texts = read_texts(options.texts, options.limit)
    for row in rows:
        row.judge(options.dunlin, options.suite)
        row.measure_size(options.dunlin)
    for _ in range(options.rounds):
        for row in rows:
            row.time(options.dunlin, texts)
    sizes = {row.name: row.megabytes for row in rows}
    for row in rows:
        if row.linear:
            row.megabytes += sizes["linear"]
    columns = [task for task in rows[0].tasks if all(task in row.tasks for row in rows)]
    (print_json if options.output == "json" else print_table)(rows, columns)


if __name__ == "__main__":
    main()
