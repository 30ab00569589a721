"""Prints the digests that `bench/text` knows for its built-in records, made by the reference libraries.

  pip install -r models/tweets/requirements.txt
  build/release/bench/text --write records.jsonl && python bench/text/known_digests.py records.jsonl
"""
import json
import pathlib
import struct
import sys

import xxhash

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "data"), str(ROOT / "models" / "tweets")]

from make_token_digests import reference  # noqa: E402
from normalise import normalise  # noqa: E402


def main():
    texts = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8", newline="\n")]
    clean = [normalise(text) for text in texts]
    rows = reference(128)(clean)
    packed = b"".join(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids) for ids in rows)
    for name, parts in (("decode", "".join(t + "\n" for t in texts)), ("clean", "".join(c + "\n" for c in clean))):
        print(f"{name} {xxhash.xxh3_64_hexdigest(parts.encode())}")
    print(f"tokenise {xxhash.xxh3_64_hexdigest(packed)}")


if __name__ == "__main__":
    main()
