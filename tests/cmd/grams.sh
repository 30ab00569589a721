#!/usr/bin/env bash
# A model on n-grams wherever `dunlin model` takes a directory, and in a job: temperature, threshold, provenance.
. tests/jobs/lib.sh

# said WORDS: in what the last command printed
said() { grep -qE -- "$1" "$tmp/out" || fail "no '$1' in: $(cat "$tmp/out")"; }

for i in $(seq 30); do
    printf '{"text": "a cat sat on mat number %d", "label": "cats"}\n' $((7 * i))
    printf '{"text": "send %d dollars to the bank", "label": "money"}\n' $((13 * i))
    printf '{"text": "will it rain hard in %d days?", "label": "rain"}\n' $((3 * i))
done >"$tmp/examples.jsonl"
"$DUNLIN" model fit tests/data/tiny --backend ref --head topic --examples "$tmp/examples.jsonl" --kind ngrams --out "$tmp/grams" >/dev/null || fail "fit"
sum=$(sha256sum <"$tmp/grams/model.safetensors" | cut -d' ' -f1)

"$DUNLIN" model describe "$tmp/grams" >"$tmp/out" || fail "describe"
said 'dunlin-ngrams, [0-9]+ of 262144 buckets, 1 head with 3 labels'
said "sha256 $sum"
said '^head     topic +softmax   cats, money, rain$'
"$DUNLIN" model check "$tmp/grams" >"$tmp/out" || fail "check"
said '"labels":\{"topic":"'
"$DUNLIN" model bench "$tmp/grams" --runs 1 >"$tmp/out" || fail "bench"
said '^texts    20000 of [0-9]+ bytes'
said '^rate     [0-9]+ texts/s a core'
"$DUNLIN" model bench "$tmp/grams" --runs 1 --texts "$tmp/examples.jsonl" --output json >"$tmp/out" || fail "bench of a file"
said '"texts_per_s":[0-9.]+,"ns_per_text"'
equal "score" "$(printf 'the cat sat\nsend dollars\n' | "$DUNLIN" model score "$tmp/grams" | grep -o '"topic":"[a-z]*"' | paste -sd' ')" '"topic":"cats" "topic":"money"'

# a third of the labels turned round: eval counts it, calibrate finds a temperature, and labels stay
awk '{
    sub(/^\{/, "{\"task\": \"topic\", ")
    if (NR % 9 == 0) { sub(/"label": "[a-z]*"/, "\"label\": \"cats\"") }
    if (NR % 9 == 4) { sub(/"label": "[a-z]*"/, "\"label\": \"rain\"") }
    print
}' "$tmp/examples.jsonl" >"$tmp/suite.jsonl"
"$DUNLIN" model eval "$tmp/grams" "$tmp/suite.jsonl" --output csv >"$tmp/before" || fail "eval"
grep -q '^model,topic,n-grams,,,macro F1,90,' "$tmp/before" || fail "eval: $(cat "$tmp/before")"
labels() { grep -o '"text": "[^"]*"' "$tmp/suite.jsonl" | cut -d'"' -f4 | "$DUNLIN" model score "$tmp/grams" | grep -o '"topic":"[a-z]*"'; }
labels >"$tmp/labels"
"$DUNLIN" model calibrate "$tmp/grams" "$tmp/suite.jsonl" >"$tmp/out" || fail "calibrate"
temperature=$(grep -o '"temperature": [0-9.]*' "$tmp/grams/config.json" | cut -d' ' -f2)
awk "BEGIN { exit !(${temperature:-1} > 1.2) }" || fail "temperature '$temperature': $(cat "$tmp/out")"
"$DUNLIN" model eval "$tmp/grams" "$tmp/suite.jsonl" --output csv >"$tmp/after"
error() { awk -F, '$1 == "model" && $2 == "topic" { print $11 }' "$1"; }
awk "BEGIN { exit !($(error "$tmp/after") < 0.7 * $(error "$tmp/before")) }" || fail "calibration error $(error "$tmp/before") to $(error "$tmp/after")"
labels | cmp -s - "$tmp/labels" || fail "calibrate changed labels"

