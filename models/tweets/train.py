"""Trains models/tweets: one BERT encoder with a linear head per task, on CPU. README.md says with what and how well.

  train.py --out build/model-1 --seed 1                                      on the labels
  train.py --out build/model --start build/model-average --teachers build/model-1 ...   on the scores of teachers and linear.py as well
  train.py --out build/model-average --average build/model-1 build/model-2 ...          no training: the mean of weights
A run that was cut goes on from its checkpoint in build/train when the same command is given again.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

from encoder import (BUILD, encode, export, from_base, linear_schedule, load_checkpoint, names_of, pad, read_model, run_batched,
                     save_checkpoint)
from linear import read_scores
from tasks import ROUNDS, load_heads, score_all

SMOOTHING = 0.05
OWN_SHARE = 0.4  # of the label in what a row's own head learns beside teachers
SIGMOID_SCALE = 4  # of the mean over labels: about as much as a softmax head loses
FOUND_WEIGHT = torch.tensor(2.0)  # of a topic that hashtags say, beside one that they do not: authors never tag all
LINEAR_SHARE = 0.35  # of the linear row in what teachers say of a row's own head, where it has any
OTHERS_WEIGHT = 0.3  # of the heads that a row has no label for: teachers alone


class Rows:
    """All train rows: pieces, whose label it is, and for every row the targets of all heads with the weight of each head."""

    def __init__(self, heads):
        self.texts = texts = [text for head in heads for text, _ in head.train]
        self.pieces = encode(texts)
        self.head = np.repeat(np.arange(len(heads)), [len(h.train) for h in heads])
        self.targets = torch.zeros(len(texts), heads[-1].columns.stop)
        self.weights = torch.zeros(len(texts), len(heads))
        self.weights[torch.arange(len(texts)), torch.from_numpy(self.head)] = 1
        row = 0
        for head in heads:
            smoothing = SMOOTHING if head.kind == "softmax" else 0
            for _, labels in head.train:
                self.targets[row, head.columns] = smoothing / len(head.labels)
                self.targets[row, [head.first + label for label in labels]] += 1 - smoothing
                row += 1

    def learn_from(self, teachers, heads, used):
        """Mixes in what teachers say of the rows `used`: a part of a row's own head, all of the others. That is the mean of those that
        have a head, and on the row's own head some of the linear row beside."""
        said, n_said = torch.zeros(len(used), self.targets.shape[1]), torch.zeros(self.targets.shape[1])
        for directory in teachers:
            own = [head for head in heads if head.name in names_of(directory)]
            with torch.autocast("cpu", torch.bfloat16):
                logits = run_batched(read_model(directory, own).eval(), encode([self.texts[i] for i in used], directory)).float()
            for head, found in zip(own, logits.split([len(h.labels) for h in own], dim=1)):
                said[:, head.columns] += found.softmax(1) if head.kind == "softmax" else found.sigmoid()
                n_said[head.columns] += 1
        if missing := [head.name for head in heads if not n_said[head.first]]:
            raise SystemExit(f"no teacher has the heads {', '.join(missing)}")
        said /= n_said
        linear, used = read_scores(heads), np.asarray(used)
        for number, head in enumerate(heads):
            if head.name in linear:
                own = np.flatnonzero(self.head[used] == number)
                rows = used[own] - np.flatnonzero(self.head == number)[0]
                said[own, head.columns] *= 1 - LINEAR_SHARE
                said[own, head.columns] += LINEAR_SHARE * torch.from_numpy(linear[head.name][rows])
        own = self.weights[used][:, [h for h, head in enumerate(heads) for _ in head.labels]]
        self.targets[used] = own * (OWN_SHARE * self.targets[used] + (1 - OWN_SHARE) * said) + (1 - own) * said
        self.weights = self.weights + OTHERS_WEIGHT * (1 - self.weights)


