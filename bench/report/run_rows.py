"""What a run found: labels by head and language, dead letters by stage and reason. No text of a record is read."""
import collections
import pathlib

import h5py
import numpy as np

SAMPLE_ROWS = 1 << 20  # beyond this many rows, evenly spread pieces are read
PIECES = 8  # a file
LANGUAGES = 7  # shown apart; the rest is "other"
CODE_BYTES = 12  # of a language; what is longer is no code and counts as "other"


def files(folder):
    return sorted(pathlib.Path(folder).rglob("*.h5"))


def pieces(n_rows, share):
    """Ranges of rows: all of them, or evenly spread ones that make up `share`."""
    if share >= 1:
        return [(0, n_rows)]
    length = max(1, int(n_rows * share / PIECES))
    begins = np.unique(np.linspace(0, max(0, n_rows - length), PIECES).astype(int))
    return [(int(b), min(n_rows, int(b) + length)) for b in begins]


def short_texts(group, begin, end):
    """Texts of at most CODE_BYTES bytes as an array of bytes; longer ones are b"?"."""
    offsets = group["offsets"][begin:end + 1].astype(np.int64)
    data = group["bytes"][offsets[0]:offsets[-1]]
    lengths = np.diff(offsets)
    at = (offsets[:-1] - offsets[0])[:, None] + np.arange(CODE_BYTES)
    table = np.where(np.arange(CODE_BYTES) < lengths[:, None], np.append(data, 0)[np.minimum(at, len(data))], 0)
    texts = np.ascontiguousarray(table.astype(np.uint8)).view(f"S{CODE_BYTES}").ravel()
    return np.where(lengths > CODE_BYTES, b"?", texts)


def count_piece(file, begin, end, counts, names):
    languages = file.get("records/language")
    if languages is None:
        codes, which = np.array([b""]), np.zeros(end - begin, np.int64)
    else:
        codes, which = np.unique(short_texts(languages, begin, end), return_inverse=True)
    for head, item in file["labels"].items():
        if not isinstance(item, h5py.Dataset) or not h5py.check_enum_dtype(item.dtype):
            continue  # heads that say something about tokens, or several labels a row
        labels = sorted(h5py.check_enum_dtype(item.dtype).items(), key=lambda pair: pair[1])
        names.setdefault(head, [name for name, _ in labels])
        n, place = len(labels), np.zeros(256, np.int64)  # values need not follow each other: (none) is 255
        place[[value for _, value in labels]] = np.arange(n)
        table = np.bincount(which * n + place[item[begin:end]], minlength=len(codes) * n).reshape(-1, n)
        for code, row in zip(codes, table):
            key = (head, code.decode("utf-8", "replace"))
            counts[key] = counts.get(key, 0) + row


def head_table(head, names, counts):
    """{"labels", "all", "languages": [(code, counts), ...]}, the most frequent languages first."""
    rows = {code: row for (name, code), row in counts.items() if name == head}
    order = sorted(rows, key=lambda code: -rows[code].sum())
    known = [code for code in order if code not in ("", "?")][:LANGUAGES]
    shown = [(code, rows[code].tolist()) for code in known]
    rest = [rows[code] for code in order if code not in known]
    if rest:
        shown.append(("other" if known else "all", sum(rest).tolist()))
    total = sum(rows.values())
    used = [i for i, name in enumerate(names) if name != "(none)" or total[i]]
    only = lambda row: [row[i] for i in used]
    return {"labels": only(names), "all": only(total.tolist()), "languages": [(code, only(row)) for code, row in shown]}


def labels(output):
    """Label counts per head, and how many of how many rows they were counted on."""
    found, counts, names, read = [], {}, {}, 0
    for path in files(output / "rows"):
        with h5py.File(path, "r") as file:
            if "labels" in file:
                found.append((path, int(file.attrs["n_rows"])))
    total = sum(n for _, n in found)
    share = min(1.0, SAMPLE_ROWS / total) if total else 1.0
    for path, n_rows in found:
        with h5py.File(path, "r") as file:
            for begin, end in pieces(n_rows, share):
                if end > begin:
                    count_piece(file, begin, end, counts, names)
                    read += end - begin
    return {"rows": total, "rows_read": read, "heads": {head: head_table(head, names[head], counts) for head in names}}


def texts(group):
    data, ends = group["bytes"][()].tobytes(), group["offsets"][()]
    return [data[a:b].decode("utf-8", "replace") for a, b in zip(ends, ends[1:])]


def dead_letters(output):
    """[(pipeline, stage, reason, count)], the most frequent first."""
    counts = collections.Counter()
    for path in files(output / "dead"):
        with h5py.File(path, "r") as file:
            pipeline = str(file.attrs["pipeline"])
            pairs = zip(texts(file["records/stage"]), texts(file["records/reason"]))
            counts.update((pipeline, stage[:40], reason[:80]) for stage, reason in pairs)
    return [(*key, n) for key, n in counts.most_common()]
