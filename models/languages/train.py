#!/usr/bin/env python3
"""Trains the two linear models on n-grams that answer for texts in other languages than English.

    train.py language|sentiment --out DIR [--suites DIR] [--data DIR]

`language` tells which of 41 languages a text is in: naive Bayes on made-up texts (stop words of stopwords-iso, and words that a chain
of letters makes of the n-gram counts in the package langdetect), on the tweets of UMSAB's train part, and for English on tweets of the
corpus of three days that its publisher says are English. `sentiment` is a linear SVM a language on UMSAB's train part, with weights that
all languages share and weights of their own. README.md says what was tried.
Both are functions of their inputs: no seed, no machine. `pip install -r models/languages/requirements.txt`; one core, half a minute.
"""
import argparse
import collections
import csv
import importlib.util
import json
import lzma
import os
import pathlib
import random
import sys
import tarfile

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import save_file
from scipy.optimize import minimize_scalar
from sklearn.svm import LinearSVC

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "models" / "tweets"), str(ROOT / "models" / "languages")]

from ngrams import BUCKETS, HALF, RULE, matrix  # noqa: E402
from normalise import normalise  # noqa: E402

CLASSES = ["negative", "neutral", "positive"]
SERVED = ["ar", "de", "es", "fr", "hi", "it", "pt"]
TAUGHT = SERVED + ["en"]  # English tweets teach what all languages share
KNOWN = ("ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv nl no pl pt ro ru sk sl sq sv th tl tr uk ur vi zh").split()

SHARED, STRENGTH, SENTIMENT_COLUMNS = 0.7, 0.2, 30_000
MADE_UP, LONGEST_WORD, SMOOTHING, LANGUAGE_COLUMNS = 500, 14, 1.0, 10_000
TWEETS_SHARE = collections.defaultdict(lambda: 0.3, hi=2.0)  # Hindi tweets are in Latin letters, made-up ones are not
SURE = 0.3
SAYS_NOTHING = "http @user rt " + " ".join("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u2026\u2018\u2019\u201c\u201d\u2013\u2014\u00ab\u00bb 0123456789")


def read(path):
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    return [row for row in rows if "text" in row]


def held_out(n):
    """Every fifth text, to find temperatures by."""
    return np.arange(n) % 5 == 0


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def temperature(z, y):
    """Under which the right labels are most probable."""
    loss = lambda t: -np.log(softmax(z / np.exp(t))[np.arange(len(y)), y] + 1e-12).mean()  # noqa: E731
    return float(np.exp(minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def strongest(weight, often, n):
    """Buckets that change scores most, rising."""
    spread = np.abs(weight - weight.mean(1, keepdims=True)).max(1) * np.sqrt(often)
    return np.sort(np.argsort(-spread, kind="stable")[:n]).astype(np.int32)


def write(out, heads, tensors, **dunlin):
    out.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "dunlin-ngrams", "dunlin": {"ngrams": RULE, "normalise": "tweeteval"} | dunlin | {"heads": heads}}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, out / "model.safetensors")


# ---- language ----

def letters(language):
    """{two characters: [(the next, how often)]} of langdetect's counts, with the blank that begins and ends a word."""
    folder = pathlib.Path(importlib.util.find_spec("langdetect").submodule_search_locations[0]) / "profiles"
    if language in ("ja", "ko", "zh") or not (folder / language).exists():
        return None  # langdetect counts classes of their characters
    follow = collections.defaultdict(collections.Counter)
    for gram, n in json.loads((folder / language).read_text())["freq"].items():
        gram = gram.lower()
        if len(gram) == 2 and gram[0] == " " != gram[1]:
            follow[" "][gram[1]] += n
        elif len(gram) == 3 and gram[1] != " ":
            follow[gram[:2]][gram[2]] += n
    return {key: (list(c), list(c.values())) for key, c in follow.items()}


def word(follow, chance):
    made = " " + chance.choices(*follow[" "])[0]
    while len(made) < LONGEST_WORD and made[-2:] in follow:
        made += chance.choices(*follow[made[-2:]])[0]
        if made[-1] == " ":
            break
    return made.strip()


def made_up(language, stop_words, chance):
    """Texts of 3 to 16 words."""
    follow, stops = letters(language), [w for w in stop_words.get(language, []) if " " not in w]
    pools = [(stops, 0.5)] if stops else []
    if follow:
        pools.append(([word(follow, chance) for _ in range(3 * MADE_UP)], 0.5))
    lists, weights = zip(*pools)
    return [" ".join(chance.choice(chance.choices(lists, weights)[0]) for _ in range(chance.randint(3, 16))) for _ in range(MADE_UP)]


def shares(x, y):
    """[labels][buckets]: of all that a label's texts hold, words and runs apart."""
    sums = np.stack([np.asarray(x[y == k].sum(0)).ravel() for k in range(len(KNOWN))])
    for half in (slice(0, HALF), slice(HALF, BUCKETS)):
        sums[:, half] /= np.maximum(sums[:, half].sum(1, keepdims=True), 1e-9)
    return sums


def bayes(x, y, tweets, of_tweets):
    share = np.array([TWEETS_SHARE[l] if (of_tweets == k).any() else 0 for k, l in enumerate(KNOWN)])[:, None]
    mixed = (shares(x, y) + share * shares(tweets, of_tweets)) / (1 + share)
    logs = np.log((mixed + SMOOTHING * mixed.mean(0)) / (1 + SMOOTHING) + 1e-8)
    weight = (logs - logs.mean(0)).T.astype(np.float32)
    weight[matrix([SAYS_NOTHING]).indices] = 0
    return weight, mixed.mean(0)


