"""The text normalisation the model was trained with; normalisation.md states the rule, normalise_vectors.json fixes it.

Run as a program it checks itself against the vectors.
"""
import json
import pathlib
import re
import sys

# Unicode White_Space, all 25 code points; str.isspace() has four more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\xa0"}

ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos|nbsp)|#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6}));")
PIECE = re.compile(rf"https?://[^{SPACE}]*|(?<![A-Za-z0-9_])@[A-Za-z0-9_]+|[{SPACE}]+")


def decode_entity(match):
    name, decimal, hexadecimal = match.groups()
    if name:
        return NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_scalar = 0 < code < 0xD800 or 0xE000 <= code <= 0x10FFFF
    return chr(code) if is_scalar else match[0]


def fold_piece(match):
    return {"h": "http", "@": "@user"}.get(match[0][0], " ")


def normalise(text):
    return PIECE.sub(fold_piece, ENTITY.sub(decode_entity, text)).strip(" ")


def main():
    vectors = json.loads(pathlib.Path(__file__).with_name("normalise_vectors.json").read_text())
    wrong = [v for v in vectors if normalise(v["text"]) != v["normalised"]]
    for v in wrong:
        print(f"{v['text']!r}: {normalise(v['text'])!r}, not {v['normalised']!r}")
    print(f"{len(vectors) - len(wrong)} of {len(vectors)} vectors hold")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
