#!/usr/bin/env python3
"""The arithmetic of bench/report on made-up numbers whose results are known."""
import pathlib
import sys
import tempfile
import types

import h5py
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "report"))
import figures  # noqa: E402
import measures  # noqa: E402
import run_rows  # noqa: E402
import svg  # noqa: E402
import words  # noqa: E402

wrong = []


def equal(what, got, wanted, within=0.0):
    same = abs(got - wanted) <= within if within else got == wanted
    if not same:
        wrong.append(f"{what}: {got!r}, expected {wanted!r}")


def sums_over_time():
    edges = np.array([0.0, 1.0, 2.0, 4.0])
    got = measures.spread(np.array([0.5, 2.0]), np.array([1.5, 3.0]), np.array([10.0, 6.0]), edges)
    equal("spread over two bins", [round(v, 6) for v in got.tolist()], [5.0, 5.0, 6.0])
    rng = np.random.default_rng(7)
    begin, weight = rng.uniform(0, 90, 5000), rng.integers(1, 100, 5000).astype(float)
    got = measures.spread(begin, begin + rng.uniform(0, 5, 5000), weight, np.linspace(0, 100, 64))
    equal("spread keeps the sum", float(got.sum()), float(weight.sum()), 1e-3)
    equal("a batch without length", measures.spread(np.array([1.5]), np.array([1.5]), np.array([3.0]), edges).round(6).tolist(), [0, 3, 0])


def edges_and_steps():
    for seconds in (0.03, 0.4, 3.25, 17.9, 600.0, 86400.0):
        run = types.SimpleNamespace(seconds=seconds)
        edges = measures.edges_of(run, measures.step_of(run))
        equal(f"{seconds} s end at their end", float(edges[-1]), seconds, 1e-9)
        equal(f"{seconds} s: rising edges", bool((np.diff(edges) > 0).all()), True)
        equal(f"{seconds} s: {len(edges)} edges", len(edges) <= 2 * measures.MAX_POINTS + 2, True)
    for span, n, step in ((10, 5, 2), (1, 4, 0.5), (7, 4, 2), (0.003, 3, 0.001), (101, 5, 50)):
        equal(f"step of {span} in {n}", svg.nice_step(span, n), step, 1e-12)


def percentiles():
    lower = np.array([0, 1, 2, 3, 4, 6, 8], dtype=np.uint64) * 1000000000
    counts = np.array([0, 50, 0, 45, 0, 5, 0], dtype=np.uint64)
    for q, expected in ((0.5, 1.5), (0.51, 3.5), (0.95, 3.5), (0.99, 7.0)):
        equal(f"quantile {q}", words.quantile(lower, counts, q), expected, 1e-9)
    equal("quantile of nothing", words.quantile(lower, counts * 0, 0.5), 0.0)


def samples():
    equal("all rows", run_rows.pieces(10, 1.0), [(0, 10)])
    pieces = run_rows.pieces(1000000, 0.1)
    n = sum(end - begin for begin, end in pieces)
    equal("a tenth", n, 100000, 100)
    equal("from begin to end", (pieces[0][0], pieces[-1][1]), (0, 1000000))
    equal("no overlap", all(a[1] <= b[0] for a, b in zip(pieces, pieces[1:])), True)


def arithmetic():
    """Cores by the time of their threads, GPUs by the time that they computed; ranks added up."""
    cpu = {"flops": 6e12, "model_s": 10.0, "peak_gflops_per_core": 1000.0}
    gpu = {"flops": 8e15, "model_s": 90.0, "device_busy_s": 20.0, "peak_gflops_per_device": 500e3}
    none = {"flops": 0, "model_s": 3.0, "peak_gflops_per_core": 0.0}
    run = types.SimpleNamespace(summaries={rank: {"pipelines": [{"name": "p", "models": [cpu, gpu, none]}]} for rank in (0, 1)})
    cores, device = measures.arithmetic_of(run, "p")
    equal("share of a core's peak", cores["share"], 0.6, 1e-9)
    equal("share of a GPU's peak", device["share"], 0.8, 1e-9)
    equal("rates", (cores["value"], device["value"]), ("600.0 GFLOP/s a thread", "400.0 TFLOP/s a GPU"))
    equal("of another pipeline", [row["share"] for row in measures.arithmetic_of(run, "q")], [None])


