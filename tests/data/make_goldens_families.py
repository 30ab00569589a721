"""Writes families/NAME: small random models of every family and head as transformers saves them, with what PyTorch makes of them.

  pip install -r models/tweets/requirements.txt
  python tests/data/make_goldens_families.py [NAME ...]

xlm_roberta_whole and roberta_whole have tokenisers with them, those of tokenisers/unigram_spm and bpe_files.
golden.safetensors beside each model: tokens and row_start (int32), hidden.0 to hidden.L [tokens, hidden], and for every head logits.HEAD
and scores.HEAD [rows or tokens, labels] or scores.HEAD [rows, hidden]; float32, computed in float64 from the stored weights, a row at a time.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from make_goldens import random_tensor

HERE = pathlib.Path(__file__).resolve().parent / "families"
BERT = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40)
DISTIL = dict(vocab_size=96, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=40)
ROBERTA = BERT | dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
NER = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
MOODS = ["bad", "neutral", "good"]

TOKENISERS = {"xlm_roberta_whole": "unigram_spm", "roberta_whole": "bpe_files"}

MODELS = {
    "bert_tokens": (hf.BertForTokenClassification, BERT | dict(labels=NER), torch.float32, "5GB"),
    "distilbert_text": (hf.DistilBertForSequenceClassification, DISTIL | dict(labels=MOODS), torch.float16, "20KB"),
    "electra_text": (hf.ElectraForSequenceClassification,
                     BERT | dict(embedding_size=24, labels=MOODS, problem_type="multi_label_classification"), torch.float32, "5GB"),
    "electra_tokens": (hf.ElectraForTokenClassification, BERT | dict(embedding_size=32, labels=NER), torch.bfloat16, "20KB"),
    "roberta_text": (hf.RobertaForSequenceClassification, ROBERTA | dict(labels=["LABEL_0", "LABEL_1"]), torch.float32, "5GB"),
    "xlm_roberta_tokens": (hf.XLMRobertaForTokenClassification, ROBERTA | dict(pad_token_id=3, labels=NER), torch.float16, "5GB"),
    "bert_sentences": (hf.BertModel, BERT, torch.float32, "5GB"),
    "distilbert_sentences": (hf.DistilBertModel, DISTIL, torch.float32, "5GB"),
    "roberta_mixed": (hf.RobertaModel, ROBERTA, torch.float32, "5GB"),
    "xlm_roberta_whole": (hf.XLMRobertaModel, ROBERTA | dict(vocab_size=1502, max_position_embeddings=66), torch.float16, "5GB"),
    "bert_text": (hf.BertForSequenceClassification, BERT | dict(labels=MOODS), torch.bfloat16, "20KB"),
    "distilbert_tokens": (hf.DistilBertForTokenClassification, DISTIL | dict(labels=NER), torch.float32, "5GB"),
    "electra_sentences": (hf.ElectraModel, BERT | dict(embedding_size=24), torch.float16, "5GB"),
    "roberta_tokens": (hf.RobertaForTokenClassification, ROBERTA | dict(labels=NER), torch.bfloat16, "5GB"),
    "roberta_sentences": (hf.RobertaModel, ROBERTA, torch.bfloat16, "20KB"),
    "xlm_roberta_text": (hf.XLMRobertaForSequenceClassification, ROBERTA | dict(labels=MOODS), torch.float16, "20KB"),
    "xlm_roberta_sentences": (hf.XLMRobertaModel, ROBERTA, torch.float32, "5GB"),
    "roberta_whole": (hf.RobertaForSequenceClassification, ROBERTA | dict(vocab_size=1500, max_position_embeddings=66, labels=MOODS), torch.float16, "5GB"),
}
SENTENCES = {"bert_sentences": ("mean", True), "distilbert_sentences": ("cls", False), "electra_sentences": ("cls", True),
             "roberta_sentences": ("mean", False), "xlm_roberta_sentences": ("mean", True)}
MIXED = {"normalise": "none", "max_tokens": 30, "pooling": ["mean", "cls"], "heads": [
    {"name": "topics", "kind": "sigmoid", "labels": ["art", "sport", "war"]},
    {"name": "vector", "kind": "embedding", "pooling": "cls", "l2": True},
    {"name": "entities", "kind": "tokens", "labels": NER},
    {"name": "mood", "kind": "softmax", "labels": MOODS},
    {"name": "parts", "kind": "tokens", "labels": ["noun", "verb", "other"]},
    {"name": "mean", "kind": "embedding", "pooling": "mean"}]}

WHOLE = {"normalise": "tweeteval", "max_tokens": 48, "pooling": ["mean"], "heads": [
    {"name": "entities", "kind": "tokens", "labels": NER},
    {"name": "mood", "kind": "softmax", "labels": MOODS}]}
OWN_HEADS = {"roberta_mixed": MIXED, "xlm_roberta_whole": WHOLE}


def randomise(model, seed):
    rng = np.random.default_rng(seed)
    state = {k: random_tensor(k, tuple(v.shape), rng) if v.is_floating_point() else v for k, v in sorted(model.state_dict().items())}
    for name in state:
        if "layer_norm.weight" in name:
            state[name] = 1 + 0.2 * torch.tensor(rng.standard_normal(tuple(state[name].shape)))
    model.load_state_dict(state)


def write_sentences(directory, pooling, l2):
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * l2
    (directory / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (p, t) in enumerate(modules)], indent=2) + "\n")
    (directory / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 30, "do_lower_case": False}, indent=2) + "\n")
    (directory / "1_Pooling").mkdir()
    modes = {"cls_token": pooling == "cls", "mean_tokens": pooling == "mean", "max_tokens": False, "mean_sqrt_len_tokens": False}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": 32} | {f"pooling_mode_{k}": v for k, v in modes.items()}, indent=2) + "\n")


def write_own(directory, own, seed):
    """Heads of our own beside the encoder's tensors."""
    rng, tensors = np.random.default_rng(seed), load_file(directory / "model.safetensors")
    for head in own["heads"]:
        if "labels" in head:
            k = 32 if head["kind"] == "tokens" else 32 * len(own["pooling"])
            for part, shape in (("weight", (len(head["labels"]), k)), ("bias", (len(head["labels"]),))):
                name = f"heads.{head['name']}.{part}"
                tensors[name] = random_tensor(name, shape, rng).float()
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    config = json.loads((directory / "config.json").read_text()) | {"dunlin": own}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return {k: v.double() for k, v in tensors.items()}


