"""Scores a linear SVM and fastText on the splits and metrics of train.py; prints one JSON line each."""
import json
import tempfile

import fasttext
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from tweeteval import load_tasks, score_all


def svm(task):
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+", dtype=np.float32)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True, dtype=np.float32)
    model = make_pipeline(make_union(words, chars), LinearSVC(C=0.2, class_weight="balanced", random_state=1))
    model.fit(task.train.texts, task.train.labels)
    return model.predict


def fast_text(task):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for text, label in zip(task.train.texts, task.train.labels):
            file.write(f"__label__{label} {text.lower()}\n")
        file.flush()
        model = fasttext.train_supervised(file.name, lr=0.3, epoch=15, wordNgrams=2, minn=2, maxn=5, dim=50, bucket=500_000,
                                          thread=1, seed=1, verbose=0)

    def predict(texts):
        found, _ = model.predict([t.lower() for t in texts])
        return [int(labels[0].removeprefix("__label__")) for labels in found]

    return predict


def main():
    tasks = load_tasks()
    for name, fit in {"linear SVM": svm, "fastText": fast_text}.items():
        models = {head: fit(task) for head, task in tasks.items()}
        scores = score_all(tasks, lambda head, texts: models[head](texts))
        print(json.dumps({"model": name} | {h: round(s, 1) for h, s in scores.items()}), flush=True)


if __name__ == "__main__":
    main()
