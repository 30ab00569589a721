"""The pictures: each function draws one figure from the numbers of measures.py at a given width, and is called twice, for
a desk and for a telephone. Colours are classes (c0, c1, ... and names of states); page.css says what they look like."""
import math

import words
from measures import FATES, cpu_list
from svg import Drawing, Plot

STATES = ("busy", "blocked", "starved", "other")
CREW_NAMES = {"poll": "poll", "text": "text workers", "model": "model", "prepare": "records", "sink": "sinks"}
FATE_NAMES = {"rows_out": "rows out", "repeats_dropped": "repeats dropped", "filtered": "filtered", "dead_letters": "dead letters"}
N_COLOURS = 8
PERCENTILE_ROOM = 14  # half the width of "p99"
NARROW = 420  # at and below this width, less room goes to names


def colour(i):
    return f"c{min(i, N_COLOURS - 1)}"


def midpoints(edges):
    return [(a + b) / 2 for a, b in zip(edges, edges[1:])]


def steps(plot, edges, values):
    """Corner points of a step curve."""
    points = []
    for a, b, value in zip(edges, edges[1:], values):
        points += [(plot.x(a), plot.y(value)), (plot.x(b), plot.y(value))]
    return points


def bar(plot, a, b):
    """Width of a bar from a to b, with a gap behind it where there is room."""
    width = plot.x(b) - plot.x(a)
    return width - 1 if width > 5 else width


def throughput(width, pipeline):
    rate = pipeline["rate"]
    plot = Plot(width, 230, f"Records per second of {pipeline['name']} over time", rate["edges_s"][-1], max(rate["sum"]) * 1.05)
    plot.y_axis(words.short)
    plot.time_axis()
    plot.path(steps(plot, rate["edges_s"], rate["sum"]), "area", close_at=plot.floor)
    plot.path(steps(plot, rate["edges_s"], rate["sum"]), "curve ink")
    for i, (rank, values) in enumerate(rate["ranks"].items()):
        if len(rate["ranks"]) > 1:
            plot.path(steps(plot, rate["edges_s"], values), f"curve s{i}", title=f"rank {rank}")
    for a, b, value in zip(rate["edges_s"], rate["edges_s"][1:], rate["sum"]):
        plot.rect(plot.x(a), plot.top, plot.x(b) - plot.x(a), plot.floor - plot.top, "hover",
                  f"{a:g} to {b:g} s: {words.short(value)} records/s")
    return plot


def lanes(width, pipeline):
    """A bar a crew: busy by part, then blocked, starved, other."""
    left, row = (76 if width <= NARROW else 130), 40
    drawing = Drawing(width, row * len(pipeline["lanes"]) + 22, f"How the threads of {pipeline['name']} spent their time")
    scale = width - left - 4
    for i, lane in enumerate(pipeline["lanes"]):
        y, x = i * row + 6, left
        name = lane["crew"] if width <= NARROW else CREW_NAMES[lane["crew"]]
        drawing.text(left - 8, y + 13, name, "name", "end")
        drawing.text(left - 8, y + 27, words.plural(lane["threads"], "thread"), "tick", "end")
        for part, share in lane["parts"]:
            drawing.rect(x, y, share * scale - 1, 24, "busy", f"{part}: busy {words.percent(share)}")
            if share * scale > 7.5 * len(part) + 40:
                drawing.text(x + 8, y + 16, f"{part} {words.percent(share)}", "inside")
            x += share * scale
        for state in STATES[1:]:
            share = lane[state]
            drawing.rect(x, y, share * scale - 1, 24, state, f"{CREW_NAMES[lane['crew']]}: {state} {words.percent(share)}")
            if share * scale > 100:
                drawing.text(x + 8, y + 16, f"{state} {words.percent(share)}", "inside dark")
            x += share * scale
    y = row * len(pipeline["lanes"])
    for i in range(5):
        x = left + i / 4 * scale
        drawing.line(x, 0, x, y, "grid over")
        drawing.text(x, y + 16, f"{25 * i} %", "tick", "end" if i == 4 else "middle")
    return drawing


def log_ticks(low, high):
    """Decades; where there are few of them, also 2 and 5 times each."""
    factors = (1, 2, 5) if high - low < 2.2 else (1,)
    ticks = [(exponent + math.log10(k), words.seconds(k * 10.0 ** exponent)) for exponent in range(math.floor(low), math.ceil(high) + 1)
             for k in factors]
    return [tick for tick in ticks if low - 1e-9 <= tick[0] <= high + 1e-9]


