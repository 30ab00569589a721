"""What the model is trained on and judged by: the heads, their labelled rows, and TweetEval's metrics."""
import json
import pathlib
import sys
from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import f1_score, recall_score

from normalise import normalise

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "datasets"))
import identity  # noqa: E402
from leaks import find, fold  # noqa: E402

FIVE = ("sentiment", "emotion", "irony", "hate", "offensive")  # whose mean is reported
TARGETS = ("abortion", "atheism", "climate", "feminist", "hillary")
# Rounds of a head's train rows in one epoch: small sets are seen more often, large ones less.
ROUNDS = {"sentiment": 0.6, "emotion": 2.5, "irony": 2.5, "hate": 1.2, "offensive": 1.2, "emoji": 0.25, "topic": 0.3, "risk": 0.1} | {
    f"stance_{t}": 2.5 for t in TARGETS}


@dataclass
class Head:
    name: str
    kind: str
    labels: list
    first: int  # of its columns among those of all heads
    train: list = field(default_factory=list)  # (text, numbers of its labels: one, or for sigmoid any)
    validation: list = field(default_factory=list)

    @property
    def columns(self):
        return slice(self.first, self.first + len(self.labels))


def read_suite(part):
    """Rows of the suite `tweets` that datasets/suites.py made; "train" has no text that folds to one of validation."""
    path = ROOT / "build" / "suites" / ("tweets.train.jsonl" if part == "train" else "tweets.jsonl")
    if not path.exists():
        raise SystemExit(f"{path} is missing: python datasets/suites.py tweets")
    return [row for row in map(json.loads, path.read_text().splitlines()) if "text" in row]


# In TweetEval's order where it has one.
LABELS = {
    "sentiment": ["negative", "neutral", "positive"],
    "emotion": ["anger", "joy", "optimism", "sadness"],
    "irony": ["non_irony", "irony"],
    "hate": ["not-hate", "hate"],
    "offensive": ["not-offensive", "offensive"],
    "emoji": list("❤😍😂💕🔥😊😎✨💙😘📷") + ["🇺🇸"] + list("☀💜😉💯😁🎄📸😜"),
    "topic": ["arts_&_culture", "business_&_entrepreneurs", "celebrity_&_pop_culture", "diaries_&_daily_life", "family",
              "fashion_&_style", "film_tv_&_video", "fitness_&_health", "food_&_dining", "gaming", "learning_&_educational",
              "music", "news_&_social_concern", "other_hobbies", "relationships", "science_&_technology", "sports",
              "travel_&_adventure", "youth_&_student_life"],
    "risk": ["off-topic", "on-topic"],
} | {f"stance_{target}": ["none", "against", "favor"] for target in TARGETS}


def load_heads():
    heads, first = {}, 0
    for name in ROUNDS:
        heads[name] = Head(name, "sigmoid" if name == "topic" else "softmax", LABELS[name], first)
        first = heads[name].columns.stop
    texts = {}
    for part in ("train", "validation"):
        rows = [row for row in read_suite(part) if row["task"] in heads]
        texts[part] = [row["text"] for row in rows]
        for row in rows:
            head = heads[row["task"]]
            labels = [head.labels.index(label) for label in row.get("labels") or [row["label"]]]
            getattr(head, part).append((normalise(row["text"]), labels))
    for name in ("hate", "offensive"):  # what a group's name alone must not say: datasets/identity.py
        heads[name].train += [(normalise(text), [0]) for text in identity.harmless()]
        heads[name].train += [(normalise(text), [1]) for text in identity.hateful()]
    leaks, _ = find(texts["train"], texts["validation"])
    if leaks:
        raise SystemExit(f"{len(leaks)} validation texts are in the train set: python datasets/suites.py tweets")
    return list(heads.values())


def score(head, right, logits):
    """TweetEval's metric of one head, in percent; macro F1 of the topics."""
    if head.kind == "sigmoid":
        gold = np.array([[n in labels for n in range(len(head.labels))] for labels in right])
        return 100 * f1_score(gold, logits > 0, average="macro", zero_division=0)
    right, decided = [labels[0] for labels in right], logits.argmax(1)
    if head.name == "sentiment":
        return 100 * recall_score(right, decided, average="macro")
    if head.name == "irony":
        return 100 * f1_score(right, decided, pos_label=1)
    return 100 * f1_score(right, decided, average="macro")


def score_all(heads, predict):
    """{head: score on validation} of predict(texts) = logits of all heads; stance pooled over its targets; the mean of five."""
    scores, stance = {}, ([], [])
    for head in heads:
        texts, right = zip(*head.validation)
        logits = np.asarray(predict(texts))[:, head.columns]
        if head.name.startswith("stance_"):
            stance[0].extend(labels[0] for labels in right)
            stance[1].extend(logits.argmax(1))
        else:
            scores[head.name] = score(head, right, logits)
    scores["stance"] = 100 * f1_score(*stance, average="macro", labels=[1, 2])  # of against and favor
    return scores | {"mean": float(np.mean([scores[name] for name in FIVE]))}
