#!/usr/bin/env python3
"""Recount an output folder from its files, independently of Dunlin: h5py reads, Python counts.

    recount.py OUT [--ids FILE] [--id-column records/id] [--json]

Checks, per topic and partition: files named by their first offset, ranges [first_offset, next_offset) that follow each
other without hole or overlap, no offset twice, offsets inside their file's range, columns of equal length,
records_in = rows_out + repeats_dropped + filtered + dead_letters, and as many dead letters in OUT/dead as the rows files
count for their ranges. With --ids, the ids of rows and dead letters may appear once only, and every id of the list (one a
line) that is neither a row nor dropped (repeat, filtered, dead) is missing: the numbers must meet. Exit 1 when anything does
not add up, 2 when there is nothing to count."""
import argparse
import collections
import json
import pathlib
import sys

import h5py

COUNTS = ["records_in", "rows_out", "repeats_dropped", "filtered", "dead_letters"]
problems = []


def problem(path, text):
    problems.append(f"{path}: {text}")


def column(file, path):
    """Values of a column as a list; texts as bytes."""
    item = file[path]
    if isinstance(item, h5py.Group):
        data, ends = item["bytes"][()].tobytes(), item["offsets"][()].tolist()
        return [data[a:b] for a, b in zip(ends, ends[1:])]
    return item[()].tolist()


def lengths(file):
    """Rows of every column: {path: n}."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            if name.endswith("/offsets"):
                found[name] = item.shape[0] - 1
                total = file[name[: -len("offsets")] + "bytes"].shape[0]
                if item[0] != 0 or item[-1] != total:
                    problem(file.filename, f"{name} runs from {item[0]} to {item[-1]} over {total} bytes")
            elif not name.endswith("/bytes"):
                found[name] = item.shape[0]

    file.visititems(visit)
    return found


def read(path, id_column, dead):
    with h5py.File(path, "r") as file:
        a = file.attrs
        part = {name: int(a[name]) for name in COUNTS + ["first_offset", "next_offset", "n_rows", "partition"]}
        part |= {name: a[name] for name in ("topic", "pipeline", "schema_name")}
        part["path"] = path
        part["offsets"] = column(file, "records/offset")
        part["ids"] = column(file, id_column) if not dead and id_column in file else []
        if int(a["complete"]) != 1:
            problem(path, "is not complete")
        for name, n in lengths(file).items():
            if n != part["n_rows"]:
                problem(path, f"{name} has {n} rows instead of {part['n_rows']}")
    if part["records_in"] != sum(part[c] for c in COUNTS[1:]):
        problem(path, "its counts do not add up")
    if part["n_rows"] != part["dead_letters" if dead else "rows_out"]:
        problem(path, f"holds {part['n_rows']} rows and counts {part['dead_letters' if dead else 'rows_out']}")
    if part["first_offset"] != int(path.stem) or str(part["partition"]) != path.parent.name:
        problem(path, "is not what its name and folder say")
    return part


def check_partition(parts, dead):
    seen = None
    last = -1
    for part in parts:
        first, after = part["first_offset"], part["next_offset"]
        if seen is not None and (first < seen or (first > seen and not dead)):
            problem(part["path"], f"begins at offset {first}, the file before it ends at {seen}")
        seen = after
        for offset in part["offsets"]:
            if offset <= last or not first <= offset < after:
                problem(part["path"], f"offset {offset} is there twice, out of order or out of range")
                break
            last = offset


def partitions(root, id_column, dead):
    """{(pipeline or "", topic, partition): [file, ...]}"""
    found = collections.defaultdict(list)
    for path in sorted(root.rglob("*.h5"), key=lambda p: (str(p.parent), p.name)):
        part = read(path, id_column, dead)
        found[(part["pipeline"], part["topic"], part["partition"])].append(part)
    for parts in found.values():
        check_partition(parts, dead)
    return found


def check_letters(rows, dead):
    for key, parts in rows.items():
        offsets = [o for part in dead.get(key, []) for o in part["offsets"]]
        for part in parts:
            n = sum(part["first_offset"] <= o < part["next_offset"] for o in offsets)
            if n != part["dead_letters"]:
                problem(part["path"], f"counts {part['dead_letters']} dead letters, OUT/dead holds {n}")


def check_ids(rows, expected, sums):
    ids = collections.Counter(str(i.decode() if isinstance(i, bytes) else i)
                              for parts in rows.values() for part in parts for i in part["ids"])
    twice = [i for i, n in ids.items() if n > 1]
    strangers = [i for i in ids if i not in expected]
    dropped = sums["repeats_dropped"] + sums["filtered"] + sums["dead_letters"]
    if twice:
        problem("ids", f"{len(twice)} are there more than once, such as {twice[:3]}")
    if strangers:
        problem("ids", f"{len(strangers)} were not expected, such as {strangers[:3]}")
    if len(expected) - len(ids) != dropped or sums["records_in"] != len(expected):
        problem("ids", f"{len(expected)} expected, {len(ids)} are rows, {dropped} were dropped with a reason")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--ids", type=pathlib.Path, help="expected ids, one a line")
    parser.add_argument("--id-column", default="records/id")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = partitions(args.output / "rows", args.id_column, False)
    dead = partitions(args.output / "dead", args.id_column, True)
    if not rows and not dead:
        print(f"{args.output}: no result files", file=sys.stderr)
        return 2
    if rows:
        check_letters(rows, dead)
    sums = {c: sum(p[c] for parts in rows.values() for p in parts) for c in COUNTS}
    if args.ids:
        check_ids(rows, set(args.ids.read_text().split()), sums)
    table = [{"pipeline": k[0], "topic": k[1], "partition": k[2], "files": len(v)}
             | {c: sum(p[c] for p in v) for c in COUNTS} for k, v in sorted(rows.items())]
    if args.json:
        print(json.dumps({"sums": sums, "partitions": table, "problems": problems}))
    else:
        print(f"{'topic':24} {'part':>5} {'files':>6} " + " ".join(f"{c:>15}" for c in COUNTS))
        for t in table + [{"topic": "sum", "partition": "", "files": sum(t["files"] for t in table)} | sums]:
            print(f"{t['topic']:24} {t['partition']:>5} {t['files']:>6} " + " ".join(f"{t[c]:>15}" for c in COUNTS))
        for line in problems:
            print(line, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
