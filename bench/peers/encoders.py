"""The shipped model in other runtimes against ours: the same texts, turns about, one table. See README.md."""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "tweets"
sys.path.insert(0, str(MODEL))


def parse_args():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--driver", default=str(ROOT / "build/release/bench/peers/peer_encoder"))
    p.add_argument("--texts", type=int, default=512)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batches", default="8,32,64", help="texts of a batch of the peers, each is tried")
    p.add_argument("--tokens", type=int, default=512, help="tokens of our micro-batches")
    p.add_argument("--backends", default="fp32,cpu:avx2,cpu:avx2-s16,cpu:avxvnni,cpu:vnni,cpu:amx,cpu:amx-bf16")
    p.add_argument("--peers", default="torch,ort,openvino")
    return p.parse_args()


def read_ids(n_texts):
    """Token ids of evenly spread validation tweets, sorted by length: what every runtime likes best."""
    from tokenizers import BertWordPieceTokenizer
    from normalise import normalise
    from tasks import FIVE, read_suite

    rows = read_suite("validation")
    texts = [normalise(row["text"]) for task in FIVE for row in rows if row["task"] == task]
    step = len(texts) / n_texts
    tokenizer = BertWordPieceTokenizer(str(MODEL / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(128)
    picked = [texts[int(i * step)] for i in range(n_texts)]
    return sorted((e.ids for e in tokenizer.encode_batch(picked)), key=len)


def padded(ids, size):
    """The texts in batches of `size`, each padded to its longest."""
    for begin in range(0, len(ids), size):
        rows = ids[begin:begin + size]
        x = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(x)
        for i, row in enumerate(rows):
            x[i, :len(row)], mask[i, :len(row)] = row, 1
        yield x, mask


class Runtime:
    """One way to run the encoder; run(x, mask) gives its last hidden states."""

    def __init__(self, name, run):
        self.name, self.run = name, run

    def passes(self, batches):
        wall, cpu = time.perf_counter(), time.process_time()
        for x, mask in batches:
            self.run(x, mask)
        return time.perf_counter() - wall, time.process_time() - cpu


def torch_model():
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    config = json.loads((MODEL / "config.json").read_text())
    config = {k: v for k, v in config.items() if k not in ("dunlin", "architectures", "model_type", "dtype")}
    model = BertModel(BertConfig(**config, attn_implementation="sdpa"), add_pooling_layer=False).eval()
    tensors = {k.removeprefix("bert."): v.float() for k, v in load_file(MODEL / "model.safetensors").items()}
    missing = model.load_state_dict(tensors, strict=False).missing_keys
    assert not [k for k in missing if "position_ids" not in k], missing
    torch.set_grad_enabled(False)
    return model


def torch_runtimes(threads):
    import torch

    torch.set_num_threads(threads)
    for name, dtype in ("fp32", torch.float32), ("bf16", torch.bfloat16):
        model = torch_model().to(dtype)

        def run(x, mask, model=model):
            return model(input_ids=torch.from_numpy(x), attention_mask=torch.from_numpy(mask)).last_hidden_state.float().numpy()

        yield Runtime(f"PyTorch {name}", run)


def export(path):
    import torch

    class Encoder(torch.nn.Module):
        """Tensors in, tensor out: what the exporter can trace."""

        def __init__(self):
            super().__init__()
            self.model = torch_model()
            self.model.set_attn_implementation("eager")

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    model = Encoder().eval()
    x = torch.ones((2, 16), dtype=torch.long)
    axes = {0: "rows", 1: "length"}
    torch.onnx.export(model, (x, x), path, input_names=["input_ids", "attention_mask"],
                      output_names=["last_hidden_state"], opset_version=17, dynamo=False,
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "last_hidden_state": axes})


def ort_runtimes(folder, threads):
    import onnxruntime as ort
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer

    fused = str(folder / "fused.onnx")
    optimizer.optimize_model(str(folder / "model.onnx"), "bert", num_heads=12, hidden_size=384,
                             opt_level=1).save_model_to_file(fused)
    quantize_dynamic(fused, str(folder / "int8.onnx"), per_channel=True, extra_options={"DefaultTensorType": 1})
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    for name, path in ("fp32", fused), ("int8 dynamic", str(folder / "int8.onnx")):
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def run(x, mask, session=session):
            return session.run(None, {"input_ids": x, "attention_mask": mask})[0]

        yield Runtime(f"ONNX Runtime {name}", run)


def openvino_runtimes(folder, threads, calibration):
    import nncf
    import openvino as ov

    core = ov.Core()
    plain = core.read_model(folder / "model.onnx")
    data = nncf.Dataset([{"input_ids": x, "attention_mask": m} for x, m in calibration])
    with contextlib.redirect_stdout(sys.stderr):
        quantised = nncf.quantize(core.read_model(folder / "model.onnx"), data, model_type=nncf.ModelType.TRANSFORMER,
                                  subset_size=len(calibration))
    for name, model, hint in ("fp32", plain, "f32"), ("bf16", plain, "bf16"), ("int8 static", quantised, "bf16"):
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                                     "INFERENCE_PRECISION_HINT": hint})
        request = compiled.create_infer_request()

        def run(x, mask, request=request):
            return request.infer({"input_ids": x, "attention_mask": mask})[0]

        yield Runtime(f"OpenVINO {name}", run)


