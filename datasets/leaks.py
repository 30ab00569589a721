#!/usr/bin/env python3
"""Finds texts of validation sets that stand in train sets too, however they are disguised.

    leaks.py TRAIN... --validation FILE...

Files are suites (README.md: JSON Lines with "text"), or plain text with a text a line; xz is read too. Two texts are the
same when they are equal after folding: users, URLs with what is glued to them, a leading RT, escapes, case, punctuation,
emoji and space are taken away. Near versions, whose first 30 folded characters are equal, are counted and shown with
--near, but are no failure: a headline in two forms is not a copy, and a reader should judge.

Exit status: 0 no leak, 1 at least one, 65 a file is not right, 66 a file cannot be read. Standard library only.
"""
import argparse
import functools
import html
import json
import lzma
import pathlib
import re
import sys
import unicodedata

NEAR = 30
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
MASK = re.compile(r"@\w+|https?://\S+|\bhttps?\b\S*|\bwww\.\S+")
RETWEET = re.compile(r"^(\W*\brt\b\W+)+")


def word_pattern():
    """All but letters, digits and the vowel signs of scripts that write them as marks; U+FE0F and its like are no letters."""
    marks = [chr(c) for c in range(0x300, 0x20000)
             if not 0xfe00 <= c <= 0xfe0f and unicodedata.category(chr(c)) in ("Mn", "Mc")]
    return re.compile(rf"[^\w{''.join(marks)}]+|_+")


NO_WORD = word_pattern()


def unescape(text):
    """Some corpora spell characters as \\u2019, double their quotes and quote some texts whole."""
    text = ESCAPE.sub(lambda m: chr(int(m[1], 16)), text.strip())
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text.replace('\\"', '"').replace('""', '"')


@functools.lru_cache(maxsize=None)
def fold(text):
    """What is left of a text when all that a copy may change is gone. A text without a word folds to itself, less space."""
    plain = unicodedata.normalize("NFKC", html.unescape(html.unescape(unescape(text)))).casefold()
    words = RETWEET.sub("", MASK.sub(" ", plain))
    return NO_WORD.sub("", words) or "".join(plain.split())


def find(train, validation):
    """(exact, near): pairs (number in train, number in validation) of the same text, and of near versions of one."""
    folds, heads = {}, {}
    for i, text in enumerate(validation):
        folded = fold(text)
        folds.setdefault(folded, i)
        if len(folded) >= NEAR:
            heads.setdefault(folded[:NEAR], i)
    exact, near = [], []
    for i, text in enumerate(train):
        folded = fold(text)
        if folded in folds:
            exact.append((i, folds[folded]))
        elif folded[:NEAR] in heads:
            near.append((i, heads[folded[:NEAR]]))
    return exact, near


def fail(status, message):
    print(f"leaks.py: {message}", file=sys.stderr)
    raise SystemExit(status)


def read_lines(path):
    opened = lzma.open if str(path).endswith(".xz") else open
    try:
        with opened(path, "rb") as file:
            data = file.read()
    except (OSError, lzma.LZMAError) as error:
        fail(66, f"{path}: cannot be read: {error}")
    lines = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            lines.append((number, line.decode()))
        except UnicodeDecodeError as error:
            fail(65, f"{path}:{number}: is not UTF-8 at byte {error.start + 1}")
    return lines


def read_texts(path):
    """[(place, text)] of a suite or of plain lines."""
    texts = []
    for number, line in read_lines(path):
        place = f"{path}:{number}"
        if str(path).removesuffix(".xz").endswith(".jsonl"):
            try:
                row = json.loads(line) if line.strip() else {}
            except json.JSONDecodeError as error:
                fail(65, f"{place}: is not JSON: {error.msg}")
            if "text" in row:
                texts.append((place, row["text"]))
        elif line.strip():
            texts.append((place, line))
    if not texts:
        fail(65, f"{path}: has no text")
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", nargs="+", type=pathlib.Path)
    parser.add_argument("--validation", nargs="+", type=pathlib.Path, required=True, metavar="FILE")
    parser.add_argument("--near", action="store_true", help="show near versions too")
    args = parser.parse_args()
    train = [pair for path in args.train for pair in read_texts(path)]
    validation = [pair for path in args.validation for pair in read_texts(path)]
    exact, near = find([text for _, text in train], [text for _, text in validation])
    for word, pairs in {"leak": exact, "near": near if args.near else []}.items():
        for i, k in pairs:
            print(f"{word}\t{train[i][0]}\t{validation[k][0]}\t{validation[k][1][:100]!r}")
    print(f"{len(exact)} leaks and {len(near)} near versions: {len(train)} train texts, {len(validation)} of validation",
          file=sys.stderr)
    return 1 if exact else 0


if __name__ == "__main__":
    sys.exit(main())