# a job: und below a threshold, counted; the results name the weights
sed -i 's/"name": "topic"/"name": "topic", "undecided_below": 0.999/' "$tmp/grams/config.json"
"$DUNLIN" model describe "$tmp/grams" >"$tmp/out"
said ", temperature [0-9.]+, und below 0.999$"
printf '{"id":"%s","created_at":"Mon Oct 02 12:00:00 +0000 2017","text":"%s","lang":"en"}\n' 1 'a cat sat on mat number 9' 2 'please send 77 dollars to the bank' >"$tmp/two.jsonl"
sed "s|- linear: .*|- linear: {path: $tmp/grams}\n      - linear: {path: $tmp/grams, prefix: again}|" jobs/tweets.yaml >"$tmp/linear.yaml"
job_file=$tmp/linear.yaml tweets "$tmp/two.jsonl" "$tmp/run" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >"$tmp/summary" || fail "a job"
equal "undecided" "$(grep -o '"labels_undecided":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)" 4
equal "labels" "$(cat "$tmp"/run/topics/tweets.enriched/*.jsonl | grep -c '"topic":"und".*"again.topic":"und"')" 2
"$DUNLIN" inspect "$(find "$tmp/run/rows" -name '*.h5' | head -n 1)" >"$tmp/out" || fail "inspect"
said "linear=$sum linear=$sum"

# a preferred label: another one must be so many times as probable, or the text is und
sed -i 's/"undecided_below": 0.999/"undecided_below": 0.01/' "$tmp/grams/config.json"
# preferring RATIO: how many of the two are und
preferring() {
    sed "s|- linear: .*|- linear: {path: $tmp/grams, prefer: cats, prefer_by: $1}|" jobs/tweets.yaml >"$tmp/prefer.yaml"
    job_file=$tmp/prefer.yaml tweets "$tmp/two.jsonl" "$tmp/prefer-$1" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >"$tmp/summary" || fail "a job that prefers"
    cat "$tmp/prefer-$1"/topics/tweets.enriched/*.jsonl | grep -o '"topic":"[a-z]*"' | sort | paste -sd' '
}
equal "preferred by 1" "$(preferring 1)" '"topic":"cats" "topic":"money"'
equal "preferred by a million" "$(preferring 1000000)" '"topic":"cats" "topic":"und"'
equal "undecided" "$(grep -o '"labels_undecided":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)" 1
# never STATUS WORDS SETTINGS: a stage that check refuses
never() {
    local status=0
    sed "s|- linear: .*|- linear: {path: $tmp/grams, $3}|" jobs/tweets.yaml >"$tmp/never.yaml"
    "$DUNLIN" check "$tmp/never.yaml" --replay "$tmp/two.jsonl" --broker none --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >/dev/null 2>"$tmp/err" || status=$?
    equal "status of $3" "$status" "$1"
    grep -qF -- "$2" "$tmp/err" || fail "$3: no '$2' in: $(cat "$tmp/err")"
}
never 78 "prefer: 'dogs' is no label of" 'prefer: dogs'
sed -i 's/, "undecided_below": 0.01//' "$tmp/grams/config.json"
never 78 'head topic of' 'prefer: cats'

# what cannot be
model_refused 78 'is a model on n-grams, and model tokenize is for encoders' tokenize "$tmp/grams"
model_refused 78 'model compare is for encoders' compare "$tmp/grams" --against ref
model_refused 64 '--backend ref: a model on n-grams has no kernels to choose' score "$tmp/grams" --backend ref
model_refused 64 '--threads: n-grams are scored text by text' bench "$tmp/grams" --threads 2
model_refused 66 "--texts $tmp/none" bench "$tmp/grams" --texts "$tmp/none"
sed -i 's/"ngrams": *[0-9]*/"ngrams": 1/' "$tmp/grams/config.json"
model_refused 65 'n-grams are numbered by rule 2 here; fit it anew' score "$tmp/grams"
finish
