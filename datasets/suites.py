#!/usr/bin/env python3
"""Makes the suites of `dunlin model eval` from the archives in $DUNLIN_DATA, and the train sets that go with them.

    suites.py [tweets|languages|mail|samples|identity ...] [--data DIR] [--out DIR]

OUT/NAME.jsonl holds validation texts, OUT/NAME.train.jsonl train texts without any that folds (leaks.py) to a validation
text of any suite, or of its own for languages; README.md says why, and what stands in a line. `samples` and
`identity` need no archive: they are our own samples/tweets.jsonl and identity.py.
All splits are functions of the texts alone, so that they are the same everywhere.

Exit status: 0 done, 1 a leak is left, 65 an archive is not right, 66 one is missing. Standard library only.
"""
import argparse
import csv
import email
import email.policy
import email.utils
import hashlib
import html
import io
import json
import os
import pathlib
import re
import sys

import crises
import identity
import leaks
import topics
from archives import Bad, lines, members

HERE = pathlib.Path(__file__).resolve().parent
REFERENCES = HERE / "references.json"
TWEETEVAL = {"emoji": {}, "emotion": {}, "hate": {}, "irony": {"of": ["irony"]}, "offensive": {},
             "sentiment": {"metric": "recall"}}
STANCE = ("abortion", "atheism", "climate", "feminist", "hillary")  # a head each; TweetEval's metric pools them
LANGUAGES = {"arabic": "ar", "english": "en", "french": "fr", "german": "de", "hindi": "hi", "italian": "it",
             "portuguese": "pt", "spanish": "es"}
TIME_SHARE = 0.8  # of mail by time: what comes before is for training
BANKING_STEP = 10
ENRON_STEP = 5
GENRES = {"1": "business", "2": "personal", "3": "personal at work", "4": "logistics", "5": "employment", "6": "editing"}


class Suite:
    def __init__(self):
        self.tasks, self.train, self.validation = [], [], []

    def declare(self, task, **settings):
        self.tasks.append({"task": task} | settings)

    def add(self, part, task, text, label, **more):
        """`label`: one, a list of them, or None for a text that belongs to none."""
        labels = {"labels": label} if isinstance(label, list) else {"label": label} if label else {"outside": True}
        (self.train if part == "train" else self.validation).append({"task": task, "text": text} | labels | more)


def paired(files, folder, part, names):
    """(text, label) of TweetEval's layout: a text a line, and its label's number in another file."""
    texts, labels = (lines(files, f"{folder}/{part}_{kind}.txt") for kind in ("text", "labels"))
    if len(texts) != len(labels):
        raise Bad(f"{folder}: {part}_text.txt has {len(texts)} lines, {part}_labels.txt {len(labels)}")
    for number, (text, label) in enumerate(zip(texts, labels), 1):
        if not label.isdigit() or int(label) >= len(names):
            raise Bad(f"{folder}/{part}_labels.txt:{number}: '{label}' is no number below {len(names)}")
        yield text, names[int(label)]


# ---- tweets ----

def semeval(data, names):
    """TweetEval's sentiment train text is not at hand; this is the set that it was made of."""
    files = members(data, "semeval2017-task4", r"Subtask_A/downloaded/.*\.tsv$")
    rows = [line.split("\t") for name in sorted(files) for line in lines(files, name)]
    unique = {leaks.fold(row[2]): row for row in rows if len(row) > 2 and row[1] in names}
    return [(leaks.unescape(row[2]), row[1]) for row in unique.values()]


def names_of(files, folder):
    return [line.split("\t")[1].strip() for line in lines(files, f"{folder}/mapping.txt") if line.strip()]


def add_stance(suite, files, folder):
    names = names_of(files, folder)
    for target in STANCE:
        suite.declare(f"stance_{target}", of=["against", "favor"], pool="stance")
        for part in ("train", "val"):
            for text, label in paired(files, f"{folder}/{target}", part, names):
                suite.add(part, f"stance_{target}", text, label)


