"""Writes token_digests.txt, token_codepoints.txt and token_cases.jsonl: what the reference WordPiece makes of real and tricky text;
and token_digests_kinds.txt: what the reference BPE and unigram make of the real text with the vocabularies of tokenisers/.

  pip install -r models/tweets/requirements.txt sentencepiece==0.2.3 protobuf
  python tests/data/make_token_digests.py [--large | --kinds | --large-kinds]

--large writes token_digests_large.txt instead, of all 2.4 million tweets; it takes an hour or less. --kinds and --large-kinds write
token_digests_kinds.txt alone and token_digests_large_kinds.txt.
Needs ira_3days_2017-08-15_17.csv.xz (large: ira_tweets_until_2017-09.csv.xz) in $DUNLIN_DATA (default: shared/data beside the repository). A digest is the XXH3-64 of, for
each text in turn, its number of ids and then its ids ([CLS] and [SEP] included), all int32 little-endian.
"""
import csv
import itertools
import json
import lzma
import os
import pathlib
import platform
import struct
import sys

import tokenizers
import transformers
import xxhash

from token_texts import TEXTS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "models" / "tweets"
CORPUS = "ira_3days_2017-08-15_17.csv.xz"
LARGE = "ira_tweets_until_2017-09.csv.xz"
KINDS = ("bpe", "bpe_files", "unigram", "unigram_spm")
sys.path.append(str(MODEL))

from normalise import normalise  # noqa: E402

VERSIONS = (f"# tokenizers {tokenizers.__version__}, transformers {transformers.__version__} (BertTokenizerFast, lower-cased), "
            f"Python {platform.python_version()}\n")


def corpus_texts(name):
    data = pathlib.Path(os.environ.get("DUNLIN_DATA", ROOT.parent / "shared" / "data"))
    with lzma.open(data / name, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["content"]


def read_corpus():
    return list(corpus_texts(CORPUS))


def reference(max_tokens=None):
    tokenizer = transformers.BertTokenizerFast.from_pretrained(MODEL).backend_tokenizer
    tokenizer.no_padding()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    else:
        tokenizer.no_truncation()
    return lambda texts: [e.ids for e in tokenizer.encode_batch(texts)]


def digest(rows):
    packed = b"".join(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids) for ids in rows)
    return f"{xxhash.xxh3_64_intdigest(packed):016x}"


def write_corpus_digests(path, corpus, rows_each):
    raw, cut = reference(), reference(128)
    texts, first = corpus_texts(corpus), 0
    with open(path, "w") as out:
        out.write(VERSIONS)
        out.write(f"# {corpus}, column content; first row, rows, normalised and cut to 128 tokens, as it is and uncut\n")
        while part := list(itertools.islice(texts, rows_each)):
            out.write(f"{first} {len(part)} {digest(cut([normalise(t) for t in part]))} {digest(raw(part))}\n")
            first += len(part)


def kind_reference(directory):
    """From tokenizer.json as it is; from the older files through the class that reads them."""
    if (directory / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    else:
        kind = transformers.RobertaTokenizer if (directory / "merges.txt").exists() else transformers.XLMRobertaTokenizer
        tokenizer = kind.from_pretrained(directory).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda texts: [e.ids for e in tokenizer.encode_batch(texts)]


def write_kind_digests(path, corpus, rows_each):
    encoders = [kind_reference(HERE / "tokenisers" / name) for name in KINDS]
    texts, first = corpus_texts(corpus), 0
    with open(path, "w") as out:
        out.write(f"# tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}\n")
        out.write(f"# {corpus}, column content, as it is and uncut; first row, rows, and by the tokenisers of this folder: {' '.join(KINDS)}\n")
        while part := list(itertools.islice(texts, rows_each)):
            out.write(" ".join([str(first), str(len(part)), *(digest(encode(part)) for encode in encoders)]) + "\n")
            first += len(part)


def write_codepoint_digests(path, step=4096):
    """Every code point, inside a word and alone."""
    encode = reference()
    with open(path, "w") as out:
        out.write(VERSIONS)
        out.write("# first code point, texts, digest; each code point c but the surrogates gives the text 'a' c 'b' ' ' c\n")
        for first in range(0, 0x110000, step):
            codes = [c for c in range(first, first + step) if not 0xD800 <= c < 0xE000]
            if codes:
                out.write(f"{first:x} {len(codes)} {digest(encode([f'a{chr(c)}b {chr(c)}' for c in codes]))}\n")


def write_cases(path):
    with open(path, "w") as out:
        for text, ids in zip(TEXTS, reference()(TEXTS)):
            out.write(json.dumps({"text": text, "ids": ids}) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--large"]:
        write_corpus_digests(HERE / "token_digests_large.txt", LARGE, 10_000)
    elif sys.argv[1:] == ["--large-kinds"]:
        write_kind_digests(HERE / "token_digests_large_kinds.txt", LARGE, 10_000)
    else:
        if sys.argv[1:] != ["--kinds"]:
            write_cases(HERE / "token_cases.jsonl")
            write_codepoint_digests(HERE / "token_codepoints.txt")
            write_corpus_digests(HERE / "token_digests.txt", CORPUS, 1000)
        write_kind_digests(HERE / "token_digests_kinds.txt", CORPUS, 1000)
