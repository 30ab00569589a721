#!/usr/bin/env python3
"""The same encoder in PyTorch and ONNX Runtime on the same GPU: the peers of bench/gpu/run.

Rows of 12 to 44 tokens, 28 in the mean, MiniLM-L6 sizes with random weights, PyTorch in bf16 and ONNX Runtime in fp16:

  padded    every row to 48 tokens
  bucketed  rows of like length together, each batch to the next multiple of 8
  packed    no padding: jagged tensors into scaled-dot-product attention

each eager and compiled, and ONNX Runtime's fused graph over padded and bucketed batches. A row for each batch size, the best
of each way last: tweets/s, the median of five runs. Full rows, which need no padding, only as `padded`.

    peer.py [--full 128] [--texts FILE] [--seconds S] [--device cpu --batches 4]   the last two are for trying it without a GPU

--texts (JSON Lines with `text`) times Hugging Face's tokenizers on all cores as well, with the vocabulary of models/tweets: with tokenisation a peer has the
lesser of both rates, as if they overlapped perfectly.
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time

import torch
from torch.nn import functional

HIDDEN, LAYERS, HEADS, INNER, VOCABULARY, BUCKET, RUNS, BATCHES = 384, 6, 12, 1536, 30522, 8, 5, 8
LENGTH, FULL = 48, 0  # of the longest row, and of all; set by --full


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = torch.nn.Linear(HIDDEN, 3 * HIDDEN), torch.nn.Linear(HIDDEN, HIDDEN)
        self.up, self.down = torch.nn.Linear(HIDDEN, INNER), torch.nn.Linear(INNER, HIDDEN)
        self.attention_norm, self.output_norm = torch.nn.LayerNorm(HIDDEN), torch.nn.LayerNorm(HIDDEN)

    def forward(self, x, attend):
        x = self.attention_norm(x + self.out(attend(self.qkv(x))))
        return self.output_norm(x + self.down(functional.gelu(self.up(x))))


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.place = torch.nn.Embedding(VOCABULARY, HIDDEN), torch.nn.Embedding(LENGTH, HIDDEN)
        self.norm, self.head = torch.nn.LayerNorm(HIDDEN), torch.nn.Linear(HIDDEN, 3)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))

    def embed(self, token, place):
        return self.norm(self.word(token) + self.place(place))


class Padded(Encoder):
    """token [B][S], keep [B][S]: which of them are there."""

    def forward(self, token, keep):
        rows, length = token.shape
        mask = keep[:, None, None, :]

        def attend(qkv):
            q, k, v = qkv.view(rows, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            context = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            return context.transpose(1, 2).reshape(rows, length, HIDDEN)

        x = self.embed(token, torch.arange(length, device=token.device))
        for layer in self.layers:
            x = layer(x, attend)
        weight = keep.unsqueeze(-1).to(x.dtype)
        return self.head((x * weight).sum(1) / weight.sum(1)).float().softmax(-1)


class Packed(Encoder):
    """token [T], place [T], row [T], start [B + 1]: no padding."""

    def forward(self, token, place, row, start, rows: int):
        def attend(qkv):
            def heads(x):
                jagged = torch.nested.nested_tensor_from_jagged(x, start, min_seqlen=1, max_seqlen=LENGTH)
                return jagged.unflatten(-1, (HEADS, -1)).transpose(1, 2)

            q, k, v = (heads(x) for x in qkv.split(HIDDEN, -1))
            return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2).values()

        x = self.embed(token, place)
        for layer in self.layers:
            x = layer(x, attend)
        sums = torch.zeros(rows, HIDDEN, dtype=x.dtype, device=x.device).index_add_(0, row, x)
        return self.head(sums / start.diff().unsqueeze(-1)).float().softmax(-1)


def lengths_of(rows, bucketed):
    """BATCHES batches; bucketed: of rows that a sort put together."""
    lengths = torch.full((BATCHES * rows,), FULL) if FULL else torch.randint(12, 45, (BATCHES * rows,))
    return (lengths.sort().values if bucketed else lengths).view(BATCHES, rows)


def padded_batches(rows, bucketed, device):
    out = []
    for lengths in lengths_of(rows, bucketed):
        width = -(-int(lengths.max()) // BUCKET) * BUCKET if bucketed else LENGTH
        keep = torch.arange(width).expand(rows, width) < lengths.unsqueeze(-1)
        out.append((torch.randint(0, VOCABULARY, (rows, width)).masked_fill(~keep, 0).to(device), keep.to(device)))
    return out


def packed_batches(rows, device):
    out = []
    for lengths in lengths_of(rows, False):
        start = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        row = torch.repeat_interleave(torch.arange(rows), lengths)
        place = torch.arange(len(row)) - start[row]
        token = torch.randint(0, VOCABULARY, (len(row),))
        out.append((*(x.to(device) for x in (token, place, row, start)), rows))
    return out


def rate(call, batches, rows, seconds, finish):
    """Tweets/s: all batches in turn, as many rounds as fill the time."""
    rates = []
    for run in range(RUNS + 1):  # the first warms, compiles and records
        begin, done = time.perf_counter(), 0
        while done == 0 or time.perf_counter() - begin < seconds:
            for batch in batches:
                call(*batch)
            finish()
            done += rows * len(batches)
        if run:
            rates.append(done / (time.perf_counter() - begin))
    middle = statistics.median(rates)
    return middle, (max(rates) - min(rates)) / 2 / middle


def tokenise_rate(path, seconds):
    """Texts/s of the reference tokeniser: one call for all texts, which uses all cores."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    vocabulary = pathlib.Path(__file__).resolve().parents[2] / "models" / "tweets" / "vocab.txt"
    tokenizer = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    return rate(tokenizer.encode_batch_fast, [(texts,)], len(texts), seconds, lambda: None)