def add_tweeteval(suite, data):
    root = "tweeteval/datasets"
    files = members(data, "tweeteval", rf"^{root}/")
    for task, settings in TWEETEVAL.items():
        names = names_of(files, f"{root}/{task}")
        suite.declare(task, **settings)
        for part in ("train", "val"):
            if task == "sentiment":
                rows = semeval(data, names) if part == "train" else paired(files, f"{root}/{task}", part, names)
                for text, label in rows:
                    suite.add(part, task, leaks.unescape(text) if part == "val" else text, label)
            else:
                for text, label in paired(files, f"{root}/{task}", part, names):
                    suite.add(part, task, text, label)
    add_stance(suite, files, f"{root}/stance")


def add_topics(suite, data):
    """All gold is validation: twenty rows a language are too few to judge by. Topics are learned from hashtags: topics.py."""
    suite.declare("topic")
    suite.declare("topic-es", head="topic")
    for language, text, labels in topics.gold(data, ("en", "es")):
        suite.add("val", "topic" if language == "en" else "topic-es", text, labels)
    try:
        rows = topics.load(data, [row["text"] for row in suite.train])
    except FileNotFoundError as error:
        print(f"suites.py: {error.filename}: is missing: no train texts for topic", file=sys.stderr)
        rows = []
    for row in rows:
        if row["part"] == "train":
            suite.add("train", "topic", row["text"], row["labels"])


def add_crises(suite, data):
    """Whole crises are held out: crises.py."""
    suite.declare("risk")
    for part, rows in zip(("train", "val"), crises.split(crises.load(data))):
        for row in rows:
            suite.add(part, "risk", row["text"], row["label"], slices={"crisis": row["crisis"]})


def tweets(data):
    suite = Suite()
    add_tweeteval(suite, data)
    add_topics(suite, data)
    add_crises(suite, data)
    return suite


def languages(data):
    suite = Suite()
    files = members(data, "umsab", r"data/sentiment/")
    for folder, code in LANGUAGES.items():
        suite.declare(code, head="sentiment", language=code)
        for part in ("train", "val"):
            for text, label in paired(files, f"umsab/data/sentiment/{folder}", part, ("negative", "neutral", "positive")):
                suite.add(part, code, text, label)
    return suite


# ---- mail ----

def add_banking(suite, data):
    """A split of the train part: by the fold's hash, so that copies of a text stay on one side."""
    files = members(data, "banking77", r"train\.csv$")
    suite.declare("banking77", metric="accuracy")
    for row in csv.DictReader(io.StringIO("\n".join(lines(files, "banking77/train.csv")))):
        held = int(hashlib.sha256(leaks.fold(row["text"]).encode()).hexdigest(), 16) % BANKING_STEP == 0
        suite.add("val" if held else "train", "banking77", row["text"], row["category"])


def add_clinc(suite, data):
    """Out of scope for validation alone, as published: a head is not trained on what it is to know nothing of."""
    files = members(data, "clinc150", r"data_full_train_val\.json$")
    rows = json.loads("\n".join(lines(files, "clinc150/data_full_train_val.json")))
    suite.declare("clinc150", metric="accuracy")
    for part in ("train", "val"):
        for text, label in rows[part]:
            suite.add(part, "clinc150", text, label)
    for text, _ in rows["oos_val"]:
        suite.add("val", "clinc150", text, None)


def body_of(message):
    """Subject, then the text parts; of HTML what stands between the tags."""
    texts = []
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        raw = (part.get_payload(decode=True) or b"").decode("latin-1")
        if part.get_content_subtype() == "html":
            raw = html.unescape(re.sub(r"(?s)<(style|script).*?</\1>|<[^>]*>", " ", raw))
        texts.append(raw)
    return "\n".join([str(message["subject"] or "")] + texts).replace("\0", " ").strip()


