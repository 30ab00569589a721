"""One HTML page without scripts, network or outside files; everything that comes from data is escaped."""
import base64
import datetime
import hashlib
import json
import pathlib

import figures
import words
from measures import FATES
from words import escape

BROAD, HALF, NARROW = 1040, 500, 346  # widths that the drawings are made for
NOT_MEASURED = "not measured"


def both(draw, broad):
    """A drawing for a desk and one for a telephone; the style sheet shows one of them."""
    return (str(draw(broad)).replace("<svg ", '<svg class="broad" ', 1)
            + str(draw(NARROW)).replace("<svg ", '<svg class="narrow" ', 1))


def swatch(class_):
    return f'<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><rect width="12" height="12" rx="3" class="{class_}"/></svg>'


def legend(items):
    return '<ul class="legend">' + "".join(f"<li>{swatch(class_)}{escape(name)}</li>" for class_, name in items) + "</ul>"


def figure(title, caption, draw, keys=(), wide=True):
    return (f'<figure{" class=wide" if wide else ""}><figcaption><h3>{escape(title)}</h3>{escape(caption)}</figcaption>'
            f"{both(draw, BROAD if wide else HALF)}{legend(keys) if keys else ''}</figure>")


def section(key, title, *content):
    return f'<section id="{key}"><h2>{escape(title)}</h2><div class="grid">{"".join(content)}</div></section>'


