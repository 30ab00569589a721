"""Measures two corpora side by side: what the generator imitates, and how near it comes.

    python3 datasets/compare.py REAL.csv.xz GENERATED.jsonl [--vocab models/tweets/vocab.txt]

Prints a row per figure: real, generated, ratio; the exit status is 1 when a figure marked * is off by more than 10 %.
Needs the package `tokenizers`.
"""
import argparse
import collections
import csv
import gzip
import json
import lzma
import pathlib
import random
import re
import sys

from tokenizers import BertWordPieceTokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models" / "tweets"))
from normalise import normalise  # noqa: E402

SAMPLE = 60_000
WORDS = 500_000
NAMES = {"English": "en", "Russian": "ru", "German": "de", "Ukrainian": "uk"}
WORD = re.compile(r"\w+")
FOLD = re.compile(r"https?://\S+|@\w+|\bRT\b|[^\w]|_")


def lines(path):
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(pathlib.Path(path).suffix, open)
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        yield from file


def records(path):
    """(text, user, language) of the sound records."""
    if ".csv" in path:
        for row in csv.DictReader(lines(path)):
            yield row["content"], row["author_id"], NAMES.get(row["language"], "other")
        return
    for line in lines(path):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        text = row.get("text") if isinstance(row, dict) else None
        if isinstance(text, str) and text and "\0" not in text and len(line) < 1 << 20:
            lang = row.get("lang")
            yield text, row.get("user"), lang if lang in NAMES.values() else "other"


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def word_reuse(texts):
    """Different words, and the share of all words that the 1,000 commonest make up, among the first WORDS words."""
    counts, n = collections.Counter(), 0
    for text in texts:
        words = WORD.findall(normalise(text).lower())
        counts.update(words)
        n += len(words)
        if n >= WORDS:
            break
    return len(counts) / n, sum(c for _, c in counts.most_common(1000)) / n


def measure(path, tokenizer):
    seen, folded, authors, langs = set(), set(), collections.Counter(), collections.Counter()
    n = exact = near = 0
    size, marks, sample = [], collections.Counter(), []
    picker = random.Random(1)
    for text, user, lang in records(path):
        n += 1
        size.append(len(text.encode()))
        exact += hash(text) in seen
        seen.add(hash(text))
        key = FOLD.sub("", text).lower()
        near += bool(key) and hash(key) in folded
        folded.add(hash(key))
        authors[user] += 1
        langs[lang] += 1
        marks["url"] += "http://" in text or "https://" in text
        marks["hashtag"] += bool(re.search(r"#\w", text))
        marks["mention"] += bool(re.search(r"@\w", text))
        marks["retweet mark"] += text.startswith("RT @")
        marks["emoji"] += any("\U0001f300" <= c <= "\U0001faff" or "\u2600" <= c <= "\u27bf" for c in text)
        if len(sample) < SAMPLE:
            sample.append((text, lang))
        elif picker.randrange(n) < SAMPLE:
            sample[picker.randrange(SAMPLE)] = (text, lang)
    size.sort()
    picker.shuffle(sample)
    encoded = tokenizer.encode_batch([normalise(t) for t, _ in sample], add_special_tokens=False)
    tokens = sorted(len(e.ids) for e in encoded)
    types, coverage = word_reuse([t for t, _ in sample])
    result = {
        "records": n,
        "* bytes, mean": sum(size) / n,
        "* bytes, p50": percentile(size, 0.5),
        "* bytes, p95": percentile(size, 0.95),
        "* tokens, mean": sum(tokens) / len(tokens),
        "* tokens, p95": percentile(tokens, 0.95),
        "* exact repeats": exact / n,
        "* repeats after folding": near / n,
        "* different words": types,
        "* share of the 1,000 commonest words": coverage,
        "authors": len(authors),
        "* share of the 100 busiest authors": sum(c for _, c in authors.most_common(100)) / n,
    }
    for mark in ("url", "hashtag", "mention"):
        result["* " + mark] = marks[mark] / n
    for mark in ("retweet mark", "emoji"):
        result[mark] = marks[mark] / n
    for lang in ("en", "ru", "de", "uk", "other"):
        of_lang = [len(e.ids) for e, (_, l) in zip(encoded, sample) if l == lang]
        result[("* " if lang in ("en", "ru") else "") + "language " + lang] = langs[lang] / n
        result[f"tokens, mean of {lang}"] = sum(of_lang) / max(1, len(of_lang))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real")
    parser.add_argument("generated")
    parser.add_argument("--vocab", default=str(HERE.parent / "models" / "tweets" / "vocab.txt"))
    args = parser.parse_args()
    tokenizer = BertWordPieceTokenizer(args.vocab, lowercase=True)
    real, generated = measure(args.real, tokenizer), measure(args.generated, tokenizer)
    off = 0
    print(f"{'':38} {'real':>12} {'generated':>12} {'ratio':>7}")
    for name, value in real.items():
        ratio = generated[name] / value if value else float("nan")
        wrong = name.startswith("*") and not 0.9 <= ratio <= 1.1
        off += wrong
        print(f"{name:38} {value:12.4f} {generated[name]:12.4f} {ratio:7.3f}{'  off' if wrong else ''}")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