def pool(last, pooling, l2):
    vector = last[0] if pooling == "cls" else last.mean(0)
    return (torch.nn.functional.normalize(vector, dim=0) if l2 else vector)[None]


def heads_scores(last, own, tensors):
    out, features = {}, torch.cat([last.mean(0) if part == "mean" else last[0] for part in own["pooling"]])[None]
    for head in own["heads"]:
        name = head["name"]
        if head["kind"] == "embedding":
            out[f"scores.{name}"] = pool(last, head["pooling"], head.get("l2", False))
            continue
        x = last if head["kind"] == "tokens" else features
        logits = x @ tensors[f"heads.{name}.weight"].T + tensors[f"heads.{name}.bias"]
        out[f"logits.{name}"] = logits
        out[f"scores.{name}"] = logits.sigmoid() if head["kind"] == "sigmoid" else logits.softmax(1)
    return out


def own_scores(name, result, last, config):
    if name in SENTENCES:
        return {"scores.embedding": pool(last, *SENTENCES[name])}
    head = "entities" if name.endswith("_tokens") else "label"
    logits = result.logits[0] if head == "entities" else result.logits
    multi = config.problem_type == "multi_label_classification"
    return {f"logits.{head}": logits, f"scores.{head}": logits.sigmoid() if multi else logits.softmax(1)}


def random_rows(seed, longest):
    rng = np.random.default_rng(seed)
    lengths = [2, 3, longest, 17, 2, 9, 5, longest - 1, 16]
    return [[0, *rng.integers(5, 96, n - 2).tolist(), 2] for n in lengths]


def write(name, seed):
    kind, settings, dtype, shard = MODELS[name]
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    settings = dict(settings)
    labels = settings.pop("labels", None)
    if labels:
        settings |= dict(id2label=dict(enumerate(labels)), label2id={v: k for k, v in enumerate(labels)})
    config = kind.config_class(**settings)
    plain = {"add_pooling_layer": False} if kind in (hf.BertModel, hf.RobertaModel, hf.XLMRobertaModel) else {}
    model = kind(config, **plain).eval()
    randomise(model, seed)
    model.to(dtype).save_pretrained(directory, max_shard_size=shard)
    if name in SENTENCES:
        write_sentences(directory, *SENTENCES[name])
    own = OWN_HEADS.get(name)
    tensors = write_own(directory, own, seed + 50) if own else None
    if name in TOKENISERS:
        for file in (HERE.parent / "tokenisers" / TOKENISERS[name]).iterdir():
            shutil.copy(file, directory)
    model = model.double()
    longest = config.max_position_embeddings - (config.pad_token_id + 1 if "roberta" in name else 0)
    rows, results = random_rows(100 + seed, longest), []
    for row in rows:
        with torch.no_grad():
            result = model(torch.tensor([row]), output_hidden_states=True)
        states = [s[0] for s in result.hidden_states]
        results.append({f"hidden.{i}": s for i, s in enumerate(states)} |
                       (heads_scores(states[-1], own, tensors) if own else own_scores(name, result, states[-1], config)))
    golden = {k: torch.cat([r[k] for r in results]).float().contiguous() for k in results[0]}
    golden["tokens"] = torch.tensor(sum(rows, []), dtype=torch.int32)
    golden["row_start"] = torch.tensor(np.cumsum([0] + [len(r) for r in rows]), dtype=torch.int32)
    save_file(golden, directory / "golden.safetensors")


def main():
    HERE.mkdir(exist_ok=True)
    for seed, name in enumerate(MODELS):
        if name in sys.argv[1:] or len(sys.argv) == 1:
            write(name, seed)


if __name__ == "__main__":
    main()