def schedule(rows, heads, args):
    """All steps of the run as row numbers: each epoch has ROUNDS of each head's rows, shuffled together, like lengths together."""
    rng, steps = np.random.default_rng(args.seed), []
    for _ in range(args.epochs):
        picks = []
        for number, head in enumerate(heads):
            own, rounds = np.flatnonzero(rows.head == number), ROUNDS[head.name] * args.share
            picks.append(np.concatenate([rng.permutation(own) for _ in range(math.ceil(rounds))])[:int(rounds * len(own))])
        order, batches = rng.permutation(np.concatenate(picks)), []
        for start in range(0, len(order), 32 * args.batch):
            pool = sorted(order[start:start + 32 * args.batch], key=lambda i: len(rows.pieces[i]))
            batches += [pool[i:i + args.batch] for i in range(0, len(pool), args.batch)]
        steps += [batches[i] for i in rng.permutation(len(batches))]
    return steps


def loss_of(logits, targets, weights, heads):
    """Cross entropy with the targets, summed over heads by weight; the mean over rows."""
    total = 0
    for number, head in enumerate(heads):
        own, wanted = logits[:, head.columns], targets[:, head.columns]
        if head.kind == "softmax":
            losses = -(wanted * F.log_softmax(own, dim=1)).sum(1)
        else:
            losses = F.binary_cross_entropy_with_logits(own, wanted, pos_weight=FOUND_WEIGHT, reduction="none").mean(1) * SIGMOID_SCALE
        total = total + (weights[:, number] * losses).sum()
    return total / len(logits)


def make_optimizer(model, args):
    groups = [{"params": [p for p in model.encoder.parameters() if p.requires_grad], "lr": args.lr},
              {"params": list(model.heads.parameters()), "lr": args.head_lr}]
    return torch.optim.AdamW(groups, weight_decay=0.01, fused=True)


def fine_tune(model, rows, heads, steps, args):
    optimizer = make_optimizer(model, args)
    rate = linear_schedule(optimizer, len(steps))
    checkpoint, parts = BUILD / f"{args.out.name}.pt", {"model": model, "optimizer": optimizer, "rate": rate}
    first = load_checkpoint(checkpoint, **parts)
    model.train()
    started, losses = time.monotonic(), []
    for n in range(first, len(steps)):
        picks = steps[n]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(*pad([rows.pieces[i] for i in picks]))
        loss = loss_of(logits.float(), rows.targets[picks], rows.weights[picks], heads)
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


def average(models):
    """The mean of the weights; the models started at the same ones."""
    states = [m.state_dict() for m in models]
    models[0].load_state_dict({k: sum(s[k] for s in states) / len(states) for k in states[0]})
    return models[0]


def balance(model, head):
    """Half of the log of its share among the train texts off each label's bias: rare labels are said more often, as macro F1 wants it.
    source: Menon et al. 2021, "Long-tail learning via logit adjustment"."""
    n_texts = np.bincount([labels[0] for _, labels in head.train], minlength=len(head.labels))
    model.heads.bias.data[head.columns] -= 0.5 * torch.from_numpy(np.log(n_texts / n_texts.sum())).float()


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="model directory to write")
    parser.add_argument("--start", type=pathlib.Path, help="model to start at, heads included")
    parser.add_argument("--teachers", type=pathlib.Path, nargs="+", default=[], help="models whose mean score is learnt too")
    parser.add_argument("--average", type=pathlib.Path, nargs="+", help="write the mean of these models' weights")
    parser.add_argument("--balance", choices=ROUNDS, help="head whose rare labels are to be said more often")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1, help="of ROUNDS (tasks.py) in an epoch")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--head-lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    args = parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    heads = load_heads()
    if args.average:
        model = average([read_model(path, heads) for path in args.average])
    else:
        torch.manual_seed(0)  # the same heads at the start of every seed, so that weights can be averaged
        model = read_model(args.start, heads) if args.start else from_base(heads[-1].columns.stop)
        torch.manual_seed(args.seed)
        rows = Rows(heads)
        steps = schedule(rows, heads, args)
        if args.teachers:
            rows.learn_from(args.teachers, heads, sorted({i for step in steps for i in step}))
        fine_tune(model, rows, heads, steps, args)
    for head in heads:
        if head.name == args.balance:
            balance(model, head)
    export(model, heads, args.out)
    model = read_model(args.out, heads).eval()  # as it is shipped, in bf16
    scores = score_all(heads, lambda texts: run_batched(model, encode(texts)).numpy())
    (BUILD / f"{args.out.name}.json").write_text(json.dumps(scores, indent=2) + "\n")
    print(" ".join(f"{h} {s:.1f}" for h, s in scores.items()))


if __name__ == "__main__":
    main()
