"""What the linear row of the suite says of the train texts, for heads that can learn from it; train.py --teachers reads it.

  linear.py    writes build/train/linear.npz: each text's probabilities by a model that was fitted on the other folds

The SVM of ../baselines.py, whose margins become probabilities by one temperature a head. Not for topic and risk, of which hashtags and names of
crises say nearly all in the train texts and little in others.
"""
import sys

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import StratifiedKFold

from tasks import FIVE, ROOT, TARGETS, load_heads

sys.path.append(str(ROOT / "models"))
from baselines import linear  # noqa: E402

HEADS = (*FIVE, "emoji", *(f"stance_{target}" for target in TARGETS))
FOLDS = 4
PATH = ROOT / "build" / "train" / "linear.npz"


def margins(model, texts):
    found = model.decision_function(texts)
    return found if found.ndim == 2 else np.stack([-found, found], axis=1)


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def out_of_fold(head):
    """[rows, labels] probabilities of a head's train texts."""
    texts, right = np.array([text for text, _ in head.train], dtype=object), np.array([labels[0] for _, labels in head.train])
    found = np.zeros((len(texts), len(head.labels)))
    for fitted, judged in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(texts, right):
        found[judged] = margins(linear(right[fitted]).fit(texts[fitted], right[fitted]), texts[judged])

    def loss(scale):
        return -np.log(softmax(scale * found)[np.arange(len(right)), right]).mean()

    return softmax(minimize_scalar(loss, bounds=(0.3, 20), method="bounded").x * found).astype(np.float32)


def read_scores(heads):
    """{head: probabilities of its train texts}, in their order."""
    if not PATH.exists():
        raise SystemExit(f"{PATH} is missing: python models/tweets/linear.py")
    scores = dict(np.load(PATH))
    for head in heads:
        if head.name in scores and len(scores[head.name]) != len(head.train):
            raise SystemExit(f"{PATH} is of other texts: python models/tweets/linear.py")
    return scores


def main():
    PATH.parent.mkdir(parents=True, exist_ok=True)
    np.savez(PATH, **{head.name: out_of_fold(head) for head in load_heads() if head.name in HEADS})


if __name__ == "__main__":
    main()
