"""dunlin model fit against scikit-learn's LogisticRegression on the same embeddings, on cuts of BANKING77 and CLINC150.

  build/peers/bin/python bench/peers/fit.py --dunlin build/release/dunlin [--labels 20] [--examples 50] [--seeds 3]

Needs the two archives in $DUNLIN_DATA, and scikit-learn. Per seed, labels and their examples are drawn anew; what is left of the
labels, at most 50 texts each, is the test set. Vectors come from `dunlin model score` on a copy of the model whose heads are embeddings; both learn
on the same ones, brought to mean 0 and deviation 1, with the strength (C) that `fit` chose by cross-validation.
"""
import argparse
import collections
import csv
import io
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import tarfile
import tempfile

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

TEST_TEXTS = 50


def members(archive, suffix):
    with tarfile.open(pathlib.Path(os.environ["DUNLIN_DATA"]) / archive) as tar:
        for member in tar:
            if member.name.endswith(suffix):
                return tar.extractfile(member).read().decode()
    raise SystemExit(f"{archive}: has no {suffix}")


def banking():
    return [(row["text"], row["category"]) for row in csv.DictReader(io.StringIO(members("banking77.tar.xz", "train.csv")))]


def clinc():
    data = json.loads(members("clinc150.tar.xz", "data_full_train_val.json"))
    return [(text, label) for part in ("train", "val") for text, label in data[part]]


def cut(pairs, n_labels, n_examples, seed):
    """Train and test texts of labels that have enough of both; a text stands once."""
    draw = random.Random(seed)
    by_label = collections.defaultdict(list)
    for text, label in dict(pairs).items():
        by_label[label].append(" ".join(text.split()))
    labels = draw.sample(sorted(label for label, texts in by_label.items() if len(texts) >= n_examples + 20), n_labels)
    train, test = [], []
    for label in labels:
        texts = draw.sample(by_label[label], len(by_label[label]))
        train += [(text, label) for text in texts[:n_examples]]
        test += [(text, label) for text in texts[n_examples:n_examples + TEST_TEXTS]]
    return train, test


def score(dunlin, model, texts):
    """A JSON object for each text."""
    run = subprocess.run([dunlin, "model", "score", model, "--backend", "fp32"], input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def vectors(dunlin, model, folder, texts):
    """What a head of the model sees, through a copy whose heads are embeddings."""
    copy = pathlib.Path(folder) / "embeddings"
    if not copy.exists():
        shutil.copytree(model, copy)
        config = json.loads((copy / "config.json").read_text())
        config["dunlin"]["heads"] = [{"name": part, "kind": "embedding", "pooling": part, "l2": False} for part in config["dunlin"]["pooling"]]
        (copy / "config.json").write_text(json.dumps(config))
        order.extend(config["dunlin"]["pooling"])
    return np.array([np.concatenate([row["embeddings"][part] for part in order]) for row in score(dunlin, copy, texts)])


order = []


def fit_dunlin(dunlin, model, folder, train, test, seed):
    """What it decides for the test texts, CPU seconds of the fit, and by kind the F1 that it expects and the strength."""
    examples, out = pathlib.Path(folder) / f"{seed}.jsonl", pathlib.Path(folder) / f"{seed}.model"
    examples.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in train))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([dunlin, "model", "fit", model, "--head", "mine", "--examples", examples, "--kind", "encoder", "--backend", "fp32", "--out", out],
                         capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    expected = {line.split()[0]: (float(line.split()[1]), float(line.split()[-1])) for line in run.stdout.splitlines() if line.startswith(("encoder ", "n-grams "))}
    decided = [row["labels"]["mine"] for row in score(dunlin, out, [text for text, _ in test])]
    return decided, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, expected


def fit_sklearn(x_train, train, x_test, strength):
    scaler = StandardScaler().fit(x_train)
    learner = LogisticRegression(C=strength, max_iter=1000)
    learner.fit(scaler.transform(x_train), [label for _, label in train])
    return learner.predict(scaler.transform(x_test))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dunlin", default="build/release/dunlin")
    parser.add_argument("--model", default="models/tweets")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'data':10} {'seed':>4} {'train':>6} {'test':>5}  {'dunlin F1':>9} {'sklearn F1':>10} {'dunlin acc':>10} {'sklearn acc':>11} {'expected F1':>11} "
          f"{'n-grams F1':>10} {'CPU s':>6}")
    for name, pairs in (("banking77", banking()), ("clinc150", clinc())):
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                order.clear()
                train, test = cut(pairs, options.labels, options.examples, seed)
                right = [label for _, label in test]
                ours, seconds, expected = fit_dunlin(options.dunlin, options.model, folder, train, test, seed)
                x_train = vectors(options.dunlin, options.model, folder, [text for text, _ in train])
                x_test = vectors(options.dunlin, options.model, folder, [text for text, _ in test])
                theirs = fit_sklearn(x_train, train, x_test, expected["encoder"][1])
                figures = [100 * measure(right, decided) for measure in (lambda a, b: f1_score(a, b, average="macro"), accuracy_score)
                           for decided in (ours, theirs)]
                print(f"{name:10} {seed:4} {len(train):6} {len(test):5}  {figures[0]:9.2f} {figures[1]:10.2f} {figures[2]:10.2f} {figures[3]:11.2f} "
                      f"{expected['encoder'][0]:11.1f} {expected['n-grams'][0]:10.1f} {seconds:6.1f}", flush=True)


if __name__ == "__main__":
    main()
