"""Times Hugging Face tokenizers beside bench/text's `tokenisers`: same texts, same models, one thread each, in turns.

  pip install tokenizers==0.23.3 transformers==5.23.0
  python bench/peers/tokenisers.py build/release/bench/tokenisers TEXTS.jsonl DIR... [--rounds 5]

Theirs is the median of `rounds` passes of encode_batch_fast (no offsets, their fastest) after one that is not counted, with
RAYON_NUM_THREADS=1; CPU time of the process. Ours runs as a program in between. Prints a row a model and the ratio of the
medians, warm and with a fresh word cache.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402
import transformers  # noqa: E402


def reference(directory):
    path = pathlib.Path(directory)
    if (path / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    else:
        kind = (transformers.BertTokenizerFast if (path / "vocab.txt").exists() else
                transformers.RobertaTokenizer if (path / "merges.txt").exists() else transformers.XLMRobertaTokenizer)
        tokenizer = kind.from_pretrained(directory).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def time_theirs(tokenizer, texts):
    begin = time.process_time()
    tokenizer.encode_batch_fast(texts)
    return (time.process_time() - begin) / len(texts) * 1e9


def time_ours(program, texts, directory):
    lines = subprocess.run([program, texts, directory], check=True, capture_output=True, text=True).stdout.splitlines()
    kind, open_ms, warm, cold, *_ = lines[-1].split()
    return kind, float(open_ms), float(warm), float(cold)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("texts")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    texts = [json.loads(line)["text"] for line in open(args.texts, encoding="utf-8")]
    size = sum(len(t.encode()) for t in texts) / len(texts)
    print(f"# tokenizers {tokenizers.__version__}, {len(texts)} texts of {size:.0f} bytes, {args.rounds} rounds in turns")
    print(f"# {'kind':<10} {'theirs ns':>9} {'MB/s':>6} {'ours ns':>8} {'cold':>8} {'MB/s':>6} {'ratio':>6} {'cold':>6} {'open ms':>8}  model")
    for model in args.models:
        tokenizer = reference(model)
        time_theirs(tokenizer, texts)
        theirs, ours = [], []
        for _ in range(args.rounds):
            theirs.append(time_theirs(tokenizer, texts))
            ours.append(time_ours(args.program, args.texts, model))
        their, warm, cold = statistics.median(theirs), statistics.median(o[2] for o in ours), statistics.median(o[3] for o in ours)
        print(f"  {ours[0][0]:<10} {their:9.0f} {size / their * 1e3:6.2f} {warm:8.0f} {cold:8.0f} {size / warm * 1e3:6.1f} {their / warm:6.1f} {their / cold:6.1f} "
              f"{ours[0][1]:8.1f}  {model}", flush=True)


if __name__ == "__main__":
    main()