def runtime_call(device):
    """ONNX Runtime's fused graph in fp16; None and why where it cannot be had."""
    try:
        import onnxruntime
        from onnxruntime.transformers import optimizer
    except ImportError as error:
        return None, str(error)
    provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        return None, f"onnxruntime {onnxruntime.__version__} has no {provider}: install onnxruntime-gpu"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder.onnx")
        model, (token, keep) = Padded().eval(), padded_batches(2, False, "cpu")[0]
        axes = {0: "rows", 1: "tokens"}
        torch.onnx.export(model, (token, keep), path, input_names=["token", "keep"], output_names=["score"],
                          dynamic_axes={"token": axes, "keep": axes}, opset_version=17, dynamo=False)
        fused = optimizer.optimize_model(path, model_type="bert", num_heads=HEADS, hidden_size=HIDDEN,
                                         use_gpu=device == "cuda", opt_level=1)
        if device == "cuda":
            fused.convert_float_to_float16(keep_io_types=True)
        fused.save_model_to_file(path)
        session = onnxruntime.InferenceSession(path, providers=[provider])

    def call(token, keep):
        binding = session.io_binding()
        for name, x, kind in (("token", token, "int64"), ("keep", keep, "bool")):
            binding.bind_input(name, device, 0, kind, tuple(x.shape), x.data_ptr())
        binding.bind_output("score", device)
        session.run_with_iobinding(binding)

    return call, f"ONNX Runtime {onnxruntime.__version__}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--full", type=int, default=0)
    parser.add_argument("--texts")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256, 1024, 4096])
    args = parser.parse_args()
    global LENGTH, FULL
    LENGTH, FULL = args.full or LENGTH, args.full
    torch.manual_seed(1)
    finish = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    kind = torch.bfloat16 if args.device == "cuda" else torch.float32
    padded, packed = (model().to(args.device, kind).eval() for model in (Padded, Packed))
    runtime, runtime_name = runtime_call(args.device)
    if not runtime:
        print(f"peer         no ONNX Runtime: {runtime_name}")
    name = f"PyTorch {torch.__version__}"
    ways = [(f"{name} {how}, {way}", compiled(model) if how == "compiled" else model, way)
            for way, model in (("padded", padded), ("bucketed", padded), ("packed", packed))
            for how, compiled in (("eager", None), ("compiled", lambda m: torch.compile(m, dynamic=True)))]
    ways += [(f"{runtime_name}, {way}", runtime, way) for way in ("padded", "bucketed") if runtime]
    if FULL:
        ways = [(f"{name} of {FULL} tokens", call, way) for name, call, way in ways if way == "padded"]
    fastest = 0
    with torch.inference_mode():
        for name, call, way in ways:
            best = 0
            for rows in args.batches:
                batches = packed_batches(rows, args.device) if way == "packed" else \
                    padded_batches(rows, way == "bucketed", args.device)
                try:
                    middle, spread = rate(call, batches, rows, args.seconds, finish)
                except Exception as error:  # one that a peer cannot do is a row, too
                    print(f"peer         {name}, batch {rows}: {type(error).__name__}: {str(error).splitlines()[0]}")
                    continue
                best = max(best, middle)
                print(f"peer         {name + f', batch {rows}':60} {middle:12.4g} tweets/s  +-{100 * spread:4.1f} %", flush=True)
            if best:
                print(f"peer         {name + ', its best':60} {best:12.4g} tweets/s", flush=True)
            fastest = max(fastest, best)
    if args.texts:
        middle, spread = tokenise_rate(args.texts, args.seconds)
        print(f"peer         {f'tokenizers on {os.cpu_count()} cores':60} {middle:12.4g} tweets/s  +-{100 * spread:4.1f} %")
        print(f"peer         {'with tokenisation, the lesser of both':60} {min(middle, fastest):12.4g} tweets/s")


if __name__ == "__main__":
    main()
