#!/usr/bin/env bash
# dunlin model: a Hugging Face directory of each kind is checked, imported, scored, compared and measured; what does not
# fit is refused with its exit status and words, and leaves nothing behind.
. tests/jobs/lib.sh

# directory NAME: a checkpoint with its tokeniser, or one of its vocabulary's size; prints its place
directory() {
    mkdir -p "$tmp/$1"
    cp -r "tests/data/families/$1/." "$tmp/$1"
    case $1 in
    *_whole) ;;
    *)
        head -n 96 tests/data/tiny/vocab.txt >"$tmp/$1/vocab.txt"
        cp tests/data/tiny/tokenizer_config.json "$tmp/$1"
        ;;
    esac
    echo "$tmp/$1"
}

# vocabulary NAME: as check prints it
vocabulary() {
    case $1 in
    roberta_whole) echo 'bpe, 1500 tokens for 1500 rows' ;;
    xlm_roberta_whole) echo 'unigram, 1502 tokens for 1502 rows' ;;
    *) echo 'wordpiece, 96 tokens for 96 rows' ;;
    esac
}

scores() {
    printf 'hello you\n\na b c d e f g\n' | "$DUNLIN" model score "$1" --backend ref
}

printf 'one\n\377\ntwo\n' >"$tmp/texts"
for name in {bert,distilbert,electra,roberta,xlm_roberta}_{text,tokens,sentences} roberta_whole xlm_roberta_whole; do
    from=$(directory "$name")
    "$DUNLIN" model check "$from" --backend ref | grep -q "^vocabulary  $(vocabulary "$name")" || fail "check $name"
    family=${name%_*}
    "$DUNLIN" model describe "$from" | grep -q ": ${family//_/-}, 2 layers of 32" || fail "describe $name: $("$DUNLIN" model describe "$from")"
    "$DUNLIN" model bench "$from" --runs 1 --batch 64 --output json | grep -q '"tokens_per_s":[1-9]' || fail "bench $name"
done
for name in bert_tokens electra_text bert_sentences distilbert_sentences roberta_whole xlm_roberta_whole; do
    from=$tmp/$name
    "$DUNLIN" model import "$from" "$tmp/$name.copy" >/dev/null || fail "import $name"
    equal "scores of the imported $name" "$(scores "$tmp/$name.copy")" "$(scores "$from")"
    equal "lines of $name" "$(scores "$from" | wc -l)" 3
    "$DUNLIN" model compare "$from" --backend ref --against ref --texts "$tmp/texts" | grep -qE ' 0 +0\.000 +0\.000 to [0-9.]+ +0\.000 +0 +0$' || fail "compare $name"
done
scores "$tmp/bert_tokens" | head -n 1 | grep -q '^{"labels":{},"scores":{},"entities":{"entities":\[{"label":"' || fail "spans"
scores "$tmp/bert_sentences" | head -n 1 | grep -q '"embeddings":{"embedding":\[' || fail "vector"

"$DUNLIN" model import "$tmp/electra_text" "$tmp/mine" --head mood --normalise tweeteval --max-tokens 12 --type bf16 >/dev/null
"$DUNLIN" model describe "$tmp/mine" >"$tmp/out"
grep -q "^head     mood         sigmoid   bad, neutral, good" "$tmp/out" || fail "describe: $(cat "$tmp/out")"
grep -q "up to 12 tokens" "$tmp/out" || fail "max-tokens"
grep -q "normalised as 'tweeteval'" "$tmp/out" || fail "normalise"
[ $(($(wc -c <"$tmp/mine/model.safetensors") * 10)) -lt $(($(wc -c <"$tmp/electra_text/model.safetensors") * 6)) ] || fail "bf16 is no smaller"
"$DUNLIN" model compare "$tmp/mine" --backend ref --against cpu --texts "$tmp/texts" --output json |
    grep -q '"texts":2,"not_utf8":1' || fail "compare --texts"

printf '{"task": "mood", "text": "%s", "labels": ["%s"]}\n' one good two bad three neutral >"$tmp/suite.jsonl"
"$DUNLIN" model compare "$tmp/mine" --backend ref --against cpu --suite "$tmp/suite.jsonl" >"$tmp/out" || fail "compare --suite"
grep -qE '^mood +sigmoid +9 +0 +0\.000 +0\.000 to [0-9.]+ +0\.000' "$tmp/out" || fail "compare --suite counts: $(cat "$tmp/out")"
grep -qE '^mood +macro F1 +[0-9.]+ +[0-9.]+ +\+0\.00 +0 +0\.000$' "$tmp/out" || fail "compare --suite: $(cat "$tmp/out")"
"$DUNLIN" model compare "$tmp/mine" --backend ref --against ref --suite "$tmp/suite.jsonl" --max-flips 0 --max-points 0 --output json |
    grep -q '"tasks":{"mood":{"metric":"macro F1",' || fail "compare --suite --output json"

