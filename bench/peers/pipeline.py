"""The script that a user would write instead: a Kafka topic through tokenizers and ONNX Runtime into HDF5.

    build/peers/bin/python bench/peers/pipeline.py prepare FOLDER            the shipped model as fp32.onnx and int8.onnx
    build/peers/bin/python bench/peers/pipeline.py run FOLDER -b HOST:PORT -t TOPIC -o OUT
    build/peers/bin/python bench/peers/pipeline.py compare OUT_OF_DUNLIN -o OUT

It reads every partition to its end and writes scores, labels and places of each record; offsets are committed after the
rows that they stand for. A process per core with one thread each: nothing is idle while another part of the script works.
"""
import argparse
import json
import multiprocessing
import pathlib
import resource
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "tweets"
WINDOW = 4096  # records that are sorted by length together
PAD = 0


def heads():
    return json.loads((MODEL / "config.json").read_text())["dunlin"]["heads"]


# ---------------------------------------------------------------- once: the model for ONNX Runtime


def prepare(folder):
    """Encoder, pooling and heads as one graph; fused by ONNX Runtime's own optimiser, then quantised by its own tool."""
    import torch
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer
    from safetensors.torch import load_file

    from encoders import torch_model

    tensors = load_file(MODEL / "model.safetensors")

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch_model()
            self.encoder.set_attn_implementation("eager")
            names = [f"heads.{h['name']}" for h in heads()]
            self.weight = torch.cat([tensors[f"{n}.weight"].float() for n in names])
            self.bias = torch.cat([tensors[f"{n}.bias"].float() for n in names])

        def forward(self, ids, mask):
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).float()
            pooled = torch.cat([hidden[:, 0], (hidden * weight).sum(1) / weight.sum(1)], dim=1)
            return pooled @ self.weight.T + self.bias

    torch.set_grad_enabled(False)
    x = torch.ones((2, 16), dtype=torch.long)
    axes = {0: "rows", 1: "length"}
    torch.onnx.export(Whole().eval(), (x, x), str(folder / "plain.onnx"), input_names=["ids", "mask"],
                      output_names=["logits"], opset_version=17, dynamo=False,
                      dynamic_axes={"ids": axes, "mask": axes, "logits": {0: "rows"}})
    fused = optimizer.optimize_model(str(folder / "plain.onnx"), "bert", num_heads=12, hidden_size=384, opt_level=1)
    fused.save_model_to_file(str(folder / "fp32.onnx"))
    quantize_dynamic(str(folder / "fp32.onnx"), str(folder / "int8.onnx"), per_channel=True,
                     extra_options={"DefaultTensorType": 1})


# ---------------------------------------------------------------- the script


class Scorer:
    def __init__(self, path, threads, rows):
        import onnxruntime as ort
        from tokenizers import BertWordPieceTokenizer

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = BertWordPieceTokenizer(str(MODEL / "vocab.txt"), lowercase=True)
        self.tokenizer.enable_truncation(128)
        self.rows = rows

    def logits(self, texts):
        """Batches of like lengths, each padded to its longest; the order of the texts is restored."""
        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        parts = []
        for begin in range(0, len(order), self.rows):
            rows = [ids[i] for i in order[begin:begin + self.rows]]
            x = np.full((len(rows), len(rows[-1])), PAD, np.int64)
            mask = np.zeros_like(x)
            for i, row in enumerate(rows):
                x[i, :len(row)], mask[i, :len(row)] = row, 1
            parts.append(self.session.run(None, {"ids": x, "mask": mask})[0])
        out = np.concatenate(parts)
        out[order] = out.copy()
        return out


class Writer:
    """Growing columns of one HDF5 file."""

    def __init__(self, path):
        import h5py

        self.file = h5py.File(path, "w")

    def add(self, name, column):
        if name not in self.file:
            self.file.create_dataset(name, data=column, maxshape=(None, *column.shape[1:]), chunks=(16384, *column.shape[1:]))
            return
        dataset = self.file[name]
        dataset.resize(len(dataset) + len(column), axis=0)
        dataset[-len(column):] = column

    def write(self, messages, logits):
        self.add("records/partition", np.array([m.partition() for m in messages], np.int32))
        self.add("records/offset", np.array([m.offset() for m in messages], np.int64))
        column = 0
        for head in heads():
            own = logits[:, column:column + len(head["labels"])]
            column += len(head["labels"])
            power = np.exp(own - own.max(axis=1, keepdims=True))
            self.add(f"scores/{head['name']}", (power / power.sum(axis=1, keepdims=True)).astype(np.float32))
            self.add(f"labels/{head['name']}", own.argmax(axis=1).astype(np.uint8))
        self.file.flush()


