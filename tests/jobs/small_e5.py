#!/usr/bin/env python3
"""A small multilingual model, base and changes, in the formats that models/multilingual/assemble.py reads; and what must come of them.

    small_e5.py make DIR         base.bin, changes.safetensors
    small_e5.py check DIR OUT    looks at what assemble.py made in OUT
"""
import json
import pathlib
import struct
import sys

import numpy as np

LAYERS, WIDE, INNER, HEADS, POSITIONS = 1, 64, 128, 2, 128
WORDS = ["\u2581gut", "\u2581ma", "l", "\u2581\u0928", "\u2581\u0434\u0430", "\u2581GOOD", "!", "\u2581"]  # one is Cyrillic
PIECES = [(p, 0.0) for p in ("<s>", "<pad>", "</s>", "<unk>")] + [(p, -2.0 - i) for i, p in enumerate(WORDS)] + [("<mask>", 0.0)]
ROWS = len(PIECES) + 3  # as the real one has, behind its pieces
CHARACTERS = {ord(c): [ord(c) - 0xfee0] for c in "\uff27\uff2f\uff24"} | {0x200b: [0x20], 0xad: []}
MATRICES = {"q": (WIDE, WIDE), "k": (WIDE, WIDE), "v": (WIDE, WIDE), "ao": (WIDE, WIDE), "fi": (INNER, WIDE), "fo": (WIDE, INNER)}
QUERY, NORM = "encoder.layer.0.attention.self.query", "encoder.layer.0.output.LayerNorm"


def tensors():
    """{short name: (shape, whole numbers -8 to 7 or None, values)}"""
    chance = np.random.default_rng(1)
    found = {}

    def matrix(name, shape):
        steps = chance.integers(-8, 8, shape)
        scale = 2.0 ** chance.integers(-6, -2, (shape[0], shape[1] // 32))
        found[name] = (steps, scale, steps * np.repeat(scale, 32, axis=1))

    def plain(name, values):
        found[name] = (None, None, values.astype(np.float32))

    matrix("emb.word", (ROWS, WIDE))
    plain("emb.pos", chance.normal(0, 0.1, (POSITIONS, WIDE)))
    plain("emb.type", chance.normal(0, 0.1, (2, WIDE)))
    for name in ["emb.ln"] + [f"l{i}.{n}" for i in range(LAYERS) for n in ("aln", "oln")]:
        plain(name + ".w", np.ones(WIDE))
        plain(name + ".b", chance.normal(0, 0.1, WIDE))
    for i in range(LAYERS):
        for name, shape in MATRICES.items():
            matrix(f"l{i}.{name}.w", shape)
            plain(f"l{i}.{name}.b", chance.normal(0, 0.1, shape[0]))
    return found


def packed(steps, scale):
    blocks = (steps + 8).reshape(-1, 32).astype(np.uint8)
    return b"".join(np.float16(s).tobytes() + (b[:16] | b[16:] << 4).tobytes() for s, b in zip(scale.ravel(), blocks))


def base():
    offsets = np.cumsum([0] + [len(p.encode()) for p, _ in PIECES]).astype("<u4")
    mapped = b"".join(struct.pack(f"<IB{len(to)}I", code, len(to), *to) for code, to in sorted(CHARACTERS.items()))
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDE, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, offsets[-1]) + offsets.tobytes()
    head += np.array([s for _, s in PIECES], "<f4").tobytes() + b"".join(p.encode() for p, _ in PIECES)
    head += struct.pack("<iI", len(CHARACTERS), len(mapped)) + mapped
    data = {name: packed(steps, scale) if steps is not None else np.float32(v).tobytes() for name, (steps, scale, v) in tensors().items()}
    entries, at = [], len(head) + 4 + sum(23 + len(name) for name in data)
    for name, (steps, _, values) in tensors().items():
        entries.append(struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", steps is not None, values.size, at, len(data[name])))
        at += len(data[name])
    return head + struct.pack("<i", len(data)) + b"".join(entries) + b"".join(data.values())


def changes():
    chance = np.random.default_rng(2)
    return {QUERY + ".weight.down": chance.normal(0, 0.3, (2, WIDE)), QUERY + ".weight.up": chance.normal(0, 0.3, (WIDE, 2)),
            NORM + ".bias": np.full(WIDE, 0.25), "heads.sentiment.weight": chance.normal(0, 1, (3, 2 * WIDE)),
            "heads.sentiment.bias": np.array([0.1, 0, -0.1])}


def write_safetensors(path, arrays):
    header, body = {"__metadata__": {"temperature": "1.5"}}, b""
    for name, a in arrays.items():
        raw = a.astype("<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": list(a.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def read_bf16(path):
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__")
    return {name: (np.frombuffer(raw, "<u2", int(np.prod(t["shape"])), 8 + n + t["data_offsets"][0]).astype(np.uint32) << 16).view(np.float32)
            .reshape(t["shape"]) for name, t in header.items()}


def check(out):
    found, want, changed = read_bf16(out / "model.safetensors"), tensors(), changes()
    kept = [i for i, (p, _) in enumerate(PIECES) if p not in ("<mask>", "\u2581\u0434\u0430")]
    near = lambda name, values: np.testing.assert_allclose(found[name], values, rtol=1e-2, atol=1e-3, err_msg=name)  # noqa: E731
    np.testing.assert_array_equal(found["embeddings.word_embeddings.weight"], want["emb.word"][2][kept])
    near("encoder.layer.0.output.dense.weight", want["l0.fo.w"][2])
    near(QUERY + ".weight", want["l0.q.w"][2] + changed[QUERY + ".weight.up"] @ changed[QUERY + ".weight.down"])
    near(NORM + ".bias", changed[NORM + ".bias"])
    near(NORM + ".weight", want["l0.oln.w"][2])
    near("heads.sentiment.weight", changed["heads.sentiment.weight"])
    names = [piece for piece, _ in json.loads((out / "tokenizer.json").read_text())["model"]["vocab"]]
    assert names == [PIECES[i][0] for i in kept], names
    assert json.loads((out / "config.json").read_text())["dunlin"]["heads"][0]["temperature"] == 1.5


def main():
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "make":
        (folder / "base.bin").write_bytes(base())
        write_safetensors(folder / "changes.safetensors", changes())
    else:
        check(pathlib.Path(sys.argv[3]))


if __name__ == "__main__":
    main()