def latency(width, pipeline):
    kinds = pipeline["latency"]
    edges = {kind: [math.log10(max(v, 1e-9)) for v in hist["lower_s"]] for kind, hist in kinds.items()}
    low, high = min(e[0] for e in edges.values()), max(e[-1] for e in edges.values())
    share = {kind: [n / hist["n"] for n in hist["counts"]] for kind, hist in kinds.items()}
    plot = Plot(width, 230, f"Latency of {pipeline['name']}", high, max(max(s) for s in share.values()) * 1.12, x_min=low)
    plot.y_axis(words.percent)
    for exponent, name in log_ticks(low, high):
        plot.tick(exponent, name)
    for kind, style in (("service", "s1"), ("response", "s0")):
        if kind in kinds:
            points = steps(plot, edges[kind], share[kind])
            plot.path(points, f"area-{style}", close_at=plot.floor)
            plot.path(points, f"curve {style}", title=kind)
    response = kinds.get("response") or kinds["service"]
    percentile_marks(plot, {name: response[f"{name}_s"] for name in ("p50", "p95", "p99")})
    return plot


def percentile_marks(plot, values):
    """Dashed lines; names that would overlap stand together."""
    groups = []  # [x of the middle, names]
    for name, value in values.items():
        x = plot.x(math.log10(max(value, 1e-9)))
        plot.line(x, plot.top + 12, x, plot.floor, "mark")
        groups.append([x, [name]])
        while len(groups) > 1 and span_of(plot, groups[-1])[0] < span_of(plot, groups[-2])[1]:
            x, names = groups.pop()
            groups[-1] = [(groups[-1][0] + x) / 2, groups[-1][1] + names]
    for group in groups:
        plot.text(sum(span_of(plot, group)) / 2, plot.top + 8, " ".join(group[1]), "tick strong", "middle")


def span_of(plot, group):
    """From where to where a group's names reach, kept within the drawing."""
    x, names = group
    half = PERCENTILE_ROOM * len(names)
    x = min(x, plot.width - half)
    return x - half, x + half


def fill(width, pipeline):
    batches = pipeline["batches"]
    plot = Plot(width, 180, f"Fill of the micro-batches of {pipeline['name']} over time", batches["edges_s"][-1], 1.0)
    plot.y_axis(words.percent)
    plot.time_axis()
    known = [(a, b, v) for a, b, v in zip(batches["edges_s"], batches["edges_s"][1:], batches["fill"]) if v is not None]
    for a, b, value in known:
        plot.rect(plot.x(a), plot.y(value), bar(plot, a, b), plot.floor - plot.y(value), "c0",
                  f"{a:g} to {b:g} s: {words.percent(value)} full")
    return plot


def reasons(width, pipeline):
    batches = pipeline["batches"]
    order = reason_names(pipeline)
    spans = [b - a for a, b in zip(batches["edges_s"], batches["edges_s"][1:])]
    rates = {name: [n / s for n, s in zip(batches["by_reason"][name], spans)] for name in order}
    top = max(sum(column) for column in zip(*rates.values()))
    plot = Plot(width, 180, f"Why the micro-batches of {pipeline['name']} were closed, over time", batches["edges_s"][-1], top * 1.05)
    plot.y_axis(words.short)
    plot.time_axis()
    for at, (a, b) in enumerate(zip(batches["edges_s"], batches["edges_s"][1:])):
        under = 0.0
        for i, name in enumerate(order):
            value = rates[name][at]
            if value:
                plot.rect(plot.x(a), plot.y(under + value), bar(plot, a, b), plot.y(under) - plot.y(under + value),
                          colour(i), f"{a:g} to {b:g} s: {words.plural(batches['by_reason'][name][at], 'batch').replace('batchs', 'batches')} closed by {name}")
            under += value
    return plot


def reason_names(pipeline):
    by_reason = pipeline["batches"]["by_reason"]
    return sorted(by_reason, key=lambda name: -sum(by_reason[name]))