def stop_words_of(data):
    with tarfile.open(data / "lexicons.tar.xz", "r:xz") as tar:
        return json.loads(tar.extractfile("lexicons/stopwords-iso/stopwords-iso.json").read())


def english(data):
    """Every tenth tweet that the corpus says is English: a machine said so, and is right about English."""
    with lzma.open(data / "ira_3days_2017-08-15_17.csv.xz", "rt", encoding="utf-8", newline="") as file:
        texts = [row["content"] for row in csv.DictReader(file) if row["language"] == "English"]
    return [normalise(text.lstrip("'")) for text in texts[::10]]


def train_language(args):
    stop_words = stop_words_of(args.data)
    chance = random.Random(1)
    texts = [(l, t) for l in KNOWN for t in made_up(l, stop_words, chance)]
    x, y = matrix([t for _, t in texts]), np.array([KNOWN.index(l) for l, _ in texts])
    rows = read(args.suites / "languages.train.jsonl")
    more = english(args.data)
    tweets = matrix([normalise(r["text"]) for r in rows] + more)
    of_tweets = np.array([KNOWN.index(r["task"]) for r in rows] + [KNOWN.index("en")] * len(more))
    held = held_out(len(of_tweets))
    weight, _ = bayes(x, y, tweets[~held], of_tweets[~held])
    held &= of_tweets != KNOWN.index("hi")  # half of their words are English
    scale = temperature(np.asarray(tweets[held] @ weight), of_tweets[held])
    weight, often = bayes(x, y, tweets, of_tweets)
    kept = strongest(weight, often, LANGUAGE_COLUMNS)
    head = {"name": "language", "kind": "softmax", "labels": KNOWN, "undecided_below": SURE}
    write(args.out, [head], {"ngrams.bucket": kept, "heads.language.weight": (weight[kept] / scale).astype(np.float16),
                             "heads.language.bias": np.zeros(len(KNOWN), np.float32)})


# ---- sentiment ----

def rarity(x, language):
    """[buckets]: larger for what few texts of each language have; 0 for what one text has."""
    has = x.copy()
    has.data[:] = 1
    often = np.stack([np.asarray(has[language == k].sum(0)).ravel() / max(1, (language == k).sum()) for k in range(len(TAUGHT))])
    once = 1 / (language == 0).sum()
    found = 0.2 * (1 - np.log(np.maximum(often.max(0), once)))
    found[np.asarray(has.sum(0)).ravel() < 2] = 0
    return found, often


def side_by_side(x, language):
    """Columns that all languages share, and as many again for each."""
    c = x.tocoo()
    own = sp.csr_matrix((c.data, (c.row, c.col + language[c.row].astype(np.int64) * BUCKETS)), shape=(x.shape[0], len(TAUGHT) * BUCKETS))
    return sp.hstack([x * SHARED, own]).tocsr()


def fit(x, language, y):
    """Weights [languages][buckets][classes] and the bias of each class."""
    rare, often = rarity(x, language)
    wide = side_by_side((x @ sp.diags(rare.astype(np.float32))).tocsr(), language)
    used = np.flatnonzero(np.bincount(wide.indices, minlength=wide.shape[1]))
    svm = LinearSVC(C=STRENGTH, random_state=1).fit(wide[:, used], y)
    weight = np.zeros((1 + len(TAUGHT), BUCKETS, len(CLASSES)), np.float32)
    weight.reshape(-1, len(CLASSES))[used] = svm.coef_.T
    return (SHARED * weight[0] + weight[1:]) * rare[None, :, None].astype(np.float32), svm.intercept_, often


def margins(x, language, weight, bias):
    out = np.empty((x.shape[0], len(CLASSES)))
    for k in np.unique(language):
        out[language == k] = x[language == k] @ weight[k] + bias
    return out


def train_sentiment(args):
    rows = [r for r in read(args.suites / "languages.train.jsonl") if r["task"] in TAUGHT]
    x, y = matrix([normalise(r["text"]) for r in rows]), np.array([CLASSES.index(r["label"]) for r in rows])
    language = np.array([TAUGHT.index(r["task"]) for r in rows])
    held = held_out(len(rows))
    weight, bias, _ = fit(x[~held], language[~held], y[~held])
    z = margins(x[held], language[held], weight, bias)
    weight, bias, often = fit(x, language, y)
    heads, tensors = [], {}
    for k, code in enumerate(SERVED):
        scale = temperature(z[language[held] == k], y[held][language[held] == k])
        kept = strongest(weight[k], often[k] + 0.1 * often.mean(0), SENTIMENT_COLUMNS)
        heads.append({"name": "sentiment", "language": code, "kind": "softmax", "labels": CLASSES})
        tensors |= {f"heads.sentiment.{code}.bucket": kept,
                    f"heads.sentiment.{code}.weight": (weight[k][kept] / scale).astype(np.float16),
                    f"heads.sentiment.{code}.bias": (bias / scale).astype(np.float32)}
    write(args.out, heads, tensors, languages=SERVED)


def main():
    data = pathlib.Path(os.environ.get("DUNLIN_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["language", "sentiment"])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites", help="of datasets/suites.py languages")
    parser.add_argument("--data", type=pathlib.Path, default=data, help="the folder of archives")
    args = parser.parse_args()
    {"language": train_language, "sentiment": train_sentiment}[args.model](args)


if __name__ == "__main__":
    main()
