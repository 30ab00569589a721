#!/usr/bin/env python3
"""Reference rows of the suites: majority, a linear SVM and fastText on the very train and validation texts of suites.py.

    baselines.py [SUITE ...] [--tasks TASK ...] [--suites DIR] [--fasttext]    writes datasets/references.json anew for these

One model a task, one a label where texts have several: word 1-2-grams and character 2-5-grams for the SVM. The figures are kept with a digest of the texts they
were measured on, so that suites.py can tell when they are not those of its own. `pip install -r models/tweets/requirements.txt`.
"""
import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "datasets"), str(ROOT / "models" / "tweets")]

from normalise import normalise  # noqa: E402
from suites import REFERENCES, digests  # noqa: E402


def majority(texts, labels):
    model = DummyClassifier(strategy="most_frequent").fit(texts, labels)
    return model.predict


def linear(labels):
    """An SVM on words and letters, one a label where texts have several."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+", dtype=np.float32)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True, dtype=np.float32)
    one = LinearSVC(C=0.2, class_weight="balanced", random_state=1)
    return make_pipeline(make_union(words, chars), OneVsRestClassifier(one) if np.ndim(labels) == 2 else one)


def svm(texts, labels):
    return linear(labels).fit(texts, labels).predict


def fast_text(texts, labels):
    import fasttext
    names = sorted(set(labels))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for text, label in zip(texts, labels):
            file.write(f"__label__{names.index(label)} {' '.join(text.lower().split())}\n")
        file.flush()
        model = fasttext.train_supervised(file.name, lr=0.3, epoch=15, wordNgrams=2, minn=2, maxn=5, dim=50, bucket=500_000,
                                          thread=1, seed=1, verbose=0)

    def predict(texts):
        found, _ = model.predict([" ".join(t.lower().split()) for t in texts])
        return [names[int(labels[0].removeprefix("__label__"))] for labels in found]

    return predict


def read(path):
    """({task: settings}, {task: [row]}, rows as suites.py counts them)."""
    lines = [json.loads(line) for line in path.open(encoding="utf-8")]
    tasks = {line["task"]: line for line in lines if "task" in line and "text" not in line}
    rows = [line for line in lines if "text" in line and "outside" not in line]
    return tasks, {task: [r for r in rows if r["task"] == task] for task in tasks}, rows


def as_seen(rows):
    """The texts as a model sees them."""
    return [normalise(row["text"]) for row in rows]


def score(task, right, decided):
    """The publisher's metric in percent, by the same definitions as src/model/metrics.h."""
    if task.get("metric") == "accuracy":
        return 100 * accuracy_score(right, decided)
    if task.get("metric") == "recall":
        return 100 * recall_score(right, decided, average="macro", labels=sorted(set(right)))
    if np.ndim(right) == 2:
        labels = np.flatnonzero((right | decided).any(axis=0))
    else:
        labels = task.get("of") or sorted(set(right) | set(decided))
    return 100 * f1_score(right, decided, average="macro", labels=labels)


def targets(train, validation):
    """Labels as scikit-learn wants them: words, or a column of 0 and 1 for each label where texts have several."""
    if "label" in train[0]:
        return [r["label"] for r in train], [r["label"] for r in validation]
    columns = MultiLabelBinarizer().fit([r["labels"] for r in train + validation])
    return columns.transform([r["labels"] for r in train]), columns.transform([r["labels"] for r in validation])


def measure(name, directory, models, only):
    """{task or pool: (its digest, {model: score})}."""
    tasks, validation, rows = read(directory / f"{name}.jsonl")
    _, train, _ = read(directory / f"{name}.train.jsonl")
    digest_of, found, pools, fitted = digests(tasks.values(), rows), {}, {}, {}
    for task, settings in tasks.items():
        learned = task if train.get(task) else settings.get("head")
        labelled = train.get(learned)
        if not labelled or (only and not {task, settings.get("pool")} & only):
            continue
        found[task] = digest_of[task], {}
        labels, right = targets(labelled, validation[task])
        for model, fit in models.items():
            started = time.monotonic()
            if (model, learned) not in fitted:
                fitted[model, learned] = fit(as_seen(labelled), labels)
            decided = fitted[model, learned](as_seen(validation[task]))
            found[task][1][model] = round(score(settings, right, decided), 1)
            if "pool" in settings and (not only or settings["pool"] in only):
                pooled = pools.setdefault(settings["pool"], {}).setdefault(model, (settings, [], []))
                pooled[1].extend(right)
                pooled[2].extend(decided)
            print(f"{name} {task}: {model} {found[task][1][model]} ({time.monotonic() - started:.0f} s)", flush=True)
    for pool, models in pools.items():
        found[pool] = digest_of[pool], {model: round(score(*pooled), 1) for model, pooled in models.items()}
    return found


def merge(measured, found):
    """The figures of these tasks, and of the others as they were."""
    for task, (rows, scores) in found.items():
        measured["rows"][task] = rows
        for model, score in scores.items():
            measured["models"].setdefault(model, {})[task] = score


def lines_of(known):
    """JSON with a model a line."""
    def group(kind, rows):
        models = ",\n".join(f"   {json.dumps(model)}: {json.dumps(scores)}" for model, scores in rows["models"].items())
        rest = "".join(f"{json.dumps(k)}: {json.dumps(v)}, " for k, v in rows.items() if k != "models")
        return f'  "{kind}": {{{rest}"models": {{\n{models}\n  }}}}'

    suites = [f' "{name}": {{\n' + ",\n".join(group(kind, rows) for kind, rows in kinds.items()) + "\n }" for name, kinds in known.items()]
    return "{\n" + ",\n".join(suites) + "\n}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["tweets", "languages", "mail"], metavar="SUITE")
    parser.add_argument("--tasks", nargs="+", default=[], metavar="TASK", help="these tasks or pools alone; the others' figures stay")
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites")
    parser.add_argument("--fasttext", action="store_true", help="fastText too")
    args = parser.parse_args()
    models = {"majority": majority, "linear SVM": svm} | ({"fastText": fast_text} if args.fasttext else {})
    for name in args.names:
        found = measure(name, args.suites, models, set(args.tasks))
        known = json.loads(REFERENCES.read_text())
        merge(known[name]["measured"], found)
        REFERENCES.write_text(lines_of(known))


if __name__ == "__main__":
    main()