def queue_strips(width, pipelines):
    """A strip a queue; the darker, the fuller."""
    rows = [(p["name"], queue, p["queues"]["edges_s"]) for p in pipelines if p["queues"] for queue in p["queues"]["queues"]]
    left, row = (104 if width <= NARROW else 130), 22
    plot = Plot(width, row * len(rows) + 30, "How full the queues were over time", rows[0][2][-1], 1.0)
    plot.left = left
    for i, (pipeline, queue, edges) in enumerate(rows):
        y = i * row + 2
        plot.text(left - 8, y + 13, f"{pipeline} {queue['name']}", "name", "end")
        for a, b, value in zip(edges, edges[1:], queue["fill"]):
            level = "none" if value is None else f"q{min(5, math.ceil(5 * value))}"
            says = "not sampled" if value is None else f"{words.percent(value)} of {queue['capacity']}"
            plot.rect(plot.x(a), y, plot.x(b) - plot.x(a) - 0.6, row - 4, level, f"{a:g} to {b:g} s: {says}")
    plot.time_axis()
    return plot


def curves_over_time(width, label, ranks, x, y, axis):
    """A curve a rank: `x` and `y` name its points."""
    top = max((max(r[y], default=0) for r in ranks.values()), default=0)
    end = max((max(r[x], default=0) for r in ranks.values()), default=1)
    plot = Plot(width, 180, label, end, top * 1.1)
    plot.left = 60
    plot.y_axis(axis)
    plot.time_axis()
    for i, (rank, r) in enumerate(ranks.items()):
        points = [(plot.x(t), plot.y(v)) for t, v in zip(r[x], r[y])]
        if len(points) == 1:
            points.append((points[0][0] + 6, points[0][1]))
        if points:
            plot.path(points, f"curve s{i}", title=f"rank {rank}")
    return plot


def drift(width, what):
    """A curve a column: its index, and the two bounds."""
    curves, bounds = what["curves"], [what["columns"][0][name] for name in ("notice", "warn")]
    most = max([value for c in curves.values() for value in c["psi"]] + [bounds[1]])
    plot = Plot(width, 200, "Population stability index over time", max(max(c["t"]) for c in curves.values()), most * 1.1)
    plot.y_axis(lambda v: f"{v:g}")
    plot.time_axis()
    for bound in bounds:
        plot.line(plot.left, plot.y(bound), plot.width - plot.right, plot.y(bound), "mark")
    return with_curves(plot, curves, "psi")


def drift_shares(width, what):
    """A curve a column: the share of the class that changed most in it; dashed, what it was."""
    curves, then = what["curves"], {c["column"]: c["share_baseline"] for c in what["columns"]}
    top = max([value for c in curves.values() for value in c["share"]] + [then[name] for name in curves])
    plot = Plot(width, 200, "Share of what changed most over time", max(max(c["t"]) for c in curves.values()), top * 1.1)
    plot.y_axis(words.percent)
    plot.time_axis()
    for name in curves:
        plot.line(plot.left, plot.y(then[name]), plot.width - plot.right, plot.y(then[name]), "mark")
    return with_curves(plot, curves, "share")


def with_curves(plot, curves, key):
    for i, (name, curve) in enumerate(curves.items()):
        points = [(plot.x(t), plot.y(v)) for t, v in zip(curve["t"], curve[key])]
        if len(points) == 1:
            points.insert(0, (plot.left, points[0][1]))
        plot.path(points, f"curve s{i}", title=name)
    return plot


def label_colours(labels):
    """Grey for labels that say "nothing here", so that the others stand out; sentiment as one is used to it."""
    known, free, out = {"negative": "c1", "positive": "c0"}, iter(range(N_COLOURS - 1)), []
    for label in labels:
        if label in known:
            out.append(known[label])
        elif label.lower().startswith(("not", "non", "no_", "no-", "neutral", "(none")):
            out.append("quiet")
        else:
            out.append(colour(next(free, N_COLOURS - 1)))
    return out


def head(width, name, table):
    """A bar a language, cut by label; the first is all rows."""
    left, right, row = 64, 62, 22
    rows = [("all", table["all"])] + (table["languages"] if len(table["languages"]) > 1 else [])
    drawing = Drawing(width, row * len(rows) + 24, f"Labels of {name} by language")
    scale, colours = width - left - right, label_colours(table["labels"])
    for i, (language, counts) in enumerate(rows):
        y, x, total = i * row + 2 + (4 if i else 0), left, max(1, sum(counts))
        drawing.text(left - 8, y + 12, language[:6], "name strong" if i == 0 else "name", "end")
        for k, n in enumerate(counts):
            share = n / total * scale
            drawing.rect(x, y, share - 1 if share > 2 else share, row - 6, colours[k],
                         f"{language}: {table['labels'][k]} {words.count(n)} ({words.percent(n / total)})")
            x += share
        drawing.text(width, y + 12, words.count(total), "tick", "end")
    y = row * len(rows) + 6
    for i in range(3):
        drawing.text(left + i / 2 * scale, y + 14, f"{50 * i} %", "tick", "middle")
    return drawing


