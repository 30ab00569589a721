"""From tables to the numbers on the page: everything that is drawn stands in the one dictionary that `take` returns, which
the page also carries as JSON. Counters of ranks are added, histograms merged; percentiles are never averaged."""
import numpy as np

import words
from run_trace import MISSING
from svg import nice_step

MAX_POINTS = 120  # of a curve over time
MIN_POINTS = 12
MAX_DRIFT_CURVES = 6  # of the columns that changed most
MAX_RANK_CURVES = 8  # beyond, only the sum is drawn
BATCHES_A_POINT = 4  # so that bars show shares and not single batches
SAMPLE_S = 1.0  # between two rows of /flow, /queues and /system
BUCKETS_AN_OCTAVE = 4  # of a latency histogram on the page; the trace has 32
CPU_TIME = "CPU time"
FATES = ("rows_out", "repeats_dropped", "filtered", "dead_letters")


def settings(resolved, path):
    """The values of the resolved job under a path of keys; list items are entered by their key, models of a list by theirs."""
    at = []
    for line in resolved.splitlines():
        bare = line.lstrip(" ")
        if bare == "-":
            continue
        key, _, value = bare.removeprefix("- ").partition(":")
        depth = len(line) - len(bare) + 2 * bare.startswith("- ")
        at = [(d, k) for d, k in at if d < depth] + [(depth, key)]
        if [k for _, k in at] == path and value.strip():
            yield value.strip().strip('"')


def setting(resolved, path):
    """The first of them, None when there is none."""
    return next(settings(resolved, path), None)


# ---- over time


def step_of(run, at_least_s=0.0):
    """Seconds a point: a round number, so that there are MIN_POINTS to MAX_POINTS of them."""
    wanted = min(max(run.seconds / MAX_POINTS, at_least_s), run.seconds / MIN_POINTS)
    return max(0.01, nice_step(wanted, 1))


def edges_of(run, step):
    """Bin edges from 0 to the end; a last bin of under half a step joins the one before it."""
    end = max(run.seconds, step)
    edges = np.append(np.arange(0, end - step / 2, step), end)
    return edges if len(edges) > 1 else np.array([0.0, end])


def spread(begin, end, weight, edges):
    """Sums of weights between edges, each weight spread evenly from its begin to its end."""
    end = np.maximum(end, begin + 1e-6)
    rate = weight / (end - begin)
    at = np.concatenate([begin, end])
    order = np.argsort(at, kind="stable")
    at, change = at[order], np.concatenate([rate, -rate])[order]
    done = np.concatenate([[0.0], np.cumsum(np.cumsum(change)[:-1] * np.diff(at))])
    return np.diff(np.interp(edges, at, done))


def models_of(run, pipeline):
    """Names of its models in the order in which they score."""
    return next(([m["name"] for m in p["models"]] for s in run.summaries.values() for p in s["pipelines"]
                 if p["name"] == pipeline), ["model"])


def rate_by_rank(run, pipeline):
    """Records per second: each batch of the last model spread over its forward pass; where there are none, from the counter in /flow."""
    batches, flow = run.of("batches", pipeline), run.of("flow", pipeline)
    from_batches = len(batches["t"]) > 0
    if from_batches:
        last = batches["model"].astype(str) == models_of(run, pipeline)[-1]
        batches = {name: values[last] for name, values in batches.items()} if last.any() else batches
    edges = edges_of(run, step_of(run, 0.0 if from_batches else SAMPLE_S))
    by_rank = {}
    for rank in run.ranks:
        if from_batches:
            own = batches["rank"] == rank
            begin = batches["t"][own]
            counts = spread(begin, begin + batches["model_ns"][own] / 1e9, (batches["rows"] + batches["reused"])[own], edges) \
                if own.any() else np.zeros(len(edges) - 1)
        else:
            own = flow["rank"] == rank
            at = np.interp(edges, np.append(0, flow["t"][own]), np.append(0, flow["records_in"][own]))
            counts = np.diff(at)
        by_rank[rank] = counts / np.diff(edges)
    return {"from": "batches" if from_batches else "flow", "edges_s": rounded(edges, 3),
            "sum": rounded(sum(by_rank.values()), 1),
            "ranks": {str(r): rounded(v, 1) for r, v in by_rank.items()} if len(by_rank) <= MAX_RANK_CURVES else {}}