def received_at(message):
    """When the last server on its way took the message, which its sender cannot write."""
    for field in (message.get_all("received") or [])[:3] + [message["date"] or ""]:
        try:
            return email.utils.parsedate_to_datetime(str(field).rsplit(";", 1)[-1].strip()).timestamp()
        except (TypeError, ValueError):
            continue
    return 0.0


def add_spam(suite, data):
    files = members(data, "spamassassin", r"(ham|spam)-1/[^/]*\.txt$")
    rows = []
    for name, raw in files.items():
        message = email.message_from_bytes(raw)
        rows.append((received_at(message), name, body_of(message), "spam" if "/spam-1/" in name else "ham"))
    rows.sort()
    suite.declare("spam")
    for i, (_, name, text, label) in enumerate(rows):
        suite.add("train" if i < TIME_SHARE * len(rows) else "val", "spam", text, label, slices={"folder": name.split("/")[-2]})


def without_quotes(article):
    """An article without header, quotes and signature, as it would be alone; its lines are parted by tabs."""
    header, _, body = article.replace("\t", "\n").partition("\n\n")
    subject = re.search(r"(?im)^subject:\s*(.*)$", header)
    body = re.split(r"(?m)^--+ *$", body)[0]
    kept = [l for l in body.split("\n") if not re.match(r"\s*[>|:}]|.*\b(writes|wrote|says):?\s*$", l)]
    return "\n".join([re.sub(r"(?i)^(re:\s*)+", "", subject[1]) if subject else ""] + kept).strip()


def add_newsgroups(suite, data):
    """Article numbers rise with time within a group."""
    files = members(data, "20news-bydate", r"20news-bydate-train/[^/]*/\d+$")
    groups = {}
    for name, raw in files.items():
        groups.setdefault(name.split("/")[-2], []).append((int(name.split("/")[-1]), without_quotes(raw.decode("latin-1"))))
    suite.declare("newsgroup")
    for group, articles in sorted(groups.items()):
        for i, (_, text) in enumerate(sorted(articles)):
            suite.add("train" if i < TIME_SHARE * len(articles) else "val", "newsgroup", text, group)


def add_enron(suite, data):
    """Messages to which all coders gave one and the same coarse genre, a fifth of them by the fold's hash."""
    files = members(data, "enron-categories", r"/\d+\.(txt|cats)$")
    suite.declare("enron")
    for name in sorted(name for name in files if name.endswith(".cats")):
        genres = {line.split(",")[1] for line in lines(files, name) if line.startswith("1,")}
        if len(genres) == 1 and (genre := GENRES.get(genres.pop())):
            text = body_of(email.message_from_bytes(files[name.removesuffix(".cats") + ".txt"]))
            held = int(hashlib.sha256(leaks.fold(text).encode()).hexdigest(), 16) % ENRON_STEP == 0
            suite.add("val" if held else "train", "enron", text, genre)


def mail(data):
    suite = Suite()
    for add in (add_banking, add_clinc, add_spam, add_newsgroups, add_enron):
        add(suite, data)
    return suite


# ---- our own ----

def samples(_):
    """The 200 tweets of samples/, with the heads that they are labelled for."""
    suite = Suite()
    heads = ("sentiment", "emotion", "irony", "hate", "offensive")
    for head in heads:
        suite.declare(head, **TWEETEVAL[head])
    for line in (HERE / "samples" / "tweets.jsonl").read_text().splitlines():
        row = json.loads(line)
        for head in heads:
            if row[head]:
                suite.add("val", head, row["text"], row[head], slices={"language": row["lang"]})
    return suite


def identity_words(_):
    """The share of identity.py's sentences that two heads see as they are meant; of harmless ones the rest is the false-positive
    rate."""
    suite = Suite()
    rows = identity.test_rows()
    for head in ("hate", "offensive"):
        for kind in ("harmless", "against", "hateful"):
            right = head if kind == "hateful" else f"not-{head}"
            suite.declare(f"{head}-{kind}", head=head, metric="recall", of=[right])
            for text, found, slices, _ in rows:
                if found == kind:
                    suite.add("val", f"{head}-{kind}", text, right, slices=slices)
    return suite


