#!/usr/bin/env bash
# A linear model before an encoder: its twin from a suite, when it is sure (`model calibrate --cascade`), `model eval` of both
# together, and a job whose rows are each tier's own whatever the batches, counted in summary, metrics and trace.
. tests/jobs/lib.sh

# an encoder with one head, and texts labelled by itself: a twin can only lose
cp -r tests/data/tiny "$tmp/encoder"
sed -i '/"heads": \[/,/^      },$/{/"heads": \[/!d}' "$tmp/encoder/config.json"
texts() {
    awk -v seed="$1" -v n="$2" 'BEGIN {
        srand(seed)
        k = split("cat dog rain sun money bank good bad happy sad why what you they run walk red blue tea cup ? ! ,", word, " ")
        for (i = 0; i < n; i++) {
            line = ""
            for (j = 3 + int(8 * rand()); j > 0; j--) line = line word[1 + int(k * rand())] " "
            print line i
        }
    }'
}
suite() {
    texts "$1" "$2" >"$tmp/texts"
    "$DUNLIN" model score "$tmp/encoder" --backend ref <"$tmp/texts" | grep -o '"question":"[a-z]*"' | cut -d'"' -f4 >"$tmp/labels"
    paste -d '\t' "$tmp/texts" "$tmp/labels" | awk -F '\t' '{ printf "{\"task\": \"question\", \"text\": \"%s\", \"label\": \"%s\"}\n", $1, $2 }'
}
suite 7 600 >"$tmp/train.jsonl"
suite 8 400 >"$tmp/valid.jsonl"

"$DUNLIN" model fit "$tmp/encoder" --suite "$tmp/train.jsonl" --out "$tmp/linear" >"$tmp/out" || fail "fit --suite"
grep -qE '^question +600 +[0-9.]+ +[0-9.]+ \(' "$tmp/out" || fail "fit --suite: $(cat "$tmp/out")"
equal "files" "$(cd "$tmp/linear" && echo *)" "config.json model.safetensors"
model_refused 78 'says of no head above which score it is sure' eval "$tmp/encoder" "$tmp/valid.jsonl" --cascade "$tmp/linear"
cp "$tmp/linear/config.json" "$tmp/unchosen.json"
"$DUNLIN" model calibrate "$tmp/linear" "$tmp/valid.jsonl" --cascade "$tmp/encoder" --backend ref >"$tmp/out" || fail "calibrate --cascade"
grep -q '"sure_above": 0\.' "$tmp/linear/config.json" || fail "no threshold: $(cat "$tmp/out")"
grep -q "\"encoder\": \"$(sha256sum <"$tmp/encoder/model.safetensors" | cut -d' ' -f1)\"" "$tmp/linear/config.json" || fail "whose thresholds: $(cat "$tmp/linear/config.json")"

# eval: some but not all are answered, and the metric stays within the points
"$DUNLIN" model eval "$tmp/encoder" "$tmp/valid.jsonl" --cascade "$tmp/linear" --backend ref --output csv >"$tmp/figures" || fail "eval --cascade"
awk -F, '
    $1 == "model" && $2 == "question" { value[++n] = $7 == 400 ? $8 : "?"; linear = $14 }
    END { exit !(n == 2 && value[1] == 1 && value[2] < 1.0001 && value[2] >= 0.995 && linear > 0.01 && linear < 0.98) }' "$tmp/figures" ||
    fail "eval --cascade: $(cat "$tmp/figures") $(cat "$tmp/out")"
"$DUNLIN" model calibrate "$tmp/linear" "$tmp/valid.jsonl" --cascade "$tmp/encoder" --backend ref --max-points 100 >"$tmp/out"
grep -q '"sure_above": 0.0$' "$tmp/linear/config.json" || fail "where all may be lost, all is answered: $(cat "$tmp/linear/config.json")"
"$DUNLIN" model calibrate "$tmp/linear" "$tmp/valid.jsonl" --cascade "$tmp/encoder" --backend ref --max-points 5 >"$tmp/out"

