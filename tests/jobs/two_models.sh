#!/usr/bin/env bash
# Two models in one pipeline: each scores every text as it does alone, bit for bit, and the job, its summary, its trace and
# its files tell them apart.
. tests/jobs/lib.sh
job_file=$(job_of two)
ner=tests/data/families/xlm_roberta_whole
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"
good=$(cat "$corpus.good")

# lines OUT: the topic's lines, partition by partition
lines() { find "$1/topics" -name '*.jsonl' -print0 | sort -z | xargs -0 cat; }

tweets "$corpus" "$tmp/both" >"$tmp/summary"
lines "$tmp/both" >"$tmp/both.jsonl"
equal "lines" "$(wc -l <"$tmp/both.jsonl")" "$good"

# heads PATTERN < LINES: what the lines have of it; every line has something
heads() { grep -o "$1" || true; }

job_file=jobs/tweets.yaml
tweets "$corpus" "$tmp/first" --set enrich.model.path=tests/data/tiny --set enrich.tokenise.vocabulary=tests/data/tiny >"$tmp/alone"
tweets "$corpus" "$tmp/second" --set enrich.model.path=$ner --set enrich.tokenise.vocabulary=$ner >"$tmp/alone"
number='[-+.e0-9]*'
first="\"mood\":{\"bad\":$number,\"neutral\":$number,\"good\":$number},\"question\":{\"no\":$number,\"yes\":$number}"
second="\"mood\":{\"bad\":$number,\"neutral\":$number,\"good\":$number}"
lines "$tmp/first" | heads "$first" >"$tmp/a"
heads "$first" <"$tmp/both.jsonl" >"$tmp/b"
equal "scores of the first model" "$(wc -l <"$tmp/a")" "$good"
cmp "$tmp/a" "$tmp/b" || fail "the first model scores otherwise beside another"
lines "$tmp/second" | heads "$second" >"$tmp/a"
heads "\"ner.${second#\"}" <"$tmp/both.jsonl" | sed 's/ner\.//' >"$tmp/b"
equal "scores of the second model" "$(wc -l <"$tmp/a")" "$good"
cmp "$tmp/a" "$tmp/b" || fail "the second model scores otherwise beside another"
lines "$tmp/second" | heads '"entities":\[[^]]*\]' >"$tmp/a"
heads '"entities.ner":\[[^]]*\]' <"$tmp/both.jsonl" | sed 's/\.ner//' >"$tmp/b"
equal "entities of the second model" "$(wc -l <"$tmp/a")" "$good"
cmp "$tmp/a" "$tmp/b" || fail "the second model finds other entities beside another"
grep -q '"label":"B\?' "$tmp/a" || grep -q PER "$tmp/a" || fail "no entities at all: the test would be blind"

# one entry a model in the summary: each scored or copied every row
models=$(grep -o '"models":\[{.*"ring' "$tmp/summary" || sed 's/.*"models":\[{/[{/' "$tmp/summary")
for name in model ner; do
    of=$(printf '%s' "$models" | grep -o "{\"name\":\"$name\"[^{]*" | head -n 1)
    equal "rows of $name" "$(($(field rows_scored <<<"$of") + $(field rows_reused <<<"$of")))" "$good"
    [ "$(field flops <<<"$of")" -gt 0 ] || fail "no flops of $name"
done

# the files name both, the trace knows whose batch it was
sha() { sha256sum "$1/model.safetensors" | cut -d' ' -f1; }
part=$(find "$tmp/both/rows" -name '*.h5' | head -n 1)
"$DUNLIN" inspect "$part" >"$tmp/inspect"
grep -q "model=$(sha tests/data/tiny) ner=$(sha $ner)" "$tmp/inspect" || fail "the rows do not name both models"
for column in scores/mood scores/question scores/ner.mood labels/ner.mood records/tokens.ner; do
    grep -q "/$column" "$tmp/inspect" || fail "no column /$column"
done
"$DUNLIN" trace export "$tmp"/both/trace/* -o "$tmp/trace.json" 2>"$tmp/err" || fail "trace: $(cat "$tmp/err")"
for name in model ner; do
    grep -q "\"$name 0\"" "$tmp/trace.json" || fail "no thread of $name in the trace"
done

# what a person asks
job_file=$(job_of two)
"$DUNLIN" check "$job_file" --set output="$tmp/checked" >"$tmp/resolved.yaml" 2>"$tmp/err" || fail "check: $(cat "$tmp/err")"
grep -q "^ok  model *ner = $ner" "$tmp/err" || fail "check does not name the second model"
"$DUNLIN" check "$tmp/resolved.yaml" >"$tmp/again.yaml" 2>"$tmp/err" || fail "the resolved job: $(cat "$tmp/err")"
cmp "$tmp/resolved.yaml" "$tmp/again.yaml" || fail "the resolved job is read as another"
"$DUNLIN" explain "$job_file" --text 'see you in Berlin' >"$tmp/explain" 2>"$tmp/err" || fail "explain: $(cat "$tmp/err")"
for word in ids ids.ner score.mood score.ner.mood entities.ner; do
    grep -q "^    $word " "$tmp/explain" || fail "explain does not show $word"
done

# refuse STATUS TEXT OPTION ...: the job does not run, and says so
refuse() {
    local expected=$1 text=$2 status=0
    shift 2
    "$DUNLIN" check "$job_file" --set output="$tmp/checked" "$@" >/dev/null 2>"$tmp/err" || status=$?
    equal "status of $*" "$status" "$expected"
    grep -q "$text" "$tmp/err" || fail "$*: $(cat "$tmp/err")"
}
refuse 78 "two models are called 'model'" --set enrich.ner.name=model
refuse 78 "'label.mood', which is there already\|'score.mood', which is there already" --set enrich.ner.prefix=
refuse 78 "no model of the pipeline reads 'ids.ner'" --set enrich.ner.ids=ids.tom
refuse 78 "the column 'ids.tom', which no earlier part makes" --set enrich.ner.ids=ids.tom --set enrich.ner.vocabulary=$ner
refuse 65 "800 tokens, but the embedding of $ner has 1502 rows" --set enrich.ner.ids=ids
refuse 78 "'ids.ner' has up to 65 tokens a text, but $ner reads 64" --set enrich.ner.max_tokens=65
refuse 78 "tokens: 63; the model's longest text has 64" --set enrich.ner.max_tokens=64 --set enrich.ner.tokens=63
refuse 78 "not 'a.b'" --set enrich.ner.name=a.b
finish
