"""dunlin report RUN [-o page.html]: one offline page about a run. Started by src/cmd/report.c."""
import argparse
import os
import pathlib
import sys

# error numbers and exit statuses of src/base/errors.def
DATA, NO_INPUT, UNAVAILABLE, CANT_CREATE = (1101, 65), (1301, 66), (1404, 69), (1601, 73)


def die(error, text):
    number, status = error
    print(f"dunlin: E{number} {text}", file=sys.stderr)
    sys.exit(status)


os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # only finished files are read, also where locks are not to be had
try:
    import h5py  # noqa: F401
    import numpy  # noqa: F401
except ImportError as error:
    die(UNAVAILABLE, f"{sys.executable} lacks {error.name}: the page needs Python with h5py and numpy. In the source tree "
        "`scripts/python` makes build/venv with both, which is then found by itself; elsewhere: pip install h5py numpy")

import measures
import page
import run_rows
import run_trace


def write(path, text):
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        die(CANT_CREATE, f"{path}: cannot be written: {error.strerror}")


def main():
    parser = argparse.ArgumentParser(prog="dunlin report", description=__doc__)
    parser.add_argument("run", help="output folder of a run (its newest trace), or one folder below trace/")
    parser.add_argument("-o", dest="page", type=pathlib.Path, help="where to write (default: report.html in the output folder)")
    args = parser.parse_args()
    try:
        run = run_trace.read(args.run)
        labels, letters = run_rows.labels(run.output), run_rows.dead_letters(run.output)
    except run_trace.NothingThere as error:
        die(NO_INPUT, error)
    except (OSError, KeyError) as error:
        die(DATA, f"{args.run}: a result file cannot be read ({error}); `dunlin verify` says which")
    if not any(len(table["t"]) for name, table in run.tables.items() if name != "stages"):
        die(DATA, f"{run.folder}: the trace is empty: the run ended before anything was recorded")
    where = args.page or run.output / "report.html"
    write(where, page.render(measures.take(run, labels, letters), str(run.attributes.get("resolved_job", ""))))
    print(where)


main()