def rounded(values, digits):
    return [round(float(value), digits) for value in values]


def batches_over_time(run, pipeline):
    rows = run.of("batches", pipeline)
    if not len(rows["t"]):
        return None
    edges = edges_of(run, step_of(run, run.seconds * BATCHES_A_POINT / len(rows["t"])))
    held = np.histogram(rows["t"], edges, weights=rows["tokens"])[0]
    could = np.histogram(rows["t"], edges, weights=rows["budget_tokens"])[0]
    names, which = np.unique(rows["reason"].astype(str), return_inverse=True)
    by_reason = {name: np.histogram(rows["t"][which == i], edges)[0].tolist() for i, name in enumerate(names)}
    return {"edges_s": rounded(edges, 3),
            "fill": [round(float(h / c), 4) if c else None for h, c in zip(held, could)], "by_reason": by_reason,
            "tokens_p50": int(np.median(rows["tokens"])), "rows_p50": int(np.median(rows["rows"])),
            "wait_p50_s": float(np.median(rows["wait_ns"])) / 1e9, "forecast_error": forecast_error(rows)}


def forecast_error(rows):
    """Median distance of the predicted from the actual forward pass, as a share of it; None where nothing was predicted."""
    took = np.where(rows["device_ns"] > 0, rows["device_ns"], rows["model_ns"])  # the device's time where there is one
    some = (rows["predicted_ns"] > 0) & (took > 0)
    if not some.any():
        return None
    return float(np.median(np.abs(rows["predicted_ns"][some] / took[some] - 1)))


def queue_key(rows):
    """A queue's place among the queues of its sample: two rings of a pipeline may have one name."""
    keys, at, last = [], 0, None
    for sample in zip(rows["rank"], rows["mono_ns"]):
        at = at + 1 if sample == last else 0
        keys.append(at)
        last = sample
    return np.array(keys, dtype=int)


def queues_over_time(run, pipeline):
    rows = run.of("queues", pipeline)
    if not len(rows["t"]):
        return None
    edges = edges_of(run, max(step_of(run), min(SAMPLE_S, run.seconds / 4)))
    where, queues = queue_key(rows), []
    for i in range(where.max() + 1):
        own = where == i
        depth = np.histogram(rows["t"][own], edges, weights=rows["depth"][own])[0]
        capacity = np.histogram(rows["t"][own], edges, weights=rows["capacity"][own])[0]
        queues.append({"name": str(rows["queue"][own][0]), "capacity": int(rows["capacity"][own][0]),
                       "fill": [round(float(d / c), 3) if c else None for d, c in zip(depth, capacity)]})
    return {"edges_s": rounded(edges, 3), "queues": queues}


