"""The model that is trained: one BERT encoder and all heads on one pass; how it is read, fed and written."""
import json
import os
import pathlib
import shutil

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, by torch: spinning threads are many times slower on a busy machine

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel

from vocabulary import HERE, added_pieces, base_dir, named

MAX_TOKENS = 128
WORDS = "embeddings.word_embeddings"
BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "train"
CONFIG_KEYS = ("model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
               "intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
               "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "pad_token_id")


def load_tokenizer(directory=HERE):
    tokenizer = BertWordPieceTokenizer(str(directory / "vocab.txt"))
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def encode(texts, directory=HERE):
    """Ids in the vocabulary of a model."""
    return [encoded.ids for encoded in load_tokenizer(directory).encode_batch(list(texts))]


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


class Words(torch.nn.Module):
    """Word embeddings, of which only those that the base does not know are trained: all are half of the parameters, a sixth of a step."""

    def __init__(self, n_pieces, width):
        super().__init__()
        added = list(added_pieces())
        self.weight = torch.nn.Parameter(torch.zeros(n_pieces, width), requires_grad=False)
        self.added = torch.nn.Parameter(torch.zeros(len(added), width))
        self.register_buffer("row", torch.full((n_pieces,), -1), persistent=False)
        self.row[added] = torch.arange(len(added))

    def forward(self, ids):
        found, row = F.embedding(ids, self.weight), self.row[ids]
        is_added = row >= 0
        return found.index_put((is_added,), self.added[row[is_added]])

    def whole(self):
        """One table, as a model has it."""
        return self.weight.data.index_put((self.row >= 0,), self.added.data)

    def read(self, table):
        self.weight.data = table
        self.added.data = table[self.row >= 0]


class TweetModel(torch.nn.Module):
    """Encoder, [CLS] and mean pooling side by side, and one linear layer whose outputs are the labels of all heads."""

    def __init__(self, n_labels):
        super().__init__()
        # Eager and without dropout in the attention: twice as fast on short rows as PyTorch's fused attention on a CPU.
        config = BertConfig.from_pretrained(base_dir(), attn_implementation="eager", attention_probs_dropout_prob=0.0)
        self.encoder = BertModel(config, add_pooling_layer=False)
        dropout = PooledDropout(config.hidden_dropout_prob)
        self.encoder.embeddings.dropout = dropout
        self.encoder.embeddings.word_embeddings = Words(config.vocab_size, config.hidden_size)
        for layer in self.encoder.encoder.layer:
            layer.attention.output.dropout = layer.output.dropout = dropout
        self.heads = torch.nn.Linear(2 * config.hidden_size, n_labels)

    @property
    def words(self):
        return self.encoder.embeddings.word_embeddings

    def encoder_tensors(self):
        """Under the names of the base."""
        tensors = {k: v for k, v in self.encoder.state_dict().items() if not k.startswith(WORDS)}
        return tensors | {WORDS + ".weight": self.words.whole()}

    def read_encoder(self, tensors):
        self.words.read(tensors.pop(WORDS + ".weight"))
        own = {k: v for k, v in self.encoder.state_dict().items() if k.startswith(WORDS)}
        self.encoder.load_state_dict(tensors | own, strict=True)

    def pool(self, ids, mask):
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(-1).float()
        return torch.cat([hidden[:, 0], (hidden * weight).sum(1) / weight.sum(1)], dim=1)

    def forward(self, ids, mask):
        return self.heads(self.pool(ids, mask))


def from_base(n_labels):
    """The base encoder with heads that know nothing yet, and emoji that are the mean of their names' pieces."""
    model = TweetModel(n_labels)
    tensors = load_file(base_dir() / "model.safetensors")
    wanted = {k: v for k, v in tensors.items() if not k.startswith("pooler") and k != "embeddings.position_ids"}
    table, tokenizer = wanted[WORDS + ".weight"], load_tokenizer()
    length = table.norm(dim=1).median()
    for i, piece in added_pieces().items():
        mean = table[tokenizer.encode(" ".join(named(piece[-1])), add_special_tokens=False).ids].mean(0)
        table[i] = mean * length / mean.norm()
    model.read_encoder(wanted)
    return model


def pad(rows):
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()


@torch.no_grad()
def run_batched(function, rows, size=64):
    """function(ids, mask) over all rows, results in the order of rows."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    results = [None] * len(rows)
    for start in range(0, len(order), size):
        picks = order[start:start + size]
        for i, result in zip(picks, function(*pad([rows[i] for i in picks]))):
            results[i] = result
    return torch.stack(results)


def linear_schedule(optimizer, n_steps):
    warmup = max(1, int(0.06 * n_steps))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, (n_steps - s) / (n_steps - warmup + 1)))


def save_checkpoint(path, step, **parts):
    kept = path.with_suffix(".part")
    torch.save({"step": step, "rng": torch.get_rng_state(), **{k: v.state_dict() for k, v in parts.items()}}, kept)
    kept.replace(path)


def load_checkpoint(path, **parts):
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["rng"])
    return state["step"]


def to_whole_steps(weight):
    """Each row as whole numbers, at most 127, of a power of two: int8 then has the very weights (kernels/narrow.h), and so has bf16.
    Of the two powers that can be right the one that loses less, with what is too large for it cut off."""
    exponent = torch.ceil(torch.log2(weight.abs().amax(1, keepdim=True).clamp(min=1e-20) / 127))
    rounded = [(weight / 2 ** e).round().clamp(-127, 127) * 2 ** e for e in (exponent, exponent - 1)]
    lost = [((r - weight) ** 2).sum(1, keepdim=True) for r in rounded]
    return torch.where(lost[0] <= lost[1], *rounded)


def export(model, heads, directory):
    """Writes the model in Hugging Face layout, weights in bf16, those of the layers in whole steps."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {k: to_whole_steps(v) if v.dim() == 2 and ".layer." in k else v for k, v in model.encoder_tensors().items()}
    for head in heads:
        tensors[f"heads.{head.name}.weight"] = model.heads.weight.data[head.columns]
        tensors[f"heads.{head.name}.bias"] = model.heads.bias.data[head.columns]
    save_file({k: v.bfloat16().contiguous() for k, v in tensors.items()}, directory / "model.safetensors", {"format": "pt"})
    base = json.loads((base_dir() / "config.json").read_text())
    config = {k: base[k] for k in CONFIG_KEYS} | {"dtype": "bfloat16", "dunlin": {
        "normalise": "tweeteval", "max_tokens": MAX_TOKENS, "languages": ["en"], "pooling": ["cls", "mean"],
        "heads": [{"name": h.name, "labels": h.labels, "kind": h.kind} for h in heads]}}
    (directory / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True,
                 "model_max_length": MAX_TOKENS, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
                 "cls_token": "[CLS]", "mask_token": "[MASK]"}
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2) + "\n")
    if directory.resolve() != HERE:
        shutil.copyfile(HERE / "vocab.txt", directory / "vocab.txt")


def names_of(directory):
    """Of the heads that a model has."""
    return [head["name"] for head in json.loads((directory / "config.json").read_text())["dunlin"]["heads"]]


def read_model(directory, heads):
    """A model that export wrote with these heads of it side by side: to start at, for averages and as a teacher."""
    tensors = load_file(directory / "model.safetensors")
    model = TweetModel(sum(len(head.labels) for head in heads))
    model.read_encoder({k: v.float() for k, v in tensors.items() if not k.startswith("heads.")})
    model.heads.weight.data = torch.cat([tensors[f"heads.{h.name}.weight"] for h in heads]).float()
    model.heads.bias.data = torch.cat([tensors[f"heads.{h.name}.bias"] for h in heads]).float()
    return model
