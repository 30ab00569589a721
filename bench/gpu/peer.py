#!/usr/bin/env python3
"""The same encoder in PyTorch on the same GPU: the peer of bench/gpu/run.

Rows of 12 to 44 tokens, 28 in the mean, bf16, MiniLM-L6 sizes with random weights; padded to 48 as a served model would, with
scaled-dot-product attention, eager and compiled, at several batches. Prints tweets/s, the median of five seconds each.
"""

import statistics
import time

import torch

HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, LENGTH = 384, 6, 12, 1536, 30522, 48


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word = torch.nn.Embedding(VOCABULARY, HIDDEN)
        self.place = torch.nn.Parameter(torch.randn(LENGTH, HIDDEN))
        self.norm = torch.nn.LayerNorm(HIDDEN)
        layer = torch.nn.TransformerEncoderLayer(HIDDEN, HEADS, INNER, 0, "gelu", batch_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, LAYERS)
        self.head = torch.nn.Linear(HIDDEN, 3)

    def forward(self, token, padding):
        x = self.norm(self.word(token) + self.place)
        x = self.layers(x, src_key_padding_mask=padding)
        keep = (~padding).unsqueeze(-1)
        return self.head((x * keep).sum(1) / keep.sum(1)).float().softmax(-1)


def batch_of(n):
    length = torch.randint(12, 45, (n, 1))
    padding = torch.arange(LENGTH).expand(n, LENGTH) >= length
    token = torch.randint(0, VOCABULARY, (n, LENGTH)).masked_fill(padding, 0)
    return token.cuda(), padding.cuda()


def rate(call, n):
    token, padding = batch_of(n)
    for _ in range(5):
        call(token, padding)
    rates = []
    for _ in range(5):
        torch.cuda.synchronize()
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < 1:
            for _ in range(4):
                call(token, padding)
            torch.cuda.synchronize()
            done += 4 * n
        rates.append(done / (time.perf_counter() - begin))
    return statistics.median(rates), (max(rates) - min(rates)) / 2 / statistics.median(rates)


def main():
    torch.manual_seed(1)
    model = Encoder().cuda().bfloat16().eval()
    with torch.inference_mode():
        for name, call in (("eager", model), ("compiled", torch.compile(model))):
            for n in (64, 256, 1024, 4096):
                try:
                    median, spread = rate(call, n)
                except RuntimeError as error:
                    print(f"PyTorch {torch.__version__} {name}, batch {n}: {str(error).splitlines()[0]}")
                    continue
                print(f"peer         PyTorch {torch.__version__} {name}, batch {n:5d} {median:12.4g} tweets/s  +-{100 * spread:4.1f} %")


if __name__ == "__main__":
    main()