def system_over_time(run):
    rows, curves = run.tables["system"], {}
    for rank in run.ranks[:MAX_RANK_CURVES]:
        own = rows["rank"] == rank
        t, cpu = rows["t"][own], (rows["cpu_user_ns"] + rows["cpu_system_ns"])[own] / 1e9
        if not len(t):
            continue
        thin = slice(None, None, max(1, len(t) // MAX_POINTS))
        late = np.diff(t) > 0.05
        curves[str(rank)] = {"t": rounded(t[thin], 2), "rss_bytes": rows["rss_bytes"][own][thin].tolist(),
                             "cpu_t": rounded(t[1:][late][thin], 2),
                             "cores": rounded((np.diff(cpu)[late] / np.diff(t)[late])[thin], 2)}
    energy = rows["energy_uj"]
    joules = None
    if len(energy) and (energy != MISSING).all():
        joules = float(max(np.ptp(energy[rows["rank"] == rank]) for rank in run.ranks)) / 1e6
    return {"ranks": curves, "joules": joules}


# ---- drift


def drifting(run, pipeline):
    """What the summaries say of each column that was compared: of several ranks the one that is furthest from the baseline."""
    out, nulls = {}, {}
    for told in (p for s in run.summaries.values() for p in s["pipelines"] if p["name"] == pipeline):
        for row in told["labels"]:
            sums = nulls.setdefault(row["column"], {"undecided": 0, "null": 0, "null_language": 0})
            for name in sums:
                sums[name] += row[name]
        for row in told["drift"]:
            kept = out.get(row["column"])
            most = row if kept is None or row["psi_max"] > kept["psi_max"] else kept
            out[row["column"]] = {**most, "psi": max(row["psi"], kept["psi"] if kept else 0.0)}
    return [row | nulls[name] for name, row in sorted(out.items(), key=lambda pair: -pair[1]["psi_max"])]


def drift_over_time(run, pipeline):
    """How far each column was from the baseline, as it was sampled, and the share of what changed most in it; None without one."""
    columns = drifting(run, pipeline)
    if not columns:
        return None
    rows, step = run.of("labels", pipeline), max(step_of(run), SAMPLE_S)
    at, curves = (rows["t"] // step).astype(int), {}
    for row in columns[:MAX_DRIFT_CURVES]:
        own = rows["column"] == row["column"]
        points = [own & (at == i) for i in np.unique(at[own])]
        curves[row["column"]] = {"t": [round(float(rows["t"][p].max()), 2) for p in points],
                                 "psi": [round(float(np.nan_to_num(rows["psi"][p]).max()), 4) for p in points],
                                 "share": [round(float(rows["count"][p & (rows["label"] == row["label"])].sum() / rows["count"][p].sum()), 4) for p in points]}
    return {"columns": columns, "curves": curves}


# ---- where the time went


def waited(run, pipeline):
    """{queue's place: (name, blocked s, starved s)}: the counters' last values, added over the ranks."""
    rows, out = run.of("queues", pipeline), {}
    if not len(rows["t"]):
        return out
    where = queue_key(rows)
    for rank in np.unique(rows["rank"]):
        own = rows["rank"] == rank
        for i in np.unique(where[own]):
            last = np.flatnonzero(own & (where == i))[-1]
            name, blocked, starved = out.get(int(i), ("", 0.0, 0.0))
            out[int(i)] = (str(rows["queue"][last]), blocked + float(rows["blocked_ns"][last]) / 1e9,
                           starved + float(rows["starved_ns"][last]) / 1e9)
    return out


def parts_of(run, pipeline, models):
    """Parts of a pipeline in their order with busy time and threads, added over the ranks, each with its crew."""
    rows, parts = run.of("stages", pipeline), {}
    for rank in np.unique(rows["rank"]):
        own = np.flatnonzero(rows["rank"] == rank)
        for at, i in enumerate(own):
            part = parts.setdefault(at, {"name": str(rows["name"][i]), "threads": 0, "busy_s": 0.0, "chunks": 0, "rows": 0})
            part["threads"] += int(rows["threads"][i])
            part["busy_s"] += float(rows["busy_ns"][i]) / 1e9
            part["chunks"] += int(rows["calls"][i])
            part["rows"] += int(rows["rows"][i])
    ordered = [parts[at] for at in sorted(parts)]
    n_stages, n_sinks = n_listed(run, pipeline, "stages"), n_listed(run, pipeline, "sinks")
    first_sink = len(ordered) - n_sinks - 1  # the last are the dead letters
    for at, part in enumerate(ordered):
        part["crew"] = "poll" if at == 0 else "text" if at <= n_stages else \
            "model" if part["name"] in models and at <= n_stages + len(models) else "prepare" if at < first_sink else "sink"
    return ordered


def n_listed(run, pipeline, kind):
    """How many `stages` or `sinks` of a pipeline the resolved job lists."""
    n, inside = 0, []
    for line in str(run.attributes.get("resolved_job", "")).splitlines():
        indent = len(line) - len(line.lstrip())
        inside = inside[:indent // 2] + [line.strip().rstrip(":")]
        n += line.startswith("      - ") and inside[:3] == ["pipelines", pipeline, kind]
    return n


def lanes_of(run, pipeline):
    """How each crew of threads spent its time: shares of busy, blocked (the next queue was full), starved (nothing to do)
    and other. The poll thread is blocked while no chunk is free, and starved while its source has nothing."""
    queues = waited(run, pipeline)
    models = models_of(run, pipeline)
    parts = parts_of(run, pipeline, models)
    lanes, order = [], [crew for crew in ("poll", "text", "model", "prepare", "sink") if any(p["crew"] == crew for p in parts)]
    walls = {rank: next((p["wall_s"] for p in s["pipelines"] if p["name"] == pipeline), run.seconds)
             for rank, s in run.summaries.items()}
    wall = sum(walls.values()) / len(walls) if walls else run.seconds
    for i, crew in enumerate(order):
        own = [part for part in parts if part["crew"] == crew]
        threads = sum(part["threads"] for part in own) if crew in ("model", "sink") else max(part["threads"] for part in own)
        threads -= own[-1]["threads"] if crew == "sink" else 0  # the dead letters are the first sink's
        time = max(threads * wall, 1e-9)
        after = order[i + 1] if i + 1 < len(order) else None
        empties = {"text": ["text", "ordered"], "model": models, "sink": [q[0] for q in queues.values() if q[0].startswith("sink")]}
        firsts = {"model": models[:1], "sink": ["sink"]}
        fills = firsts.get(after, empties.get(after, [after]))
        fills += models[1:] if crew == "model" else []
        into = [q for q in queues.values() if q[0] in empties.get(crew, [crew])]
        out = [q for q in queues.values() if q[0] in fills]
        free = [q for q in queues.values() if q[0] == "free"] if crew == "poll" else []
        lane = {"crew": crew, "threads": threads, "busy": min(1.0, sum(part["busy_s"] for part in own) / time),
                "blocked": (sum(q[1] for q in out) + sum(q[2] for q in free)) / time,
                "starved": sum(q[2] for q in into) / time,
                "parts": [(part["name"], part["busy_s"] / time) for part in own]}
        lane["blocked"] = min(lane["blocked"], 1 - lane["busy"])
        rest = 1 - lane["busy"] - lane["blocked"]
        lane["starved"] = rest if crew == "poll" else min(lane["starved"], rest)
        lane["other"] = rest - lane["starved"]
        lanes.append({key: round(value, 4) if isinstance(value, float) else value for key, value in lane.items()})
    return lanes, parts


# ---- counts, latency, ceilings


def counts_of(run, pipeline):
    """Numbers of a pipeline, added over the ranks' summaries; where there is none, from what was sampled."""
    rows = [p for summary in run.summaries.values() for p in summary["pipelines"] if p["name"] == pipeline]
    flow = run.of("flow", pipeline)
    last = [np.flatnonzero(flow["rank"] == rank)[-1] for rank in np.unique(flow["rank"])]
    wall = max([row["wall_s"] for row in rows] or [run.seconds])
    counts = {name: sum(row[name] for row in rows) if rows else None
              for name in FATES + ("rows_scored", "rows_reused", "tokens_scored", "batches", "flops", "model_s", "model_threads")}
    counts |= {name: sum(row.get(name, 0) for row in rows) for name in ("rows_other_language", "tokens_saved")}
    counts |= {"records_in": int(sum(flow["records_in"][last])), "tokens": int(sum(flow["tokens"][last])), "wall_s": wall}
    budget = int(run.of("batches", pipeline)["budget_tokens"].sum())
    held = int(run.of("batches", pipeline)["tokens"].sum())
    counts |= {"fill": held / budget if budget else None,
               "closed_by": {key: sum(row["closed_by"][key] for row in rows) for key in rows[0]["closed_by"]} if rows else {}}
    return counts


def goal_of(run, pipeline, latency):
    """The time asked for (slo), whether the p95 over all ranks is within it, and the share of rows that came too late to the
    model already; None for throughput."""
    rows = [p for s in run.summaries.values() for p in s["pipelines"] if p["name"] == pipeline and "slo_s" in p]
    if not rows or "response" not in latency:
        return None
    scored = sum(row["rows_scored"] + row["rows_reused"] for row in rows)
    return {"slo_s": rows[0]["slo_s"], "held": latency["response"]["p95_s"] <= rows[0]["slo_s"],
            "late": sum(row["slo_rows_late"] for row in rows) / max(scored, 1)}


def latency_of(run, pipeline):
    out = {}
    for kind in ("response", "service"):
        counts = run.histograms.get(f"{pipeline}.{kind}_ns")
        if counts is None or not counts.sum():
            continue
        group = 32 // BUCKETS_AN_OCTAVE
        coarse = counts[:len(counts) // group * group].reshape(-1, group).sum(axis=1)
        lower = run.lower[::group][:len(coarse)]
        some = np.flatnonzero(coarse)
        some = np.arange(max(some[0] - 1, 0), min(some[-1] + 2, len(coarse)))
        out[kind] = {"n": int(counts.sum()), "lower_s": [float(v) / 1e9 for v in lower[some]], "counts": coarse[some].tolist(),
                     **{f"p{round(100 * q)}_s": words.quantile(run.lower, counts, q) for q in (0.5, 0.95, 0.99)}}
    return out


def cpu_list(text):
    """"0-3,8" -> [0, 1, 2, 3, 8]"""
    out = []
    for piece in filter(None, text.split(",")):
        first, _, last = piece.partition("-")
        if first.isdigit() and (last or first).isdigit():
            out.extend(range(int(first), min(int(last or first), int(first) + 1023) + 1))
    return out


# where a model computes: name of its measured peak, of the time that it computed, and words
PLACES = (("peak_gflops_per_core", "model_s", "Arithmetic of the model, while it scores", 1e9, "GFLOP/s a thread", "GFLOP/s a core",
           "a loop of the same instructions"),
          ("peak_gflops_per_device", "device_busy_s", "Arithmetic of the model, while the GPU computes", 1e12, "TFLOP/s a GPU", "TFLOP/s",
           "a large matrix product"))


def arithmetic_of(run, main):
    """A row for each kind of place that models of the pipeline computed in."""
    models = [m for s in run.summaries.values() for p in s["pipelines"] if p["name"] == main for m in p["models"]]
    rows = []
    for key, time, name, unit, rate, ceiling, how in PLACES:
        own = [m for m in models if m.get(key) and m["flops"] and m.get(time)]
        flops, spent_s = sum(m["flops"] for m in own), sum(m[time] for m in own)
        if own:
            rows.append({"name": name, "share": flops / sum(m[time] * m[key] * 1e9 for m in own),
                         "value": f"{flops / spent_s / unit:.1f} {rate}",
                         "ceiling": f"{np.mean([m[key] for m in own]) * 1e9 / unit:.1f} {ceiling}, {how} timed at the end of this run"})
    return rows or [{"name": PLACES[0][2], "share": None, "value": "", "ceiling": "not measured"}]


def ceilings_of(run, main):
    """Share of what this machine was measured to be able to do; None where that was not measured in this run."""
    n_cpus = len({(place["host"], cpu) for place in run.places for cpu in cpu_list(place["cpus"])})
    cpu_s = sum(s["cpu_s"] for s in run.summaries.values())
    wall = max([s["wall_s"] for s in run.summaries.values()] or [0])
    rows = [*arithmetic_of(run, main),
            {"name": CPU_TIME, "share": cpu_s / (wall * n_cpus) if wall and n_cpus and run.summaries else None,
             "value": f"{cpu_s / wall:.2f} cores on average" if wall else "",
             "ceiling": f"{words.plural(n_cpus, 'hardware thread')} in the binding plan" if n_cpus else "not measured"}]
    for name in ("Memory bandwidth", "Disk bandwidth", "Network bandwidth"):
        rows.append({"name": name, "share": None, "value": "", "ceiling": "not measured in this run"})
    return rows


def contention_of(run, pipelines):
    """A sentence when something else used the ranks' cores. Threads that wait for an accelerator say nothing about that."""
    if any(place["device"] for place in run.places) or len(run.summaries) < len(run.ranks):
        return ""
    busy_s = sum(part["busy_s"] for p in pipelines for part in p["parts"] if part["crew"] in ("text", "model", "prepare"))
    return words.contention(busy_s, sum(s["cpu_s"] for s in run.summaries.values()))


def what_ran(run, main):
    a, resolved = run.attributes, str(run.attributes.get("resolved_job", ""))
    sources = [setting(resolved, ["pipelines", name, "source", "corpus", "path"]) for name in run.pipelines]
    hosts = sorted({place["host"] for place in run.places})
    kernels = sorted({s.get("kernels", "") for s in run.summaries.values()} - {"", "none"})
    return {"job": str(a.get("job", "")), "run": str(a["run_id"]), "ranks": len(run.ranks), "hosts": hosts,
            "broker": setting(resolved, ["broker"]) or "", "corpus": next(filter(None, sources), None),
            "model": ", ".join(settings(resolved, ["pipelines", main, "model", "path"])) or None, "model_sha256": str(a.get("model_sha256", "")),
            "kernels": kernels, "machine": str(a.get("machine", "")), "creator": str(a.get("creator", "")),
            "git_commit": str(a.get("git_commit", "")), "librdkafka": str(a.get("librdkafka", "")), "hdf5": str(a.get("hdf5", "")),
            "start_wall_ns": run.start_ns, "drained": any(s["drained"] for s in run.summaries.values()),
            "ended": len(run.summaries) == len(run.ranks)}


def main_pipeline(run):
    """The one whose numbers stand for the job: with a model, else with batches, else the last."""
    with_batches = [name for name in run.pipelines if (run.tables["batches"]["pipeline"] == name).any()]
    return (with_batches or run.pipelines)[-1]


def pipeline_of(run, name, cpu_share):
    lanes, parts = lanes_of(run, name)
    headline, why = words.verdict(name, lanes, cpu_share)
    latency = latency_of(run, name)
    return {"name": name, "counts": counts_of(run, name), "lanes": lanes, "parts": parts, "verdict": headline, "why": why,
            "latency": latency, "goal": goal_of(run, name, latency), "rate": rate_by_rank(run, name),
            "drift": drift_over_time(run, name), "batches": batches_over_time(run, name), "queues": queues_over_time(run, name)}


def take(run, labels, letters):
    main = main_pipeline(run)
    ceilings = ceilings_of(run, main)
    cpu_share = next(row["share"] for row in ceilings if row["name"] == CPU_TIME)
    pipelines = [pipeline_of(run, name, cpu_share) for name in run.pipelines if len(run.of("flow", name)["t"])]
    return {"schema": "dunlin.report/1", "what": what_ran(run, main), "main": main, "wall_s": run.wall_s,
            "pipelines": pipelines, "contention": contention_of(run, pipelines),
            "system": system_over_time(run), "places": run.places, "plan": run.plan, "ceilings": ceilings,
            "rss_bytes_max": max([s["rss_bytes_max"] for s in run.summaries.values()] or [int(run.tables["system"]["rss_bytes"].max())]),
            "labels": labels, "dead_letters": letters[:200], "remarks": run.remarks}
