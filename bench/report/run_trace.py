"""What a run recorded about itself: all segments of all ranks of OUT/trace/<run>, on one axis of seconds."""
import dataclasses
import json
import pathlib

import h5py
import numpy as np

MISSING = np.iinfo(np.int64).min  # how the trace writes "no value"
NO_LABEL = 255  # the value of an enum that stands for none
TABLES = ("batches", "system", "flow", "queues", "labels", "stages")


class NothingThere(Exception):
    """The path is no run; the text says what it should be."""


@dataclasses.dataclass
class Run:
    folder: pathlib.Path
    output: pathlib.Path
    attributes: dict  # root attributes of the first segment
    places: list  # of /topology, a dict per rank
    plan: str  # the binding plan as printed
    pipelines: list  # names, in the order of the job
    tables: dict  # name -> {column: array}, with `rank`, and `t` in seconds since the start
    lower: np.ndarray  # lower bounds of the histograms' buckets
    histograms: dict  # "enrich.response_ns" -> counts, added over the ranks
    summaries: dict  # rank -> its report; a rank that was killed has none
    start_ns: int  # wall clock
    remarks: list  # what a reader should know about the trace itself

    @property
    def ranks(self):
        return sorted({place["rank"] for place in self.places} | {int(r) for r in np.unique(self.tables["system"]["rank"])})

    @property
    def seconds(self):
        """Length of the axis of time: from the opening of the trace to the last sample."""
        return max([float(table["t"].max()) for table in self.tables.values() if len(table.get("t", ()))] or [0.0])

    @property
    def wall_s(self):
        """What the run says that it took; without a summary, the axis."""
        return max([summary["wall_s"] for summary in self.summaries.values()] or [self.seconds])

    def of(self, table, pipeline):
        """The rows of a table that belong to a pipeline."""
        rows = self.tables[table]
        return {name: column[rows["pipeline"] == pipeline] for name, column in rows.items()}


def column(item):
    if isinstance(item, h5py.Group):
        data, ends = item["bytes"][()].tobytes(), item["offsets"][()]
        return np.array([data[a:b].decode("utf-8", "replace") for a, b in zip(ends, ends[1:])], dtype=object)
    names = h5py.check_enum_dtype(item.dtype)
    if not names:
        return item[()]
    table = np.full(256, "", dtype=object)
    table[list(names.values())] = list(names)
    return table[item[()]]


def find(path):
    """The trace folder that `path` means: itself, or the newest below an output folder."""
    path = pathlib.Path(path)
    if any(path.glob("r[0-9]*-[0-9]*.h5")):
        return path
    runs = [folder for folder in path.glob("trace/*") if any(folder.glob("r[0-9]*-[0-9]*.h5"))]
    if not runs and any(path.glob("**/r[0-9]*.part")):
        raise NothingThere(f"{path}: no segment of its trace is finished: one is every minute and at the end of a run. Is it still "
                           "at work, or was it killed in its first minute?")
    if not runs:
        raise NothingThere(f"{path}: no trace of a run there (no trace/*/r*.h5); give the output folder of "
                           "`dunlin run`, or one folder below its trace/")
    return max(runs, key=lambda folder: (folder.name.split("-")[0], folder.stat().st_mtime))


def read_segment(file):
    """(attributes, tables, histograms, topology rows, plan) of one segment."""
    attributes = dict(file.attrs)
    shift = int(attributes["start_wall_ns"]) - int(attributes["start_mono_ns"])
    tables = {}
    for name in TABLES:
        table = {key: column(item) for key, item in file[name].items()}
        table["rank"] = np.full(len(table["pipeline" if "pipeline" in table else "mono_ns"]), int(attributes["rank"]))
        clock = table.get("mono_ns", table.get("closed_mono_ns"))
        if clock is not None:
            table["wall_ns"] = clock + shift
        tables[name] = table
    places = {key: column(item) for key, item in file["topology"].items()}
    places = [{key: values[i] for key, values in places.items()} for i in range(len(places["rank"]))]
    histograms = {key: item[()] for key, item in file.get("histograms", {}).items()}
    pipelines = {name: i for name, i in h5py.check_enum_dtype(file["flow/pipeline"].dtype).items() if i != NO_LABEL}
    plan = str(file["topology"].attrs.get("text", ""))
    return attributes, tables, histograms, places, plan, sorted(pipelines, key=pipelines.get)


def joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def read(path):
    folder = find(path)
    segments, remarks = [], []
    for name in sorted(folder.glob("r*.h5")):
        try:
            with h5py.File(name, "r") as file:
                segments.append(read_segment(file))
        except (OSError, KeyError, ValueError) as error:
            remarks.append(f"{name.name} cannot be read and is left out: {error}")
    if not segments:
        raise NothingThere(f"{folder}: none of its segments can be read: {remarks[0]}")
    histograms, lower, summaries = {}, np.zeros(0, np.uint64), {}
    for attributes, _, hists, *_ in segments:
        lower = hists.pop("lower", lower)
        for key, counts in hists.items():
            histograms[key] = histograms.get(key, 0) + counts
        if "summary" in attributes:
            summaries[int(attributes["rank"])] = json.loads(attributes["summary"])
    start = min(int(attributes["start_wall_ns"]) for attributes, *_ in segments)
    tables = {name: joined([tables[name] for _, tables, *_ in segments]) for name in TABLES}
    for table in tables.values():
        if "wall_ns" in table:
            table["t"] = (table["wall_ns"] - start) / 1e9
    attributes, _, _, places, plan, pipelines = segments[0]
    run = Run(folder, folder.parent.parent, attributes, places, plan, pipelines, tables, lower, histograms, summaries,
              start, remarks)
    silent = [rank for rank in run.ranks if rank not in summaries]
    if silent:
        run.remarks.append(f"{len(silent)} of {len(run.ranks)} ranks left no summary (rank {silent[0]} first): the run was "
                           "killed, or is still at work. What follows is what had been recorded.")
    return run
