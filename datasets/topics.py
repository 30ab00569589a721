#!/usr/bin/env python3
"""Tweets with topics for training, by their authors' own hashtags; README.md says what they are good for.

    topics.py [--data DIR]     how many texts of each topic the corpus alone has, in each part

topics.tsv, judged by hand, says what hashtags say which of the 19 topics of TweetTopic. A tweet has the topics of all of
its hashtags, and loses these. Sources: the corpus ira_tweets_until_2017-09 (English as its publisher guessed; part silver,
for tuning, has other authors and a later time than part train), and TweetEval's and SemEval's train texts (train).

Exit status: 0 done, 65 the corpus is not right, 66 it is missing. Standard library only.
"""
import argparse
import collections
import csv
import functools
import hashlib
import json
import lzma
import os
import pathlib
import re
import sys

import leaks
from archives import Bad, lines, members

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = "ira_tweets_until_2017-09.csv.xz"
HASHTAG = re.compile(r"#(\w+)")
SILVER_FROM = "2017-03-01"  # an eighth of the corpus is later
SILVER_AUTHORS = 4  # every fourth author, by hash
MOST_PER_AUTHOR = 30  # of a topic: a hundred authors wrote 39 % of the corpus
MOST_PER_TOPIC = 4000
SHORTEST = 15  # folded characters


@functools.cache
def topics_of_tags():
    """{hashtag: topics}."""
    tags = {}
    for line in (HERE / "topics.tsv").read_text(encoding="utf-8").splitlines():
        topic, words = line.split("\t")
        for word in words.split():
            tags.setdefault(word, set()).add(topic)
    return tags


def label(text):
    """(the text without the hashtags that say a topic, their topics)."""
    tags, found = topics_of_tags(), set()

    def strip(match):
        topics = tags.get(match[1].lower())
        found.update(topics or ())
        return "" if topics else match[0]

    left = HASHTAG.sub(strip, text)
    return " ".join(left.split()), found


def number(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def corpus(data):
    """(part, author, text) of the English tweets with a hashtag; those of neither part are left out."""
    path = data / CORPUS
    try:
        with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                text = row["content"]
                if "#" not in text or row["language"] != "English" or "\ufffd" in text:
                    continue
                late, other = row["publish_date"] >= SILVER_FROM, number(row["author_id"]) % SILVER_AUTHORS == 0
                if late == other:
                    yield "silver" if late else "train", row["author_id"], text.removeprefix("'")
    except (KeyError, TypeError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise Bad(f"{path}: cannot be read: {error!r}") from error


def rows(texts, held=frozenset()):
    """Labelled rows of (part, author, text): each text once, none that folds into `held`, the first by hash where an author
    (None: unknown) or a topic has too many."""
    found = {}
    for part, author, text in texts:
        text, topics = label(text)
        folded = leaks.fold(text) if topics else ""
        if len(folded) < SHORTEST or folded in held:
            continue
        row = found.setdefault(folded, {"text": text, "labels": set(), "part": part, "author": author})
        if row["part"] == part:
            row["labels"] |= topics
    counts = {}
    for folded, row in sorted(found.items(), key=lambda item: number(item[0])):
        keys = {topic: [(row["part"], topic), (row["part"], topic, row["author"])] for topic in row["labels"]}
        # A row stays when one of its topics needs it.
        if any(counts.get(whole, 0) < MOST_PER_TOPIC and (row["author"] is None or counts.get(own, 0) < MOST_PER_AUTHOR)
               for whole, own in keys.values()):
            for key in sum(keys.values(), []):
                counts[key] = counts.get(key, 0) + 1
            yield {"text": row["text"], "labels": sorted(row["labels"]), "part": row["part"]}


def load(data, others=(), held=frozenset()):
    """Rows of the corpus and of `others`, train texts of other sets, without those that fold into `held`."""
    def texts():
        yield from (("train", None, text) for text in others)
        yield from corpus(data)
    return list(rows(texts(), held))


def gold(data, languages):
    """[(language, text, topics)] of TweetTopic-XL, its train and validation parts."""
    files = members(data, "tweet-topic-xl", rf"/({'|'.join(languages)})_(train|validation)\.jsonl$")
    rows = [(name.split("/")[-1][:2], json.loads(line)) for name in sorted(files) for line in lines(files, name)]
    return [(language, row["text"], [key for key, value in row.items() if value == 1 and key not in ("id", "text")])
            for language, row in rows]


def priors(data):
    """{topic: share of tweets that are about it}, of the two languages that nothing is judged by."""
    found = gold(data, ("gr", "ja"))
    counts = collections.Counter(topic for _, _, topics in found for topic in topics)
    return {topic: count / len(found) for topic, count in counts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("DUNLIN_DATA", HERE.parent.parent / "shared" / "data"))
    args = parser.parse_args()
    try:
        found = load(pathlib.Path(args.data))
    except FileNotFoundError as error:
        print(f"topics.py: {error.filename}: is missing; --data or DUNLIN_DATA names its folder", file=sys.stderr)
        return 66
    except Bad as error:
        print(f"topics.py: {error}", file=sys.stderr)
        return 65
    counts = collections.Counter((row["part"], topic) for row in found for topic in row["labels"])
    for topic in sorted({topic for topics in topics_of_tags().values() for topic in topics}):
        print(f"{topic:26}{counts['train', topic]:7}{counts['silver', topic]:7}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
