#!/usr/bin/env python3
"""Makes the suite by which a model that tells languages is judged: build/suites/detection.jsonl.

    detection.py [--data DIR] [--suites DIR]
    dunlin model eval models/languages detection

`tweets` are UMSAB's validation texts (suites.py languages) with their language as label; `sentences`, `pairs` and `words` every fifth of
lingua-testdata in the languages that the model knows. Nothing of either was trained on.
"""
import argparse
import json
import os
import pathlib
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TASKS = {"sentences": "sentences", "word-pairs": "pairs", "single-words": "words"}


def lines_of(tar, language, kind):
    folder = {"no": "nb"}.get(language, language)
    return tar.extractfile(f"lingua-testdata/language-models/{folder}/testdata/{kind}.txt").read().decode().split("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("DUNLIN_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites")
    args = parser.parse_args()
    known = json.loads((HERE / "config.json").read_text())["dunlin"]["heads"][0]["labels"]
    rows = [json.loads(line) for line in (args.suites / "languages.jsonl").open(encoding="utf-8")]
    out = [{"task": "tweets", "text": r["text"], "label": r["task"], "slices": {"language": r["task"]}} for r in rows if "text" in r]
    with tarfile.open(pathlib.Path(args.data) / "lingua-testdata.tar.xz", "r:xz") as tar:
        for kind, task in TASKS.items():
            out += [{"task": task, "text": text, "label": language} for language in known for text in lines_of(tar, language, kind) if text.strip()]
    with (args.suites / "detection.jsonl").open("w", encoding="utf-8") as file:
        for row in [{"task": task, "head": "language", "metric": "accuracy"} for task in ("tweets", *TASKS.values())] + out:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
