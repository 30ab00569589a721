"""Compares Dunlin's text folder with the reference libraries over far more input than the committed digests hold.

  pip install -r models/tweets/requirements.txt
  python tests/fuzz/text_against_reference.py build/dev/tests/text/text_lines [--strings 200000] [--seed 1] [--model DIR]...

Token ids against transformers' BertTokenizerFast, normalisation against models/tweets/normalise.py: on random mixtures
of tricky pieces, on pairs of code points that normalisation may reorder, on every code point, and on the real corpus in
$DUNLIN_DATA where it is there. Prints the first differences and fails.

--model compares another tokeniser instead (BPE, unigram; tokenizer.json or the older files in DIR) over the same texts; by
default those of tests/data/tokenisers come last. With --corpus FILE [--rows FIRST:END] over those texts of $DUNLIN_DATA alone, to
find the text behind a digest of tests/data that differs.
"""
import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import tokenizers
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "data"), str(ROOT / "models" / "tweets")]

from make_token_digests import corpus_texts, read_corpus  # noqa: E402
from normalise import normalise  # noqa: E402
from token_texts import TEXTS  # noqa: E402

MAX_TOKENS = 1 << 20
SPACES = " \t\n\r\v\f\x1c\x85\xa0\u1680\u2003\u2028\u202f\u3000\u200b"
JOINTS = ["<s>", "</s>", "<mask>", "<mask", "<unk>", "'s", "'re", "'LL", "'d", "\u2581", "\u2581a", "  ", " \u0301", "\r\n", "\uff1cmask\uff1e", "\ufdfa", "\u0600", "@", "@a", "http://", "https://x", "&amp;", "&#64;", "&#x1F600;", "&lt", "&", "#", "'", "[SEP]", "[", "]", ".", "_", "-"]
# Marks of several combining classes that the reference keeps, that it strips, and starters that it strips.
MARKS = [0x1d165, 0x1d166, 0x1d16d, 0x302e, 0x302f, 0x9be, 0x94d, 0x1bf2, 0xa953, 0x16ff0, 0x1133b, 0x10efd, 0x300, 0x316, 0x34f, 0x903,
         0x488, 0x200d, 0xad, 0xe33, 0x1ac1, 0x111c0, 0x11f41, 0x1715]


def scalar(rng):
    plane = rng.choice([0x80, 0x250, 0x600, 0x3000, 0xFFFF, 0x1FFFF, 0x10FFFF])
    code = rng.randrange(1, plane)
    return "?" if 0xD800 <= code < 0xE000 else chr(code)


def random_text(rng):
    pick = {0: lambda: scalar(rng), 1: lambda: rng.choice(TEXTS), 2: lambda: rng.choice(SPACES), 3: lambda: rng.choice(JOINTS),
            4: lambda: chr(rng.choice(MARKS)), 5: lambda: rng.choice("abcXYZ019"), 6: lambda: rng.choice(TEXTS)[:rng.randrange(9)]}
    text = "".join(pick[rng.choice((0, 0, 2, 3, 3, 4, 5, 5, 5, 6))]() for _ in range(rng.randrange(1, 24)))
    return rng.choice(TEXTS) + text if rng.random() < 0.05 else text


def codepoint_texts():
    codes = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    yield from (f"a{chr(c)}b {chr(c)}" for c in codes)
    for mark in (0x1D165, 0x302E, 0x94D):
        yield from (f"x{chr(mark)}{chr(c)}{chr(mark)}" for c in codes)


