"""Writes the small random models beside this file, and golden/: what PyTorch makes of them and of models/tweets.

  pip install -r models/tweets/requirements.txt
  python tests/data/make_goldens.py            small models and their goldens
  python tests/data/make_goldens.py --tweets   golden/tweets.jsonl, after models/tweets was trained

golden/NAME.safetensors: tokens and row_start (int32), hidden.0 (embedding output) to hidden.L [tokens, hidden], pooled, and
logits.HEAD and scores.HEAD [rows, labels]; float32, computed in float64. golden/NAME.jsonl: a text a line with its ids, labels and scores.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, BertTokenizerFast

from tweet_texts import TEXTS

HERE = pathlib.Path(__file__).resolve().parent
TWEETS = HERE.parents[1] / "models" / "tweets"
sys.path.append(str(TWEETS))

from normalise import normalise  # noqa: E402

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MODELS = {
    "tiny": dict(seed=1, vocab=800, hidden=32, layers=2, heads=4, inner=64, positions=64, dtype=torch.float32),
    "h48": dict(seed=2, vocab=160, hidden=48, layers=3, heads=3, inner=100, positions=33, dtype=torch.float32),
    "h64": dict(seed=3, vocab=160, hidden=64, layers=1, heads=4, inner=256, positions=130, dtype=torch.bfloat16),
    "h96": dict(seed=4, vocab=160, hidden=96, layers=1, heads=3, inner=384, positions=70, dtype=torch.bfloat16),
}
HEADS = [("mood", ["bad", "neutral", "good"]), ("question", ["no", "yes"])]


def small_vocab(size):
    """Specials, every ASCII piece, then the first pieces of the real vocabulary that have letters."""
    pieces = (TWEETS / "vocab.txt").read_text().split("\n")
    short = [p for p in pieces if p.isascii() and len(p.removeprefix("##")) == 1]
    words = [p for p in pieces if p.isascii() and p.removeprefix("##").isalpha() and p not in short]
    return (SPECIALS + short + words)[:size]


def random_tensor(name, shape, rng):
    """Wide enough that attention, GELU and LayerNorm are all far from their linear range."""
    noise = torch.tensor(rng.standard_normal(shape))
    if name.endswith("LayerNorm.weight"):
        return 1 + 0.2 * noise
    if name.endswith("bias"):
        return 0.2 * noise
    return noise * (0.7 if "embeddings" in name else 1.5 / shape[-1] ** 0.5)


def write_model(name, seed, vocab, hidden, layers, heads, inner, positions, dtype):
    directory = HERE / name
    directory.mkdir(exist_ok=True)
    pieces = small_vocab(vocab)
    config = dict(model_type="bert", architectures=["BertModel"], vocab_size=len(pieces), hidden_size=hidden, num_hidden_layers=layers,
                  num_attention_heads=heads, intermediate_size=inner, hidden_act="gelu", max_position_embeddings=positions, type_vocab_size=2,
                  layer_norm_eps=1e-12, pad_token_id=0)
    rng = np.random.default_rng(seed)
    shapes = {k: v.shape for k, v in BertModel(BertConfig(**config), add_pooling_layer=False).state_dict().items()}
    for head, labels in HEADS:
        shapes |= {f"heads.{head}.weight": (len(labels), 2 * hidden), f"heads.{head}.bias": (len(labels),)}
    tensors = {k: random_tensor(k, tuple(s), rng).to(dtype) for k, s in sorted(shapes.items())}
    dunlin = {"normalise": "tweeteval", "max_tokens": positions, "pooling": ["cls", "mean"],
              "heads": [{"name": h, "labels": labels, "kind": "softmax"} for h, labels in HEADS]}
    tokenizer = json.loads((TWEETS / "tokenizer_config.json").read_text()) | {"model_max_length": positions}
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    (directory / "vocab.txt").write_text("\n".join(pieces) + "\n")
    (directory / "config.json").write_text(json.dumps(config | {"dtype": str(dtype)[6:], "dunlin": dunlin}, indent=2) + "\n")
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2) + "\n")


class Reference:
    """A model directory in float64; one row at a time, so that no padding can leak in."""

    def __init__(self, directory):
        self.config = json.loads((directory / "config.json").read_text())
        self.dunlin = self.config["dunlin"]
        tensors = {k: v.double() for k, v in load_file(directory / "model.safetensors").items()}
        self.heads = {h["name"]: h["labels"] for h in self.dunlin["heads"]}
        self.kind = {h["name"]: h["kind"] for h in self.dunlin["heads"]}
        self.scaling = {h["name"]: (h.get("shift", 0.0), h.get("temperature", 1.0)) for h in self.dunlin["heads"]}
        self.linear = {h: (tensors.pop(f"heads.{h}.weight"), tensors.pop(f"heads.{h}.bias")) for h in self.heads}
        self.encoder = BertModel(BertConfig(**{k: v for k, v in self.config.items() if k != "dtype"}), add_pooling_layer=False).double().eval()
        self.encoder.load_state_dict(tensors, strict=True)
        self.tokenizer = BertTokenizerFast.from_pretrained(directory)

    def ids(self, text):
        return self.tokenizer(normalise(text), truncation=True, max_length=self.dunlin["max_tokens"])["input_ids"]

    @torch.no_grad()
    def run(self, ids):
        states = self.encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states
        last = states[-1][0]
        out = {f"hidden.{i}": s[0] for i, s in enumerate(states)} | {"pooled": torch.cat([last[0], last.mean(0)])[None]}
        for head, (weight, bias) in self.linear.items():
            out[f"logits.{head}"] = out["pooled"] @ weight.T + bias
            shift, temperature = self.scaling[head]
            logits = (out[f"logits.{head}"] + shift) / temperature
            out[f"scores.{head}"] = logits.softmax(1) if self.kind[head] == "softmax" else logits.sigmoid()
        return out

    def score(self, text):
        out = self.run(self.ids(text))
        scores = {h: out[f"scores.{h}"][0] for h in self.heads}
        return {"text": text, "ids": self.ids(text), "labels": {h: self.heads[h][p.argmax()] for h, p in scores.items()},
                "scores": {h: {n: round(float(q), 9) for n, q in zip(self.heads[h], p)} for h, p in scores.items()}}


def random_rows(model, seed):
    """Rows of 2 tokens (an empty text) to the longest, one of them twice."""
    rng, longest = np.random.default_rng(100 + seed), model.config["max_position_embeddings"]
    lengths = [2, 3, longest, 17, 2, 9, 5, longest - 1, 16, 31]
    rows = [[2, *rng.integers(5, model.config["vocab_size"], n - 2).tolist(), 3] for n in lengths]
    return rows + [rows[3]]


def write_layers(name, seed):
    model = Reference(HERE / name)
    rows = random_rows(model, seed)
    results = [model.run(row) for row in rows]
    golden = {k: torch.cat([r[k] for r in results]).float() for k in results[0]}
    golden["tokens"] = torch.tensor(sum(rows, []), dtype=torch.int32)
    golden["row_start"] = torch.tensor(np.cumsum([0] + [len(r) for r in rows]), dtype=torch.int32)
    save_file(golden, HERE / "golden" / f"{name}.safetensors")


def write_texts(name, directory):
    model = Reference(directory)
    lines = [json.dumps(model.score(t)) for t in TEXTS]
    (HERE / "golden" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def main():
    (HERE / "golden").mkdir(exist_ok=True)
    if "--tweets" in sys.argv[1:]:
        return write_texts("tweets", TWEETS)
    for name, shape in MODELS.items():
        write_model(name, **shape)
        write_layers(name, shape["seed"])
    write_texts("tiny", HERE / "tiny")


if __name__ == "__main__":
    main()