# tasks whose texts take turns, more than a batch of each: the metrics are those of eval
python3 -c '
import json
words = "hello you the a is not good bad what who no yes great so".split()
labels = {"mood": ["bad", "neutral", "good"], "question": ["no", "yes"], "unknown": ["x"]}
for i in range(900):
    task = list(labels)[i * i % 7 % 3]
    text = " ".join(words[(i * k + k) % len(words)] for k in range(1, 2 + i % 9))
    print(json.dumps({"task": task, "text": text, "label": labels[task][i // 3 % len(labels[task])]}))' >"$tmp/turns.jsonl"
# same_metrics MODEL: with softmax heads, or a sigmoid one
same_metrics() {
    "$DUNLIN" model compare "$1" --backend int8 --against ref --suite "$tmp/turns.jsonl" --max-flips 100 --max-points 100 \
        --output json >"$tmp/out" || fail "compare --suite of $1"
    "$DUNLIN" model eval "$1" "$tmp/turns.jsonl" --backend int8,ref --output json >"$tmp/figures" || fail "eval of $1"
    python3 -c '
import json, sys
compared, judged = (json.load(open(name)) for name in sys.argv[1:])
tasks = compared["tasks"]
values = [f["value"] for f in judged["figures"] if f["kind"] == "model" and f["task"] in tasks]
both = [task[side] / 100 for task in tasks.values() for side in ("first", "second")]
assert compared["texts"] == sum(task["texts"] for task in tasks.values()) > 100, tasks
assert all(abs(a - b) < 1e-12 for a, b in zip(both, values, strict=True)), (both, values)' "$tmp/out" "$tmp/figures" ||
        fail "metrics of compare --suite and of eval, $1"
}
same_metrics tests/data/tiny
same_metrics "$tmp/mine"
"$DUNLIN" model outliers "$tmp/mine" --texts "$tmp/texts" | grep -q '^{"layers":\[{"qkv":\[' || fail "outliers"

model_refused 1 "of the decisions differ, more than 0 %" compare "$tmp/bert_tokens" --backend ref --against int8 --max-flips 0
model_refused 64 "--max-points needs --suite" compare "$tmp/mine" --against ref --max-points 1
model_refused 64 "--suite and --texts exclude each other" compare "$tmp/mine" --against ref --suite "$tmp/suite.jsonl" --texts "$tmp/texts"
model_refused 64 "--max-flips 1x: is not a number from 0 to 100" compare "$tmp/mine" --against ref --max-flips 1x
model_refused 64 "outliers needs --texts" outliers "$tmp/mine"
model_refused 73 "is there already" import "$tmp/electra_text" "$tmp/mine"
model_refused 65 "dunlin.max_tokens: is 41, expected 2 to 40" import "$tmp/electra_text" "$tmp/refused" --max-tokens 41
model_refused 78 'has a "dunlin" object already' import "$tmp/mine" "$tmp/refused" --head other
model_refused 64 "--type fp8: is neither bf16 nor keep" import "$tmp/electra_text" "$tmp/refused" --type fp8
model_refused 64 "--against is not an option of model bench" bench "$tmp/mine" --against ref
model_refused 64 "compare needs --against" compare "$tmp/mine"
model_refused 64 "written as: model import FROM TO" import "$tmp/mine"
model_refused 64 "--runs 0: is not a whole number from 1" bench "$tmp/mine" --runs 0
model_refused 66 "no-texts" compare "$tmp/mine" --against ref --texts "$tmp/no-texts"
head -n 90 tests/data/tiny/vocab.txt >"$tmp/electra_text/vocab.txt"
model_refused 65 "90 pieces, but the embedding has 96 rows" check "$tmp/electra_text"
model_refused 65 "90 pieces, but the embedding has 96 rows" import "$tmp/electra_text" "$tmp/refused"
rm "$tmp/electra_text/vocab.txt"
model_refused 66 "$tmp/electra_text" check "$tmp/electra_text"
equal "what refused imports left behind" "$(find "$tmp" -maxdepth 1 -name 'refused*')" ""
finish