MAKERS = {"tweets": tweets, "languages": languages, "mail": mail, "samples": samples, "identity": identity_words}
OWN = {"samples", "identity"}
# UMSAB's English train texts are TweetEval's sentiment validation: without these, all of its neutral and positive ones.
HELD_OUT_OF = {"languages": ("languages",)}


# ---- writing ----

def digest(rows):
    return hashlib.sha256("\n".join(json.dumps(r, sort_keys=True) for r in rows).encode()).hexdigest()[:16]


def digests(tasks, rows):
    """{task or pool: digest of its rows with labels}; tasks: declarations."""
    rows = [row for row in rows if "outside" not in row]
    members = {}
    for task in tasks:
        for name in filter(None, (task["task"], task.get("pool"))):
            members.setdefault(name, set()).add(task["task"])
    return {name: digest([row for row in rows if row["task"] in tasks]) for name, tasks in members.items()}


def references(name, suite):
    """Rows of references.json for this suite: those measured on these very texts, and published ones of other splits."""
    if not REFERENCES.exists():
        return []
    known = json.loads(REFERENCES.read_text()).get(name, {})
    measured, now = known.get("measured", {"rows": {}, "models": {}}), digests(suite.tasks, suite.validation)
    other = {task for task, rows in measured["rows"].items() if rows != now.get(task)}
    if other:
        print(f"suites.py: {name}: references.json was measured on other rows of {', '.join(sorted(other))}: left out "
              "(baselines.py makes it anew)", file=sys.stderr)
    rows = [{"reference": model, "scores": {task: score for task, score in scores.items() if task not in other}}
            for model, scores in measured["models"].items()]
    return rows + [{"reference": model, "split": known["published"]["split"], "scores": scores}
                   for model, scores in known.get("published", {}).get("models", {}).items()]


def write(path, rows):
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)


def without_leaks(name, suite, held):
    """Drops train texts that are held out, and checks that none is left."""
    texts = [row["text"] for row in suite.train]
    exact, near = leaks.find(texts, held)
    dropped = {i for i, _ in exact}
    suite.train = [row for i, row in enumerate(suite.train) if i not in dropped]
    left, _ = leaks.find([row["text"] for row in suite.train], held)
    print(f"{name}: {len(suite.validation)} validation texts; {len(suite.train)} train texts, {len(dropped)} leaks dropped, "
          f"{len(near)} near versions kept")
    if left:
        print(f"suites.py: {name}: {len(left)} leaks are left", file=sys.stderr)
        raise SystemExit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], metavar="SUITE", help=f"{', '.join(MAKERS)} (default: all)")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("DUNLIN_DATA", HERE.parent.parent / "shared" / "data"))
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "build" / "suites")
    args = parser.parse_args()
    names = args.names or list(MAKERS)
    if unknown := [n for n in names if n not in MAKERS]:
        parser.error(f"'{unknown[0]}' is none of {', '.join(MAKERS)}")
    try:
        made = {name: make(pathlib.Path(args.data)) for name, make in MAKERS.items() if name in names or not OWN.issuperset(names)}
    except FileNotFoundError as error:
        print(f"suites.py: {error.filename}: is missing; --data or DUNLIN_DATA names the folder of archives", file=sys.stderr)
        return 66
    except Bad as error:
        print(f"suites.py: {error}", file=sys.stderr)
        return 65
    args.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        suite = made[name]
        without_leaks(name, suite, [row["text"] for other in HELD_OUT_OF.get(name, made) for row in made[other].validation])
        write(args.out / f"{name}.jsonl", suite.tasks + references(name, suite) + suite.validation)
        if suite.train:
            trained = {row["task"] for row in suite.train}
            write(args.out / f"{name}.train.jsonl", [task for task in suite.tasks if task["task"] in trained] + suite.train)
    return 0


if __name__ == "__main__":
    sys.exit(main())