# a job: the same rows in any batches; each is as its tier alone would have it
awk '{ printf "{\"id\":\"%d\",\"created_at\":\"Mon Oct 02 12:00:00 +0000 2017\",\"text\":\"%s\",\"lang\":\"en\"}\n", NR, $0 }' "$tmp/texts" >"$tmp/corpus.jsonl"
job() {
    tweets "$tmp/corpus.jsonl" "$tmp/$1" --set max_bad=50% --set enrich.model.path="$tmp/encoder" --set enrich.tokenise.vocabulary="$tmp/encoder" \
        --set enrich.model.backend=ref "${@:2}" >"$tmp/$1.summary" || fail "job $1"
}
rows() { cat "$tmp/$1"/topics/tweets.enriched/*.jsonl | sort; }
number() { grep -o "\"$2\":[0-9]*" "$tmp/$1.summary" | tail -n 1 | cut -d: -f2; }
job alone
job wide --set enrich.model.cascade="$tmp/linear"
job narrow --set enrich.model.cascade="$tmp/linear" --set enrich.model.tokens=64 --set enrich.model.reuse=0
rows wide | cmp -s - <(rows narrow) || fail "rows differ with the batches"
by_linear=$(rows wide | grep -c '"tier":"linear"' || true)
by_encoder=$(rows wide | grep -c '"tier":"encoder"' || true)
equal "rows of both tiers" $((by_linear + by_encoder)) "$(number wide rows_out)"
equal "rows of the linear tier" "$(number wide rows_linear)" "$by_linear"
[ $((by_linear * by_encoder)) -gt 0 ] || fail "$by_linear rows by the linear model, $by_encoder by the encoder"
[ "$(number wide tokens_saved)" -gt 0 ] || fail "no tokens saved"
diff <(rows wide | grep '"tier":"encoder"' | sed 's/,"tier":"encoder"//; s/"tier":"encoder",//') <(rows alone) | grep -c '^<' >"$tmp/out" || true
equal "rows of the encoder that are not as it alone has them" "$(cat "$tmp/out")" 0
verified "$tmp/wide" >/dev/null
"$DUNLIN" inspect "$(find "$tmp/wide/rows" -name '*.h5' | head -n 1)" >"$tmp/out"
grep -q "cascade=$(sha256sum <"$tmp/linear/model.safetensors" | cut -d' ' -f1)" "$tmp/out" || fail "provenance: $(cat "$tmp/out")"

# what cannot be
model_refused 64 '--max-points needs --cascade here' calibrate "$tmp/linear" "$tmp/valid.jsonl" --max-points 1
model_refused 64 "--max-points much: is not a number" calibrate "$tmp/linear" "$tmp/valid.jsonl" --cascade "$tmp/encoder" --max-points much
model_refused 78 'has no head mood, which' calibrate "$tmp/linear" "$tmp/valid.jsonl" --cascade tests/data/tiny
model_refused 64 'is on n-grams itself' eval "$tmp/linear" "$tmp/valid.jsonl" --cascade "$tmp/linear"
model_refused 64 '--suite SUITE: has the labels' fit "$tmp/encoder" --suite "$tmp/train.jsonl" --head a
model_refused 64 '--kind encoder: --suite makes models on n-grams' fit "$tmp/encoder" --suite "$tmp/train.jsonl" --kind encoder
model_refused 65 'has no text for head mood' fit tests/data/tiny --suite "$tmp/train.jsonl" --out "$tmp/never"
head -n 12 "$tmp/train.jsonl" | sed '2,$s/"label": "yes"/"label": "no"/; 1s/"label": "[a-z]*"/"label": "yes"/' >"$tmp/bad.jsonl"
model_refused 65 'a label of head question has 1 texts' fit "$tmp/encoder" --suite "$tmp/bad.jsonl" --out "$tmp/never"
[ ! -e "$tmp/never" ] || fail "a refused fit left something"
cp "$tmp/linear/config.json" "$tmp/kept.json"
sed 's/"question"/"answer"/' "$tmp/valid.jsonl" >"$tmp/bad.jsonl"
model_refused 78 'has no text for head question' calibrate "$tmp/linear" "$tmp/bad.jsonl" --cascade "$tmp/encoder"
cmp -s "$tmp/linear/config.json" "$tmp/kept.json" || fail "a refused calibration changed config.json"
sed -i 's/"encoder": "..../"encoder": "0000/' "$tmp/linear/config.json"
model_refused 78 'its thresholds were chosen for other weights' eval "$tmp/encoder" "$tmp/valid.jsonl" --cascade "$tmp/linear"
cp "$tmp/unchosen.json" "$tmp/linear/config.json"
status=0
"$DUNLIN" check jobs/tweets.yaml --replay "$tmp/corpus.jsonl" --broker none --set enrich.model.path="$tmp/encoder" --set enrich.tokenise.vocabulary="$tmp/encoder" \
    --set enrich.model.cascade="$tmp/linear" >/dev/null 2>"$tmp/err" || status=$?
equal "status of a job whose linear model is never sure" "$status" 78
grep -q 'dunlin model calibrate' "$tmp/err" || fail "what to do: $(cat "$tmp/err")"
finish
