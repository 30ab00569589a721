#!/usr/bin/env python3
"""Tables of a model card for the heads topic, risk, hate and offensive, in Markdown.

    card.py MODEL [--dunlin build/release/dunlin] [--backend int8] [--suites build/suites] [--linear]

Texts are those of suites.py (tweets, identity); the program itself scores them. Intervals are 95 % of 1,000 draws of texts, and of
sentences where texts are one sentence with many names (none of 20 still allows 14 %). --linear adds a row of the linear SVM of
baselines.py, which it trains. `pip install -r models/tweets/requirements.txt`.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "datasets"), str(ROOT / "models"), str(ROOT / "models" / "tweets")]

import identity  # noqa: E402
from baselines import as_seen, linear, read, targets  # noqa: E402

DRAWS = 1000


class Program:
    """Probabilities by `dunlin model score`."""

    def __init__(self, args):
        self.name, self.command = args.model.name, [args.dunlin, "model", "score", args.model, "--backend", args.backend]
        self.heads = {head["name"]: head for head in json.loads((args.model / "config.json").read_text())["dunlin"]["heads"]}

    def above(self, head):
        """The probability above which a label is said: ../README.md, `shift`."""
        return 1 / (1 + np.exp(-self.heads[head].get("shift", 0) / self.heads[head].get("temperature", 1)))

    def scores(self, head, labels, rows):
        """[rows][labels]."""
        text = "".join(" ".join(row["text"].split()) + "\n" for row in rows)
        done = subprocess.run(self.command, input=text, capture_output=True, text=True, check=True)
        found = [json.loads(line)["scores"][head] for line in done.stdout.splitlines()]
        return np.array([[scores[label] for label in labels] for scores in found])


class Linear:
    """Distances from the planes of the linear SVM, as if 0 were 0.5; trained once a head."""
    name = "linear SVM"

    def __init__(self, train):
        self.train, self.fitted = train, {}

    def above(self, _):
        return 0.5

    def scores(self, head, labels, rows):
        if head not in self.fitted:
            known, _ = targets(self.train[head], self.train[head])
            self.fitted[head] = linear(known).fit(as_seen(self.train[head]), known)
        distance = self.fitted[head].decision_function(as_seen(rows))
        return (np.column_stack([-distance, distance]) if distance.ndim == 1 else distance) + 0.5


def draws(n):
    """[DRAWS][n]: how often each of n is in a draw with replacement."""
    return np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=DRAWS)


def interval(values):
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return f"{low:.0f} to {high:.0f}"


def average_precision(right, score, weight):
    """Of each row of `weight` [draws][n]: the mean over positives of the share of positives among all scored as high."""
    order = np.argsort(-score, kind="stable")
    hit = (weight * right)[:, order]
    seen = np.cumsum(weight[:, order], axis=1)
    with np.errstate(invalid="ignore"):
        return (hit * np.cumsum(hit, axis=1) / np.maximum(seen, 1)).sum(1) / hit.sum(1)


def f1(right, decided, weight):
    """[draws]: F1 of the label; NaN where it is neither right nor decided."""
    both, either = weight @ (right & decided), weight @ (right.astype(int) + decided)
    with np.errstate(invalid="ignore"):
        return 2 * both / either


def above(right, score):
    """How probable it is that a right text has a higher score than a wrong one (AUROC)."""
    place = np.argsort(np.argsort(score, kind="stable")) + 1
    n = right.sum()
    return (place[right].sum() - n * (n + 1) / 2) / (n * (len(right) - n))


# ---- topic ----

def topic_figures(right, score, decided, weight):
    """{figure: [draws]} over all labels."""
    each = [average_precision(right[:, k], score[:, k], weight) for k in range(right.shape[1]) if right[:, k].any()]
    return {"macro F1": np.nanmean([f1(right[:, k], decided[:, k], weight) for k in range(right.shape[1])
                                    if right[:, k].any() or decided[:, k].any()], axis=0),
            "micro F1": 2 * (weight @ (right & decided).sum(1)) / (weight @ (right.sum(1) + decided.sum(1))),
            "mean average precision": np.nanmean(each, axis=0),
            "best label is right": weight @ right[np.arange(len(right)), score.argmax(1)] / weight.sum(1)}


def topic(models, validation, labels):
    for task, language in (("topic", "English"), ("topic-es", "Spanish")):
        rows = validation[task]
        right = np.array([[label in row["labels"] for label in labels] for row in rows])
        whole, weight = np.ones((1, len(rows)), int), draws(len(rows))
        scores = {model.name: model.scores("topic", labels, rows) for model in models}
        said = {model.name: scores[model.name] > model.above("topic") for model in models}
        figures = topic_figures(right, right.astype(float), right, whole)
        print(f"\n{len(rows)} gold texts in {language}, percent:\n\n| | " + " | ".join(figures) + " |\n" + "|---" * 5 + "|")
        for name, score in scores.items():
            values, spread = (topic_figures(right, score, said[name], w) for w in (whole, weight))
            print(f"| {name} | " + " | ".join(f"{100 * values[k][0]:.1f} ({interval(100 * spread[k])})" for k in values) + " |")
        print("\n| topic | texts | chance | " + " | ".join(f"{name}: average precision | F1" for name in scores) + " | above chance |\n"
              + "|---|--:|--:|" + "--:|--:|" * len(scores) + "---|")
        for k, label in enumerate(labels):
            cells, sure = [], False
            for i, (name, score) in enumerate(scores.items()):
                spread = average_precision(right[:, k], score[:, k], weight)
                value = average_precision(right[:, k], score[:, k], whole)[0]
                sure = sure if i else np.nanpercentile(spread, 2.5) > right[:, k].mean()
                cells += [f"{100 * value:.0f} ({interval(100 * spread)})", f"{100 * f1(right[:, k], said[name][:, k], whole)[0]:.0f}"]
            print(f"| {label} | {right[:, k].sum()} | {100 * right[:, k].mean():.0f} | " + " | ".join(cells) + f" | {'yes' if sure else 'no'} |")


# ---- risk ----

def risk(models, validation, labels):
    groups = {}
    for row in validation["risk"]:
        groups.setdefault(row["slices"]["crisis"], []).append(row)
    print("\nmacro F1 of whole crises that no training text is of, percent; AUROC:\n\n| crisis | texts | on-topic | "
          + " | ".join(model.name for model in models) + " |\n|---|--:|--:|" + "--:|" * len(models))
    found = {model.name: [] for model in models}
    for crisis, rows in groups.items():
        right, weight = np.array([row["label"] == "on-topic" for row in rows]), draws(len(rows))
        cells = []
        for model in models:
            score = model.scores("risk", labels, rows)[:, labels.index("on-topic")]
            decided = score > 0.5
            values = [np.nanmean([f1(right, decided, w), f1(~right, ~decided, w)], axis=0) for w in (np.ones((1, len(rows)), int), weight)]
            found[model.name].append(100 * values[0][0])
            cells.append(f"{100 * values[0][0]:.1f} ({interval(100 * values[1])}); {100 * above(right, score):.0f}")
        print(f"| {crisis} | {len(rows):,} | {100 * right.mean():.0f} % | " + " | ".join(cells) + " |")
    for name, of in (("mean", np.mean), ("worst", np.min)):
        print(f"| {name} | | | " + " | ".join(f"{of(found[model.name]):.1f}" for model in models) + " |")


# ---- identity words ----

def identity_words(model):
    rows = identity.test_rows()
    texts, kinds, slices, sentence = (np.array(column) for column in zip(*rows))
    names, unseen = np.array([s["group"] for s in slices]), np.array([s["term"] == "unseen" for s in slices])
    said = {head: model.scores(head, [head], [{"text": text} for text in texts])[:, 0] > 0.5 for head in ("hate", "offensive")}

    def share(head, pick):
        """Percent that the head is said of, with the interval over sentences."""
        of = np.unique(sentence[pick], return_inverse=True)[1]
        hit, n = np.bincount(of, said[head][pick]), np.bincount(of)
        weight = draws(len(n))
        return f"{100 * hit.sum() / n.sum():.1f} ({interval(100 * (weight @ hit) / (weight @ n))})"

    print("\nShare called so, percent; of harmless sentences that is the false-positive rate:\n\n"
          "| sentences | group | texts | hate | offensive |\n|---|---|--:|--:|--:|")
    for kind in dict.fromkeys(kinds):
        picks = {"all": kinds == kind, "names not in training": (kinds == kind) & unseen}
        picks |= {group: (kinds == kind) & (names == group) for group in identity.TERMS if kind == "harmless"}
        for name, pick in picks.items():
            print(f"| {kind} | {name} | {pick.sum()} | {share('hate', pick)} | {share('offensive', pick)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--dunlin", type=pathlib.Path, default=ROOT / "build" / "release" / "dunlin")
    parser.add_argument("--backend", default="int8")
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites")
    parser.add_argument("--linear", action="store_true", help="a linear SVM beside it, trained here: minutes")
    args = parser.parse_args()
    heads = {head["name"]: head["labels"] for head in json.loads((args.model / "config.json").read_text())["dunlin"]["heads"]}
    _, validation, _ = read(args.suites / "tweets.jsonl")
    models = [Program(args)]
    if args.linear:
        models.append(Linear(read(args.suites / "tweets.train.jsonl")[1]))
    if "topic" in heads:
        topic(models, validation, heads["topic"])
    if "risk" in heads:
        risk(models, validation, heads["risk"])
    if {"hate", "offensive"} <= set(heads):
        identity_words(models[0])


if __name__ == "__main__":
    main()