def run(program, arguments, texts):
    with tempfile.TemporaryFile("w+") as lines:
        for text in texts:
            lines.write(json.dumps({"text": text}) + "\n")
        lines.seek(0)
        done = subprocess.run([program, *arguments], stdin=lines, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def reference(directory, options):
    tokenizer = transformers.BertTokenizerFast.from_pretrained(directory, **options).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def differences(name, texts, got, want):
    assert len(got) == len(want) == len(texts)
    wrong = [i for i in range(len(texts)) if got[i] != want[i]]
    print(f"{name}: {len(wrong)} of {len(texts)} differ", flush=True)
    for i in wrong[:10]:
        print(f"  {texts[i]!r} ({[hex(ord(c)) for c in texts[i]][:12]})\n    got  {got[i]}\n    want {want[i]}")
    return len(wrong)


def compare(program, directory, options, name, texts, batch=500_000):
    tokenizer, wrong = reference(directory, options), 0
    for start in range(0, len(texts), batch):
        part = texts[start:start + batch]
        want = [e.ids for e in tokenizer.encode_batch(part)]
        wrong += differences(f"{name} {start}", part, run(program, ["ids", str(directory), str(MAX_TOKENS)], part), want)
    return wrong


def write_model(directory, tokens, options):
    pathlib.Path(directory, "vocab.txt").write_text("\n".join(tokens) + "\n")
    pathlib.Path(directory, "tokenizer_config.json").write_text(json.dumps(options))


def compare_letters(program, texts):
    """A vocabulary of every single code point, so that no difference hides behind [UNK]."""
    codes = [chr(c) for c in range(33, 0x110000) if not 0xD800 <= c < 0xE000 and not chr(c).isspace()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *codes, *("##" + c for c in codes)]
    with tempfile.TemporaryDirectory() as directory:
        write_model(directory, tokens, {})
        return compare(program, directory, {}, "letters", texts)


def compare_options(program, texts, every):
    """The shipped vocabulary under every combination of the three options."""
    wrong = 0
    tokens = (ROOT / "models" / "tweets" / "vocab.txt").read_text().split("\n")[:-1]
    for lower in (True, False):
        for strip in (None, True, False):
            for cjk in (True, False):
                options = {"do_lower_case": lower, "strip_accents": strip, "tokenize_chinese_chars": cjk}
                usual = lower and strip is None and cjk
                with tempfile.TemporaryDirectory() as directory:
                    write_model(directory, tokens, options)
                    wrong += compare(program, directory, options, f"ids {options}", texts if usual else texts[:every])
    return wrong


def reference_of(directory):
    """From tokenizer.json as it is; from the older files through the class that reads them."""
    path = pathlib.Path(directory)
    if (path / "tokenizer.json").exists():
        return tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    kind = transformers.RobertaTokenizer if (path / "merges.txt").exists() else transformers.XLMRobertaTokenizer
    return kind.from_pretrained(directory).backend_tokenizer


def compare_model(program, directory, texts, batch=500_000):
    tokenizer, wrong = reference_of(directory), 0
    tokenizer.no_padding()
    tokenizer.no_truncation()
    for start in range(0, len(texts), batch):
        part = texts[start:start + batch]
        want = [e.ids for e in tokenizer.encode_batch(part)]
        wrong += differences(f"{directory} {start}", part, run(program, ["ids", str(directory), str(MAX_TOKENS)], part), want)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--strings", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--corpus")
    parser.add_argument("--rows", default="0:")
    args = parser.parse_args()
    if args.corpus:
        first, end = (int(n) if n else None for n in args.rows.split(":"))
        texts = list(itertools.islice(corpus_texts(args.corpus), first, end))
        return sum(compare_model(args.program, model, texts) for model in args.model) > 0
    rng = random.Random(args.seed)
    texts = [random_text(rng) for _ in range(args.strings)]
    codes = list(codepoint_texts())
    try:
        corpus = read_corpus()
    except FileNotFoundError:
        corpus = []
        print("real corpus: skipped, it is not there")
    if args.model:
        return sum(compare_model(args.program, model, texts + codes + corpus) for model in args.model) > 0
    wrong = compare_letters(args.program, texts + codes)
    texts += corpus
    wrong += compare_options(args.program, texts, args.strings)
    wrong += differences("normalise", texts, run(args.program, ["normalise", "tweeteval"], texts), [normalise(t) for t in texts])
    wrong += sum(compare_model(args.program, model, texts + codes) for model in sorted((ROOT / "tests" / "data" / "tokenisers").glob("*/")))
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