class Ours:
    def __init__(self, args, path):
        command = [args.driver, str(MODEL), str(path), str(args.tokens), str(args.threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def passes(self, backend):
        self.process.stdin.write(backend + "\n")
        self.process.stdin.flush()
        wall, cpu = self.process.stdout.readline().split()
        return int(wall) / 1e9, int(cpu) / 1e9


def usable(ours, args, path):
    """The backends of this machine: the driver ends at one that is not."""
    for name in args.backends.split(","):
        probe = Ours(args, path)
        out, _ = probe.process.communicate(name + "\n")
        if out.strip():
            yield name


def worst_difference(runtime, reference, batches):
    """Relative distance from PyTorch fp32 over the tokens that are not padding."""
    got = [runtime.run(x, m)[m == 1] for x, m in batches]
    want = [reference.run(x, m)[m == 1] for x, m in batches]
    return np.linalg.norm(np.concatenate(got) - np.concatenate(want)) / np.linalg.norm(np.concatenate(want))


def quartile_spread(x):
    low, middle, high = np.percentile(x, (25, 50, 75))
    return (high - low) / middle


def main():
    args = parse_args()
    ids = read_ids(args.texts)
    tokens = sum(map(len, ids))
    sizes = [int(s) for s in args.batches.split(",")]
    batches = {s: list(padded(ids, s)) for s in sizes}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / "ids.txt"
        path.write_text("".join(" ".join(map(str, row)) + "\n" for row in ids))
        reference = next(iter(torch_runtimes(args.threads)))
        export(str(folder / "model.onnx"))
        peers = []
        wanted = args.peers.split(",")
        if "torch" in wanted:
            peers += torch_runtimes(args.threads)
        if "ort" in wanted:
            peers += ort_runtimes(folder, args.threads)
        if "openvino" in wanted:
            peers += openvino_runtimes(folder, args.threads, batches[sizes[0]][::4])
        lines = {}
        few = batches[sizes[0]][::8]
        distance = {p.name: worst_difference(p, reference, few) for p in peers}
        ours = Ours(args, path)
        backends = list(usable(ours, args, path))
        for run in range(args.runs + 1):  # the first is the warm-up
            for backend in backends:
                lines.setdefault((f"dunlin {backend}", f"{args.tokens} tokens"), []).append(ours.passes(backend))
            for peer in peers:
                for size in sizes:
                    lines.setdefault((peer.name, f"{size} texts"), []).append(peer.passes(batches[size]))
        ours.process.communicate()
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {args.threads} thread(s); load "
          f"{os.getloadavg()[0]:.1f}; {len(ids)} texts, {tokens} tokens ({tokens / len(ids):.1f} a text); {args.runs} runs")
    print("# versions: " + ", ".join(f"{m} {__import__(m).__version__}" for m in ("torch", "onnxruntime", "openvino", "nncf", "transformers")
                                      if m in sys.modules))
    print(f"{'runtime':26s} {'batch':11s} {'wall tweets/s':>13s} {'CPU tweets/s':>13s} {'spread %':>9s} {'distance':>9s}")
    rates = {}
    for (runtime, batch), runs in lines.items():
        cpu = [c for _, c in runs[1:]]
        rate = len(ids) / statistics.median(cpu)
        rates.setdefault(runtime, []).append(rate)
        wall = len(ids) / statistics.median(w for w, _ in runs[1:])
        far = f"{distance[runtime]:9.4f}" if runtime in distance else ""
        print(f"{runtime:26s} {batch:11s} {wall:13.0f} {rate:13.0f} {100 * quartile_spread(cpu):9.1f} {far}")
    print("\nours / peer at its best batch, by CPU time")
    best = {k: max(v) for k, v in rates.items()}
    mine = [k for k in best if k.startswith("dunlin")]
    print(f"{'':26s} " + " ".join(f"{m.removeprefix('dunlin '):>12s}" for m in mine))
    for peer in best:
        if peer not in mine:
            print(f"{peer:26s} " + " ".join(f"{best[m] / best[peer]:12.2f}" for m in mine))


if __name__ == "__main__":
    main()