def topology(width, places):
    """Hosts, their NUMA nodes, and in each the ranks with their hardware threads."""
    hosts, drawing, y = {}, Drawing(width, 0, "Which rank ran where"), 4
    for place in places:
        hosts.setdefault(place["host"], {}).setdefault(place["numa"] or "?", []).append(place)
    shown = list(hosts.items())[:6]
    for host, nodes in shown:
        top = y
        drawing.marks.append(None)  # the frame, when its height is known
        frame = len(drawing.marks) - 1
        drawing.text(14, y + 20, f"host {host}"[:48], "name strong")
        y += 30
        for node, ranks in nodes.items():
            y = numa_node(drawing, width, y, node, ranks)
        y += 6
        marks, drawing.marks = drawing.marks, []
        drawing.rect(1, top, width - 2, y - top, "host", rx=6)
        marks[frame] = drawing.marks.pop()
        drawing.marks = marks
        y += 10
    if len(hosts) > len(shown):
        drawing.text(2, y + 12, f"and {len(hosts) - len(shown)} more hosts: see the plan below", "tick")
        y += 20
    drawing.height = y
    return drawing


def numa_node(drawing, width, y, node, ranks):
    cell, gap, name = 15, 3, 66
    a_line = max(1, int((width - 48 - name) // (cell + gap)))
    cpus = [cpu_list(place["cpus"])[:256] for place in ranks[:16]]
    heights = [max(24, math.ceil(max(1, len(c)) / a_line) * (cell + gap) + (16 if place["device"] else 4)) for c, place in zip(cpus, ranks)]
    drawing.rect(12, y, width - 24, sum(heights) + 32, "numa", rx=5)
    drawing.text(22, y + 18, f"NUMA node {node}", "tick")
    at = y + 28
    for place, own, height in zip(ranks, cpus, heights):
        drawing.text(22, at + 12, f"rank {place['rank']}", "name")
        for i, cpu in enumerate(own):
            drawing.rect(22 + name + i % a_line * (cell + gap), at + i // a_line * (cell + gap), cell, cell,
                         colour(int(place["rank"]) % N_COLOURS), f"rank {place['rank']}: hardware thread {cpu}", rx=3)
        if place["device"]:
            drawing.text(22 + name, at + height - 6, place["device"][:44], "tick")
        elif own and len(own) * (cell + gap) < width - 260:
            drawing.text(22 + name + len(own) * (cell + gap) + 6, at + 12, f"hardware thread{'s' if len(own) > 1 else ''} {place['cpus']}"[:40], "tick")
        at += height
    return at + 10


def fates(width, pipelines):
    """records_in = rows_out + repeats_dropped + filtered + dead_letters, as bars to the scale of the largest pipeline."""
    rows = [(p["name"], [p["counts"][name] for name in FATES]) for p in pipelines if p["counts"]["rows_out"] is not None]
    row, left = 26, 76
    drawing = Drawing(width, row * len(rows) + 4, "Where the records of each pipeline went")
    most = max([sum(values) for _, values in rows] + [1])
    for i, (name, values) in enumerate(rows):
        y, x = i * row + 2, left
        drawing.text(left - 8, y + 14, name[:10], "name", "end")
        for fate, n in zip(FATES, values):
            length = n / most * (width - left - 2)
            drawing.rect(x, y, max(length - 1, 2 if n else 0), 18, fate, f"{name}: {FATE_NAMES[fate]} {words.count(n)}")
            x += max(length, 2 if n else 0)
    return drawing


def meter(width, share, name):
    """A share of a ceiling."""
    drawing = Drawing(width, 14, f"{name}: {'not measured' if share is None else words.percent(share)}")
    drawing.rect(0, 2, width, 10, "track" if share is not None else "track unknown", rx=5)
    if share is not None:
        drawing.rect(0, 2, max(6, min(share, 1) * width), 10, "c0", rx=5)
    return drawing