def heads_of_other_kinds():
    """Only heads with one label a row are counted; (none) is shown where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows"
        rows.mkdir()
        with h5py.File(rows / "0.h5", "w") as file:
            file.attrs["n_rows"] = 3
            file["labels/several/bytes"] = np.zeros(3, np.uint8)
            kind = h5py.enum_dtype({"a": 0, "b": 1, "(none)": 255}, "u1")
            file.create_dataset("labels/one", data=np.array([0, 1, 255], np.uint8), dtype=kind)
        heads = run_rows.labels(pathlib.Path(folder))["heads"]
    equal("heads", list(heads), ["one"])
    equal("labels", (heads["one"]["labels"], heads["one"]["all"]), (["a", "b", "(none)"], [1, 1, 1]))


def settings():
    job = "broker: none\npipelines:\n  ingest:\n    source:\n      corpus:\n        path: /a/b:c.csv\n    sinks:\n      - topic:\n          name: x\n" \
          "  enrich:\n    model:\n      path: models/tweets\n"
    for path, wanted in ((["broker"], "none"), (["pipelines", "ingest", "source", "corpus", "path"], "/a/b:c.csv"),
                         (["pipelines", "enrich", "model", "path"], "models/tweets"), (["pipelines", "ingest", "model", "path"], None),
                         (["pipelines", "ingest", "sinks", "topic", "name"], "x")):
        equal(f"setting {path}", measures.setting(job, path), wanted)
    two = "pipelines:\n  enrich:\n    model:\n      -\n        name: a\n        path: one\n      -\n        name: b\n        path: two\n    sinks:\n"
    equal("paths of two models", list(measures.settings(two, ["pipelines", "enrich", "model", "path"])), ["one", "two"])
    equal("cpus", measures.cpu_list("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11])
    equal("no cpus", measures.cpu_list("?"), [])


def lane(crew, busy, blocked=0.0, starved=0.0):
    return {"crew": crew, "threads": 1, "busy": busy, "blocked": blocked, "starved": starved, "other": 0.0, "parts": [(crew, busy)]}


def verdicts():
    limits = [lane("poll", 0.1, 0.8), lane("text", 0.2, 0.7), lane("model", 0.97), lane("sink", 0.05, 0, 0.9)]
    equal("the model", words.verdict("enrich", limits, 0.5),
          ("The model limits enrich", "It was busy 97 % of the time. Meanwhile: the poll thread blocked 80 %, the text workers blocked 70 % "
           "and the sink threads starved 90 % of the time."))
    equal("the input", words.verdict("p", [lane("poll", 0.02, 0, 0.9), lane("sink", 0.1)], 0.1)[0], "p waited for its input")
    equal("the cores", words.verdict("p", [lane("poll", 0.1, 0.5), lane("text", 0.5)], 0.93)[0], "The cores limit p")
    equal("nothing", words.verdict("p", [lane("poll", 0.1, 0.1), lane("text", 0.5)], 0.3)[0], "No part of p is at its limit")
    equal("cores of one's own", words.contention(100, 95), "")
    equal("somebody else's cores", words.contention(100, 30).startswith("The cores were not theirs alone"), True)
    equal("unknown", words.verdict("p", [], None)[0], "No stage times were recorded")


def names():
    for value, wanted in ((0, "0 s"), (3.3e-7, "330 ns"), (0.0123, "12.3 ms"), (12.5, "12.5 s"), (600, "10 min"), (8000, "2 h 13 min")):
        equal(f"{value} s", words.seconds(value), wanted)
    for value, wanted in ((999, "999"), (1234567, "1.23 M"), (5e9, "5 G")):
        equal(str(value), words.short(value), wanted)
    equal("escaped", words.escape("<a href='x'>&\""), "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;")
    equal("grey for nothing", figures.label_colours(["not-hate", "hate"]), ["quiet", "c0"])
    equal("many labels", len(set(figures.label_colours([f"topic {i}" for i in range(20)]))), figures.N_COLOURS)


def large_topology():
    places = [{"rank": r, "host": f"n{r // 8}", "device": f"GPU-{r % 8}", "numa": str(r % 8 // 4), "cpus": f"{16 * (r % 8)}-{16 * (r % 8) + 15}"}
              for r in range(64)]
    for width in (500, 346):
        drawing = figures.topology(width, places)
        equal("drawn hardware threads", sum("hardware thread" in mark for mark in drawing.marks), 6 * 8 * 16)
        equal("the rest is counted", any("and 2 more hosts" in mark for mark in drawing.marks), True)


for case in (sums_over_time, edges_and_steps, percentiles, samples, arithmetic, heads_of_other_kinds, settings, verdicts, names, large_topology):
    case()
print("\n".join(wrong), file=sys.stderr)
sys.exit(1 if wrong else 0)
