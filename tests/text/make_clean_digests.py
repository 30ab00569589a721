"""Writes clean_digests.txt: what models/tweets/normalise.py makes of the real corpus in $DUNLIN_DATA.

  pip install -r models/tweets/requirements.txt && python tests/text/make_clean_digests.py
"""
import pathlib
import sys

import xxhash

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path += [str(ROOT / "tests" / "data"), str(ROOT / "models" / "tweets")]

from make_token_digests import CORPUS, read_corpus  # noqa: E402
from normalise import normalise  # noqa: E402


def main():
    texts = read_corpus()
    with open(HERE / "clean_digests.txt", "w") as out:
        out.write(f"# {CORPUS}, column content: first row, rows, XXH3-64 of the normalised texts with a zero byte behind each\n")
        for first in range(0, len(texts), 1000):
            part = texts[first:first + 1000]
            digest = xxhash.xxh3_64_hexdigest("".join(normalise(t) + "\0" for t in part).encode())
            out.write(f"{first} {len(part)} {digest}\n")


if __name__ == "__main__":
    main()
