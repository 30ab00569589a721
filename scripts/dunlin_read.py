#!/usr/bin/env python3
"""Read Dunlin's HDF5 results, a file or an output folder, into numpy or pandas (frame() only).

    rows = dunlin_read.read("out/tweets")        # dict: column name -> numpy array
    frame = dunlin_read.frame("out/tweets")      # pandas, a column per class of every score
    python3 dunlin_read.py out/tweets [ROWS]     # prints the first rows
"""
import pathlib
import sys

import h5py
import numpy as np


def column(item):
    """One column: texts as str, enums as their labels, numbers as they are."""
    if isinstance(item, h5py.Group):  # text: UTF-8 bytes and where each one ends
        data, ends = item["bytes"][()].tobytes(), item["offsets"][()]
        return np.array([data[a:b].decode("utf-8", "replace") for a, b in zip(ends, ends[1:])], dtype=object)
    names = h5py.check_enum_dtype(item.dtype)
    if names:
        table = np.full(256, None, dtype=object)
        table[list(names.values())] = [n.decode() if isinstance(n, bytes) else n for n in names]
        return table[item[()]]
    return item[()]


def files(path, kind="rows"):
    """The result files of an output folder by partition and offset; a file is itself."""
    path = pathlib.Path(path)
    order = lambda file: (str(file.parent.parent), int(file.parent.name), file.name)
    return [path] if path.is_file() else sorted((path / kind).rglob("*.h5"), key=order)


def read(path, kind="rows"):
    """All columns, joined over the files: {"records/text": array, "scores/sentiment": array [row, class], ...}."""
    parts = []
    for name in files(path, kind):
        with h5py.File(name, "r") as file:
            parts.append({f"{g}/{c}": column(item) for g in file for c, item in file[g].items()})
    return {c: np.concatenate([p[c] for p in parts if c in p]) for c in dict.fromkeys(c for p in parts for c in p)}


def frame(path, kind="rows"):
    """The same as a pandas DataFrame: scores become one column per class, named by its label."""
    import pandas as pd

    with h5py.File(files(path, kind)[0], "r") as file:
        labels = {f"scores/{n}": list(d.attrs.get("labels", [])) for n, d in file.get("scores", {}).items()}
    wide = {}
    for name, values in read(path, kind).items():
        table = values.T if values.ndim == 2 else [values]
        names = labels.get(name) or range(len(table))
        wide |= {f"{name}/{label}" if values.ndim == 2 else name: part for label, part in zip(names, table)}
    return pd.DataFrame(wide)


if __name__ == "__main__":
    rows = read(sys.argv[1])
    for i in range(min(int(sys.argv[2]) if len(sys.argv) > 2 else 10, len(next(iter(rows.values()), [])))):
        print({name: values[i].tolist() if hasattr(values[i], "tolist") else values[i] for name, values in rows.items()})