def process_cpu_s():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def work(args, number, results):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

    sys.path.insert(0, str(MODEL))
    from normalise import normalise

    scorer = Scorer(f"{args.folder}/{args.precision}.onnx", args.threads, args.rows)
    writer = Writer(f"{args.output}/{number}.h5")
    consumer = Consumer({"bootstrap.servers": args.broker, "group.id": f"peer-{time.time_ns()}", "enable.auto.commit": False,
                         "enable.partition.eof": True, "fetch.min.bytes": 1})
    partitions = sorted(consumer.list_topics(args.topic).topics[args.topic].partitions)
    left = {p for p in partitions if p % args.processes == number}
    begin, cpu_s = time.monotonic(), process_cpu_s()
    consumer.assign([TopicPartition(args.topic, p, OFFSET_BEGINNING) for p in left])
    n = 0
    while left:
        messages = []
        for message in consumer.consume(WINDOW, timeout=0.2):
            if not message.error():
                messages.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
            else:
                raise RuntimeError(message.error())
        if messages:
            writer.write(messages, scorer.logits([normalise(json.loads(m.value())["text"]) for m in messages]))
            next_offset = {}
            for m in messages:
                next_offset[m.partition()] = m.offset() + 1
            consumer.commit(offsets=[TopicPartition(args.topic, p, o) for p, o in next_offset.items()], asynchronous=False)
            n += len(messages)
    writer.file.close()
    results.put({"records": n, "begin": begin, "end": time.monotonic(), "cpu_s": process_cpu_s() - cpu_s})
    consumer.close()


def run(args):
    pathlib.Path(args.output).mkdir(parents=True)
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(args, i, results)) for i in range(args.processes)]
    for worker in workers:
        worker.start()
    done = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    print(json.dumps({"records": sum(d["records"] for d in done), "cpu_s": sum(d["cpu_s"] for d in done),
                      "wall_s": max(d["end"] for d in done) - min(d["begin"] for d in done)}))


# ---------------------------------------------------------------- is it the same?


def compare(ours, theirs):
    """Share of labels that differ, by head, over the records of both; every record must be in both."""
    import h5py

    sys.path.insert(0, str(ROOT / "scripts"))
    import dunlin_read

    place = {}
    for path in dunlin_read.files(ours):
        rows = dunlin_read.read(path)
        for i, offset in enumerate(rows["records/offset"]):
            place[int(path.parent.name), int(offset)] = {h["name"]: rows[f"labels/{h['name']}"][i] for h in heads()}
    n, flips = 0, {h["name"]: 0 for h in heads()}
    for path in sorted(pathlib.Path(theirs).glob("*.h5")):
        with h5py.File(path, "r") as file:
            partition, offset = file["records/partition"][()], file["records/offset"][()]
            labels = {h["name"]: file[f"labels/{h['name']}"][()] for h in heads()}
        for i, key in enumerate(zip(partition.tolist(), offset.tolist())):
            own = place.pop(key)
            n += 1
            for h in heads():
                flips[h["name"]] += own[h["name"]] != h["labels"][labels[h["name"]][i]]
    print(json.dumps({"records": n, "only_ours": len(place), "flips": {k: v / n for k, v in flips.items()}}))


def parse_args():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["prepare", "run", "compare"])
    p.add_argument("folder")
    p.add_argument("-b", "--broker")
    p.add_argument("-t", "--topic")
    p.add_argument("-o", "--output")
    p.add_argument("--precision", choices=["int8", "fp32"], default="int8")
    p.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rows", type=int, default=16, help="texts of a batch")
    return p.parse_args()


if __name__ == "__main__":
    args = parse_args()
    if args.what == "prepare":
        prepare(pathlib.Path(args.folder))
    elif args.what == "run":
        run(args)
    else:
        compare(args.folder, args.output)
