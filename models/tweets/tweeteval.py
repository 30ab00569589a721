"""The labelled splits, without any validation text in any training set, and TweetEval's metrics."""
import os
import pathlib
import re
import sys
import tarfile
from dataclasses import dataclass

from sklearn.metrics import f1_score, recall_score

from normalise import normalise

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "datasets"))
from leaks import find, fold, unescape  # noqa: E402

HEADS = ("sentiment", "emotion", "irony", "hate", "offensive")


@dataclass
class Split:
    texts: list
    labels: list


@dataclass
class Task:
    label_names: list
    train: Split
    val: Split


def data_dir():
    root = pathlib.Path(__file__).resolve().parents[2]
    return pathlib.Path(os.environ.get("DUNLIN_DATA", root.parent / "shared" / "data"))


def read_archive(name, wanted):
    """{member: lines} of the members of data file `name` whose path matches `wanted`."""
    with tarfile.open(data_dir() / name, "r:xz") as tar:
        members = [m for m in tar if m.isfile() and re.search(wanted, m.name)]
        return {m.name: tar.extractfile(m).read().decode().rstrip("\n").split("\n") for m in members}


def semeval_sentiment(label_names):
    files = read_archive("semeval2017-task4.tar.xz", r"Subtask_A/downloaded/.*\.tsv$")
    rows = [line.split("\t") for name in sorted(files) for line in files[name]]
    by_fold = {fold(row[2]): row for row in rows if len(row) > 2 and row[1] in label_names}
    unique = by_fold.values()
    return Split([unescape(row[2]) for row in unique], [label_names.index(row[1]) for row in unique])


def without(split, folds):
    kept = [(t, y) for t, y in zip(split.texts, split.labels) if fold(t) not in folds]
    return Split([t for t, _ in kept], [y for _, y in kept])


def load_tasks():
    files = read_archive("tweeteval.tar.xz", rf"datasets/({'|'.join(HEADS)})/")
    files = {tuple(name.split("/")[-2:]): lines for name, lines in files.items()}

    def split(head, part):
        labels = [int(y) for y in files[head, f"{part}_labels.txt"]]
        texts = files[head, f"{part}_text.txt"]
        if len(texts) != len(labels):
            raise SystemExit(f"{head}/{part}: {len(texts)} texts, {len(labels)} labels")
        return Split(texts, labels)

    tasks = {}
    for head in HEADS:
        names = [line.split("\t")[1].strip() for line in files[head, "mapping.txt"] if line.strip()]
        train = semeval_sentiment(names) if head == "sentiment" else split(head, "train")
        tasks[head] = Task(names, train, split(head, "val"))
    sentiment = tasks["sentiment"].val
    sentiment.texts = [unescape(t) for t in sentiment.texts]
    held_out = {fold(t) for task in tasks.values() for t in task.val.texts}
    for task in tasks.values():
        task.train = without(task.train, held_out)
        for part in (task.train, task.val):
            part.texts = [normalise(t) for t in part.texts]
    check_no_leak(tasks)
    return tasks


def check_no_leak(tasks):
    """Stops the program if a validation text of any head is in any training set, compared as folded."""
    held_out = [t for task in tasks.values() for t in task.val.texts]
    leaks = {head: len(find(task.train.texts, held_out)[0]) for head, task in tasks.items()}
    if any(leaks.values()):
        raise SystemExit(f"validation texts in training sets: {leaks}")


def score(head, labels, predicted):
    """TweetEval's metric of one head, in percent."""
    if head == "sentiment":
        value = recall_score(labels, predicted, average="macro")
    elif head == "irony":
        value = f1_score(labels, predicted, pos_label=1)
    else:
        value = f1_score(labels, predicted, average="macro")
    return 100 * value


def score_all(tasks, predict):
    """{head: score on validation} of predict(head, texts), with their mean."""
    scores = {h: score(h, t.val.labels, predict(h, t.val.texts)) for h, t in tasks.items()}
    return scores | {"mean": sum(scores.values()) / len(scores)}
