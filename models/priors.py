#!/usr/bin/env python3
"""Raises a topic head's biases until as many tweets have each topic as coders found, not as hashtags say.

    priors.py MODEL [--dunlin build/release/dunlin] [--data DIR] [--suites build/suites]

Authors tag what they advertise: hashtags alone would leave half of all texts without a topic, and nearly none in daily life. What
share of tweets is about a topic is taken from the Greek and Japanese gold of TweetTopic-XL, 400 texts which nothing is judged by;
the tweets to hold it against are 4,000 train texts of sentiment, irony, offensive and emotion. A bias is raised until that share of
them is said, and never lowered: authors leave tags out but hardly invent them, and sentiment's texts were searched for by
names of teams. Ranks within a topic, and so average precision, stay as they are. The file is written whole or not at all; a second run
changes nothing. Standard library and numpy.
"""
import argparse
import json
import os
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "datasets"), str(ROOT / "models")]

from card import Program  # noqa: E402
from topics import priors  # noqa: E402

POOL = ("sentiment", "irony", "offensive", "emotion")
OF_EACH = 1000


def pool(path):
    """The first texts of each set, which are in no order of meaning."""
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    return [row for task in POOL for row in [r for r in rows if r["task"] == task and "text" in r][:OF_EACH]]


def read_bias(weights, name):
    """(bytes before the tensor, its values in fp32) of a bf16 or fp32 tensor of a safetensors file."""
    size = int.from_bytes(weights[:8], "little")
    entry = json.loads(weights[8:8 + size])[name]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    if entry["dtype"] == "F32":
        return begin, np.frombuffer(weights[begin:end], "<f4")
    if entry["dtype"] != "BF16":
        raise SystemExit(f"priors.py: {name} is {entry['dtype']}, not BF16 or F32")
    return begin, (np.frombuffer(weights[begin:end], "<u2").astype("<u4") << 16).view("<f4")


def with_bias(weights, name, bias):
    begin, old = read_bias(weights, name)
    bits = bias.astype("<f4").view("<u4")
    is_bf16 = json.loads(weights[8:8 + int.from_bytes(weights[:8], "little")])[name]["dtype"] == "BF16"
    new = ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes() if is_bf16 else bits.tobytes()
    assert len(old) == len(bias)
    return weights[:begin] + new + weights[begin + len(new):]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--dunlin", type=pathlib.Path, default=ROOT / "build" / "release" / "dunlin")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("DUNLIN_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites")
    parser.set_defaults(backend="fp32")
    args = parser.parse_args()
    heads = {head["name"]: head for head in json.loads((args.model / "config.json").read_text())["dunlin"]["heads"]}
    labels, temperature, shift = heads["topic"]["labels"], heads["topic"].get("temperature", 1), heads["topic"].get("shift", 0)
    share = priors(pathlib.Path(args.data))
    score = Program(args).scores("topic", labels, pool(args.suites / "tweets.train.jsonl"))
    score = score.clip(1e-7, 1 - 1e-7)
    logits = temperature * np.log(score / (1 - score)) - shift
    path = args.model / "model.safetensors"
    weights = path.read_bytes()
    _, bias = read_bias(weights, "heads.topic.bias")
    moved = np.array([min(0, np.quantile(logits[:, k], 1 - share[label])) for k, label in enumerate(labels)], np.float32)
    for label, shift, said in zip(labels, moved, (logits > 0).mean(0)):
        print(f"{label:26}{100 * said:6.1f} % of {len(score)} tweets, wanted {100 * share[label]:5.1f} %: bias {-shift:+.2f}")
    part = path.with_name(path.name + ".part")
    part.write_bytes(with_bias(weights, "heads.topic.bias", bias - moved))
    part.replace(path)


if __name__ == "__main__":
    main()