def table(heads, rows, numbers=()):
    def cell(tag, i, value):
        return f'<{tag}{" class=number" if i in numbers else ""}>{value}</{tag}>'

    head = "".join(cell("th", i, escape(name)) for i, name in enumerate(heads))
    body = "".join("<tr>" + "".join(cell("td", i, value) for i, value in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def rate_of(n, seconds):
    return n / seconds if seconds else 0.0


# ---- the parts of the page


def status(what):
    if not what["ended"]:
        return '<span class="status bad">did not come to its end</span>'
    return '<span class="status">stopped early; the same command goes on</span>' if what["drained"] \
        else '<span class="status good">complete</span>'


def head_of(data):
    what = data["what"]
    when = datetime.datetime.fromtimestamp(what["start_wall_ns"] / 1e9, datetime.timezone.utc)
    remarks = "".join(f'<p class="remark">{escape(remark)}</p>' for remark in data["remarks"])
    return (f'<header><p class="kicker"><b>Dunlin</b> run report</p><h1>{escape(what["job"])} on {escape(pathlib.PurePath(what["corpus"] or "its topics").name)}</h1>'
            f'<p>{status(what)} · {when:%Y-%m-%d %H:%M:%S} UTC · {words.plural(what["ranks"], "rank")} on {words.plural(len(what["hosts"]), "host")}'
            f' · {words.seconds(data["wall_s"])}</p>{remarks}</header>')


def tiles(data, main):
    counts, response = main["counts"], main["latency"].get("response", {})
    share = data["ceilings"][0]["share"]
    dead = sum(p["counts"]["dead_letters"] or 0 for p in data["pipelines"])
    shown = [(words.short(counts["records_in"]), f"records through {main['name']}"),
             (f"{words.short(rate_of(counts['records_in'], counts['wall_s']))}/s", "records"),
             (f"{words.short(rate_of(counts['tokens'], counts['wall_s']))}/s", "tokens"),
             (words.seconds(response["p95_s"]) if response else NOT_MEASURED, "p95 latency, from the intended send time"),
             (words.percent(share) if share is not None else NOT_MEASURED, "of the measured peak arithmetic while scoring"),
             (words.count(dead), "dead letters")]
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><div class="value">{escape(value)}</div><div class="what">{escape(name)}</div></div>'
        for value, name in shown) + "</div>"


def verdict(data, main):
    more = f"<p>{escape(data['contention'])}</p>" if data["contention"] else ""
    return f'<div class="card verdict wide"><h3>{escape(main["verdict"])}</h3><p>{escape(main["why"])}</p>{more}</div>'


def time_section(data):
    main = next(p for p in data["pipelines"] if p["name"] == data["main"])
    keys = [("busy", "busy: at work"), ("blocked", "blocked: the next queue was full, or no chunk was free"),
            ("starved", "starved: nothing to do"), ("other", "other: waited for its turn, or had ended")]
    parts = []
    for pipeline in reversed(data["pipelines"]):
        if pipeline["lanes"]:
            says = "Thread time by what it was spent on." if pipeline is main else f"{pipeline['verdict']}. {pipeline['why']}"
            parts.append(figure(pipeline["name"], says,
                                lambda width, p=pipeline: figures.lanes(width, p), keys))
    return section("time", "Where the time went", *parts)


def throughput_section(data):
    parts = []
    for pipeline in reversed(data["pipelines"]):
        rate = pipeline["rate"]
        curves = [(figures.colour(i), f"rank {rank}") for i, rank in enumerate(rate["ranks"])] if len(rate["ranks"]) > 1 else []
        mean = rate_of(pipeline["counts"]["records_in"], pipeline["counts"]["wall_s"])
        how = "each micro-batch spread over its forward pass" if rate["from"] == "batches" else "from the counter that is sampled once a second"
        parts.append(figure(pipeline["name"], f"Records per second, {how}; {words.short(mean)}/s on average"
                            + (", the shaded outline is the sum of the ranks." if curves else f", sum of {words.plural(data['what']['ranks'], 'rank')}."),
                            lambda width, p=pipeline: figures.throughput(width, p), curves))
    return section("throughput", "Throughput", *parts)


def goal_says(goal):
    """What became of the time that was asked for."""
    if not goal:
        return ""
    asked = f" 95 % within {words.seconds(goal['slo_s'])} were asked for (slo): "
    if goal["held"]:
        return asked + "held."
    if goal["late"]:
        return asked + f"NOT held; {words.percent(goal['late'])} of the texts were late before the model saw them, they came faster than it scores."
    return asked + "NOT held, though texts reached the model in time: the goal is shorter than scoring and writing take, or the machine was busy."


def latency_section(data):
    parts = []
    for pipeline in reversed(data["pipelines"]):
        if not pipeline["latency"]:
            continue
        kinds = pipeline["latency"]
        keys = [(figures.colour(i), f"{name}: p50 {words.seconds(kinds[name]['p50_s'])}, p95 {words.seconds(kinds[name]['p95_s'])}, "
                 f"p99 {words.seconds(kinds[name]['p99_s'])}") for i, name in enumerate(("response", "service")) if name in kinds]
        parts.append(figure(pipeline["name"], "Share of the records by latency, logarithmic. Response counts from the intended send "
                            "time, service from polling; dashed lines are percentiles of the response." + goal_says(pipeline["goal"]),
                            lambda width, p=pipeline: figures.latency(width, p), keys, wide=False))
    return section("latency", "Latency", *parts) if parts else ""


def batches_section(data):
    parts = []
    for pipeline in data["pipelines"]:
        batches = pipeline["batches"]
        if not batches:
            continue
        sums = {name: sum(batches["by_reason"][name]) for name in figures.reason_names(pipeline)}
        total = sum(sums.values())
        keys = [(figures.colour(i), f"{name} {words.percent(n / total)}") for i, (name, n) in enumerate(sums.items())]
        parts.append(figure(f"{pipeline['name']}: batch fill", f"Tokens as a share of the budget; {words.percent(pipeline['counts']['fill'])} over the "
                            f"whole run, {batches['rows_p50']} rows and {batches['tokens_p50']} tokens in the median batch.",
                            lambda width, p=pipeline: figures.fill(width, p), wide=False))
        parts.append(figure(f"{pipeline['name']}: why batches were closed", f"Batches per second by reason, {words.count(total)} in all. "
                            f"In the median batch the oldest row waited {words.seconds(batches['wait_p50_s'])}"
                            + (f", and the forecast of its time was {words.percent(batches['forecast_error'])} off."
                               if batches["forecast_error"] is not None else "."),
                            lambda width, p=pipeline: figures.reasons(width, p), keys, wide=False))
    return section("batches", "Micro-batches", *parts) if parts else ""


def labels_section(data):
    labels = data["labels"]
    if not labels["heads"]:
        return ""
    sampled = f"{words.count(labels['rows_read'])} of {words.count(labels['rows'])} rows, evenly spread over the files" \
        if labels["rows_read"] < labels["rows"] else f"all {words.count(labels['rows'])} rows of the output folder"
    parts = []
    for name, head in labels["heads"].items():
        total = max(1, sum(head["all"]))
        keys = [(colour, f"{label} {words.percent(n / total)}")
                for colour, label, n in zip(figures.label_colours(head["labels"]), head["labels"], head["all"])]
        if len(keys) > figures.N_COLOURS:
            rest = sum(head["all"][figures.N_COLOURS - 1:])
            keys = keys[:figures.N_COLOURS - 1] + [(figures.colour(figures.N_COLOURS), f"{len(head['labels']) - figures.N_COLOURS + 1} others {words.percent(rest / total)}")]
        parts.append(figure(name, "Most probable label by stated language.", lambda width, n=name, h=head: figures.head(width, n, h), keys, wide=False))
    return section("labels", "What the model said", f'<p class="wide note">Counted on {escape(sampled)}. Numbers at the right are rows.</p>', *parts)


def drift_section(data):
    parts = []
    for pipeline in data["pipelines"]:
        what = pipeline["drift"]
        if not what:
            continue
        says = words.listed(list(filter(None, map(words.drift, what["columns"]))) or ["All columns are as in the baseline"]) + "."
        keys = [(figures.colour(i), name) for i, name in enumerate(what["curves"])]
        last = {c["column"]: c["label"] for c in what["columns"]}
        parts.append(figure(f"{pipeline['name']}: how far from the baseline", f"{says} Population stability index of the newest rows of a rank, as "
                            "sampled; dashed lines are drift_notice and drift_warn.", lambda width, w=what: figures.drift(width, w), keys, wide=False))
        parts.append(figure(f"{pipeline['name']}: what changed most", "Its share of the newest rows; dashed lines are the shares in the baseline.",
                            lambda width, w=what: figures.drift_shares(width, w),
                            [(class_, f"{name}: {last[name]}") for class_, name in keys], wide=False))
        rows = [[escape(c["column"]), f"{c['psi']:.3f}", f"{c['psi_max']:.3f}", escape(c["label"]), words.percent(c["share_baseline"]), words.percent(c["share"]),
                 words.count(c["undecided"]), words.count(c["null"]), words.count(c["null_language"])] for c in what["columns"]]
        parts.append('<div class="card wide">' + table(["column", "PSI at the end", "at most", "most of all", "baseline", "then", "und", "null: no text",
                                                        "null: language"], rows, {1, 2, 4, 5, 6, 7, 8}) + "</div>")
    return section("drift", "Drift", *parts) if parts else ""


def other_languages(pipeline):
    counts = pipeline["counts"]
    if not counts["rows_other_language"]:
        return ""
    share = counts["tokens_saved"] / (counts["tokens_saved"] + counts["tokens_scored"])
    return (f'<p class="note">{escape(pipeline["name"])}: {words.count(counts["rows_other_language"])} texts are in languages that the model does not serve; '
            f'{words.count(counts["tokens_saved"])} tokens saved, {words.percent(share)} of all.</p>')


def records_section(data):
    known = [p for p in data["pipelines"] if p["counts"]["rows_out"] is not None]
    parts = []
    if known:
        rows = [[escape(name)] + [words.count(p["counts"][key]) for p in known]
                for key, name in [("records_in", "records in")] + list(figures.FATE_NAMES.items())]
        parts.append('<div class="card wide"><h3>Every record is accounted for</h3>'
                     + both(lambda width: figures.fates(width, known), BROAD)
                     + legend([(name, figures.FATE_NAMES[name]) for name in FATES])
                     + table([""] + [p["name"] for p in known], rows, range(1, len(known) + 1))
                     + '<p class="note">records in = rows out + repeats dropped + filtered + dead letters</p>'
                     + "".join(other_languages(p) for p in known) + '</div>')
    letters = data["dead_letters"]
    if letters:
        rows = [[escape(pipeline), escape(stage), escape(reason), words.count(n)] for pipeline, stage, reason, n in letters[:20]]
        more = f'<p class="note">and {len(letters) - 20} more kinds</p>' if len(letters) > 20 else ""
        parts.append('<div class="card wide"><h3>Dead letters in the output folder, by stage and reason</h3>'
                     + table(["pipeline", "found by", "reason", "records"], rows, {3}) + more
                     + '<p class="note">Their bytes are below dead/ and are not shown here.</p></div>')
    else:
        parts.append('<div class="card wide"><h3>No dead letters</h3><p class="note">Nothing was found bad.</p></div>')
    return section("records", "Records", *parts)


def machine_section(data):
    ranks = data["system"]["ranks"]
    keys = [(figures.colour(i), f"rank {rank}") for i, rank in enumerate(ranks)] if len(ranks) > 1 else []
    whose = "each rank" if len(ranks) == data["what"]["ranks"] else f"the first {len(ranks)} of {data['what']['ranks']} ranks"
    parts = [f'<figure><figcaption><h3>Which rank ran where</h3>{escape(data["what"]["machine"])}</figcaption>'
             f'{both(lambda width: figures.topology(width, data["places"]), HALF)}'
             f'<p class="note">The plan as printed:</p><pre tabindex="0">{escape(data["plan"])}</pre></figure>',
             ceilings(data)]
    if any(r["cores"] for r in ranks.values()):
        parts.append(figure("CPU time", f"Cores in use by {whose}: CPU seconds per second.",
                            lambda width: figures.curves_over_time(width, "Cores in use over time", ranks, "cpu_t", "cores", lambda v: f"{v:g}"), keys, wide=False))
    if any(r["rss_bytes"] for r in ranks.values()):
        parts.append(figure("Memory", f"Resident memory of {whose}; the largest reached {words.size(data['rss_bytes_max'])}.",
                            lambda width: figures.curves_over_time(width, "Resident memory over time", ranks, "t", "rss_bytes",
                                                                   lambda v: words.size(v) if v else "0"), keys, wide=False))
    queued = [p for p in data["pipelines"] if p["queues"]]
    if queued:
        scale = [(f"q{i}", name) for i, name in enumerate(("empty", "to 20 %", "to 40 %", "to 60 %", "to 80 %", "full"))]
        parts.append(figure("Queues", "How full each queue was when it was sampled. Full queues stand before the part that limits; "
                            "an empty queue of free chunks, that all of them are under way.",
                            lambda width: figures.queue_strips(width, queued), scale))
    return section("machine", "Machine", *parts)


def ceilings(data):
    rows = []
    for row in data["ceilings"]:
        share = words.percent(row["share"]) if row["share"] is not None else NOT_MEASURED
        value = f"{escape(row['value'])} of {escape(row['ceiling'])}" if row["share"] is not None else ""
        rows.append(f'<div class="ceiling"><b>{share}</b>{escape(row["name"])}<div class="note">{value}</div>'
                    f"{figures.meter(464, row['share'], row['name'])}</div>")
    joules = data["system"]["joules"]
    energy = f'<p class="note">Energy: {words.short(joules)} J (RAPL, all packages of the first host).</p>' if joules else \
        '<p class="note">Energy: not measured (no readable RAPL counter).</p>'
    return f'<div class="card"><h3>Share of each ceiling</h3>{"".join(rows)}{energy}</div>'


def what_section(data, resolved_job):
    what = data["what"]
    items = [("Job", what["job"]), ("Run", what["run"]), ("Corpus", what["corpus"] or "none: records came from topics"),
             ("Model", what["model"] or "none"), ("Model SHA-256", what["model_sha256"] or "none"),
             ("Kernels", ", ".join(what["kernels"]) or "none"), ("Broker", what["broker"]), ("Ranks", words.count(what["ranks"])),
             ("Hosts", ", ".join(what["hosts"][:16]) + (" ..." if len(what["hosts"]) > 16 else "")), ("Machine", what["machine"] or "not recorded"),
             ("Dunlin", f"{what['creator']}, commit {what['git_commit']}"), ("librdkafka", what["librdkafka"]), ("HDF5", what["hdf5"])]
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in items)
    return section("what", "What ran", f'<div class="card wide"><dl>{pairs}</dl><details><summary>The job with every property resolved</summary>'
                   f"<pre>{escape(resolved_job)}</pre></details></div>")


