"""Writes tokenisers/: small BPE and unigram vocabularies, trained on our own texts, and what the reference makes of tricky texts.

  pip install -r models/tweets/requirements.txt sentencepiece==0.2.3 protobuf && python tests/data/make_tokenisers.py

bpe/        tokenizer.json as RoBERTa's, <mask> eating the blank before it; bpe_files/ the same words as vocab.json and merges.txt
unigram/    tokenizer.json as XLM-R's; its charsmap keeps only a few rules, since SentencePiece's own has 240 KB
unigram_spm/ a sentencepiece.bpe.model; words are not split at white space by the older rule of unigram_older/
"""
import io
import json
import pathlib
import shutil
import tempfile

import sentencepiece
import tokenizers
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, trainers

from token_texts import TEXTS
from tweet_texts import TEXTS as TWEETS

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "tokenisers"
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
EXTRA = [
    "", " ", "  ", "\n", "\t a", "a ", " a", "a  b", "a \n b", " \n", "\u00a0", "a\u00a0 b", "\u3000a", "it's we're I'll you'd they've I'm don't", "'S 'RE 'll'll",
    "''s", "' s", "x's's", "1's", "<s>", "</s>", "<mask>", " <mask>", "a <mask> b", "a\t\u00a0<mask>b", "<mask><mask>", "<mask", "<MASK>", "<s>a</s>", "<unk>", "<pad>x",
    "a<s> b", "\uff1cmask\uff1e", "\u2581", "\u2581a", "a\u2581b", "a \u2581b", "\u2581\u2581", " \u0301a", "a \u0301", "a\u0301\u0301", "\r\n", "a\r\nb", "\u0600 1", "a\u0600 b", "\u200d a", "a \u200d",
    "\ufdfa", "\u00bd\u00bc", "\u2460\uff21", "\uac00\u11a8", "e\u0301 E\u0301", "\u0915\u094d\u0937", "\U0001f469\u200d\U0001f4bb", "\U0001f1e9\U0001f1ea\U0001f1eb", "123456", "3.14", "a1b2", "\u0661\u0662", "\u00b2x", "a" * 300, "ab" * 400,
    "\u4f60\u597d" * 100, "\U0001f600" * 70, "x" * 63, "x" * 64, "x" * 65, "x" * 255, "x" * 256, "\x00x".replace("\x00", "\x01"), "\x7f\x80", "\ufeffa",
]


def corpus():
    texts = [*TWEETS, *TEXTS]
    for path in sorted((HERE.parents[1] / "datasets" / "samples").glob("tweets.jsonl")):
        texts += [json.loads(line)["text"] for line in open(path, encoding="utf-8")]
    return [t for t in texts if 0 < len(t) < 400]


def write(name, tokenizer):
    folder = OUT / name
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False) + "\n")
    write_cases(name, tokenizer)


def write_cases(name, tokenizer):
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with open(OUT / f"{name}.jsonl", "w") as out:
        for text in [*EXTRA, *TEXTS[::2]]:
            out.write(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}, separators=(",", ":")) + "\n")


def make_bpe(texts):
    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1500, special_tokens=SPECIALS, show_progress=False,
                                                         initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    folder = OUT / "bpe_files"
    folder.mkdir(parents=True)
    model.model.save(str(folder))
    (folder / "tokenizer_config.json").write_text('{"add_prefix_space": true}\n')
    write_cases("bpe_files", transformers.RobertaTokenizer.from_pretrained(folder).backend_tokenizer)
    vocab = json.loads((folder / "vocab.json").read_text())
    merges = [tuple(line.split(" ")) for line in (folder / "merges.txt").read_text().split("\n")[1:] if line]
    mask = AddedToken("<mask>", lstrip=True, normalized=True, special=True)
    write("bpe", transformers.RobertaTokenizer(vocab=vocab, merges=merges, mask_token=mask).backend_tokenizer)


def make_unigram(texts):
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(t.replace("\n", " ") for t in texts), model_writer=trained, vocab_size=1500, character_coverage=0.98,
        normalization_rule_name="identity", num_threads=1, minloglevel=2, hard_vocab_limit=False)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(trained.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder, "rules.tsv")
        rules.write_text("".join(f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}\n" for a, b in RULES))
        compiled = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f g h i j k"] * 10), model_writer=compiled, vocab_size=30, hard_vocab_limit=False,
            normalization_rule_tsv=str(rules), num_threads=1, minloglevel=2)
        other = sentencepiece_model_pb2.ModelProto()
        other.ParseFromString(compiled.getvalue())
        charsmap = other.normalizer_spec.precompiled_charsmap
    proto.normalizer_spec.precompiled_charsmap = charsmap
    folder = OUT / "unigram_spm"
    folder.mkdir(parents=True)
    (folder / "sentencepiece.bpe.model").write_bytes(proto.SerializeToString())
    write_cases("unigram_spm", transformers.XLMRobertaTokenizer.from_pretrained(folder).backend_tokenizer)
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((p.piece, p.score) for p in proto.pieces[3:]), ("<mask>", 0.0)]
    mask = AddedToken("<mask>", lstrip=True, normalized=True, special=True)
    whole = transformers.XLMRobertaTokenizer(vocab=vocab, mask_token=mask, _spm_precompiled_charsmap=charsmap).backend_tokenizer
    write("unigram", whole)
    whole.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), normalizers.Strip(left=False, right=True),
                                             normalizers.Replace(Regex(" {2,}"), "\u2581"), normalizers.Replace("``", '"')])
    whole.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    write("unigram_older", whole)


# A part of nmt_nfkc: blanks, control characters away, wide and composed letters, what becomes longer, what begins with a mark.
RULES = [("\t", " "), ("\n", " "), ("\r", " "), ("\u00a0", " "), ("\u3000", " "), ("\u2028", " "), ("\x01", ""), ("\x7f", ""), ("\u200b", " "), ("\u200d", " "), ("\ufeff", ""),
         ("\u00bd", "1\u20442"), ("\u00bc", "1\u20444"), ("\u2460", "1"), ("\u00b2", "2"), ("\u2026", "..."), ("\u2122", "TM"), ("\ufb01", "fi"), ("e\u0301", "\u00e9"), ("E\u0301", "\u00c9"), ("\u00a8", " \u0308"),
         ("\ufdfa", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647"), ("\u1112\u1161\u11ab", "\ud55c"), ("\u304b\u3099", "\u304c"), ("\u0130", "I\u0307"), *((chr(c + 0xFEE0), chr(c)) for c in range(33, 127))]


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    sentences = corpus()
    make_bpe(sentences)
    make_unigram(sentences)
    for path in sorted(OUT.rglob("*")):
        if path.is_file():
            assert path.stat().st_size < 150_000, path