def embedded(data):
    """The numbers behind all figures; `<` is written as an escape so that no text can end the element."""
    text = json.dumps(data, default=lambda value: value.item(), ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


SECTIONS = (("time", "Time"), ("throughput", "Throughput"), ("latency", "Latency"), ("batches", "Batches"), ("labels", "Labels"),
            ("drift", "Drift"), ("records", "Records"), ("machine", "Machine"), ("what", "What ran"))


def render(data, resolved_job):
    style = (pathlib.Path(__file__).parent / "page.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    main = next(p for p in data["pipelines"] if p["name"] == data["main"])
    body = [time_section(data), throughput_section(data), latency_section(data), batches_section(data), labels_section(data),
            drift_section(data), records_section(data), machine_section(data), what_section(data, resolved_job)]
    there = "".join(body)
    nav = "".join(f'<a href="#{key}">{name}</a>' for key, name in SECTIONS if f'id="{key}"' in there)
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'sha256-{digest}\'; base-uri \'none\'; form-action \'none\'">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
            f'<title>{escape(data["what"]["job"])} {escape(data["what"]["run"])}: Dunlin run report</title><style>{style}</style></head>'
            f'<body>{head_of(data)}<main><nav aria-label="Sections">{nav}</nav>{tiles(data, main)}{verdict(data, main)}{there}</main>'
            f"<footer><p>Made by <code>dunlin report</code> from the run's trace. Counters of ranks are added and histograms merged; "
            f"percentiles are never averaged. The numbers behind every figure stand in this page as JSON (element <code>data</code>).</p></footer>"
            f'<script type="application/json" id="data">{embedded(data)}</script></body></html>\n')
