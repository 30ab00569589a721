#!/usr/bin/env bash
# Temperatures and thresholds of heads: what they do to scores and labels, from `model score` to a job's rows and summary;
# and `model calibrate`, which fits them and changes nothing else.
. tests/jobs/lib.sh

# copy NAME [SED ...]: the tiny model with another config.json
copy() {
    mkdir "$tmp/$1"
    cp tests/data/tiny/* "$tmp/$1"
    sed -i "${@:2}" "$tmp/$1/config.json"
}

# mood_of DIR BACKEND < texts: the three probabilities of each line
mood_of() {
    "$DUNLIN" model score "$1" --backend "$2" | grep -o '"mood":{[^}]*}' | sed 's/"[a-z]*"//g; s/[{}:]//g; s/,/ /g'
}

readonly mood='s/"name": "mood",/"name": "mood", '
for i in $(seq 120); do printf 'a b c %d, %d you hello\n' "$i" $((i * i)); done >"$tmp/texts"

# halving the logits takes the root of every probability, in each precision
copy halved "$mood\"temperature\": 2,/"
for backend in ref cpu int8; do
    mood_of tests/data/tiny $backend <"$tmp/texts" >"$tmp/before"
    mood_of "$tmp/halved" $backend <"$tmp/texts" >"$tmp/after"
    most=0.00001
    [ $backend != int8 ] || most=0.002
    paste -d ' ' "$tmp/before" "$tmp/after" | awk -v most=$most '
        function abs(x) { return x < 0 ? -x : x }
        {
            sum = sqrt($1) + sqrt($2) + sqrt($3)
            for (i = 1; i <= 3; i++) { if (abs($(i + 3) - sqrt($i) / sum) > most) wrong++ }
        }
        END { exit wrong > 0 || NR != 120 }' || fail "$backend: scores under temperature 2"
done
"$DUNLIN" model describe "$tmp/halved" | grep -q '^head     mood .*good, temperature 2$' || fail "describe: temperature"

# below the threshold a text has no label, and all its scores
copy unsure "$mood\"undecided_below\": 0.999,/"
equal "scores under a threshold" "$(mood_of "$tmp/unsure" ref <"$tmp/texts")" "$(mood_of tests/data/tiny ref <"$tmp/texts")"
equal "texts without a mood" "$("$DUNLIN" model score "$tmp/unsure" <"$tmp/texts" | grep -c '"labels":{"mood":"und","question":"[ny]')" 120
"$DUNLIN" model describe "$tmp/unsure" | grep -q '^head     mood .*good, und below 0.999$' || fail "describe: threshold"

make_corpus "$tmp/corpus.jsonl"
sed '/- linear:/d' jobs/tweets.yaml >"$tmp/job.yaml"
job_file=$tmp/job.yaml tweets "$tmp/corpus.jsonl" "$tmp/run" --set max_bad=50% --set enrich.model.path="$tmp/unsure" --set enrich.tokenise.vocabulary=tests/data/tiny >"$tmp/summary"
rows=$(grep -o '"rows_out":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)
equal "undecided in the summary" "$(grep -o '"labels_undecided":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)" "$rows"
equal "undecided in the topic" "$(cat "$tmp"/run/topics/tweets.enriched/*.jsonl | grep -c '"mood":"und"')" "$rows"
verified "$tmp/run" >/dev/null

# a head that is too sure of itself: its own answers, every third of them wrong
copy sure "$mood\"temperature\": 0.3,/"
"$DUNLIN" model score "$tmp/sure" --backend ref <"$tmp/texts" | grep -o '"mood":"[a-z]*"' | cut -d'"' -f4 >"$tmp/labels"
paste -d '\t' "$tmp/texts" "$tmp/labels" | awk -F '\t' -v names='bad good neutral bad' '
    BEGIN { split(names, name, " ") }
    {
        for (k = 1; name[k] != $2; k++) { }
        printf "{\"task\": \"mood\", \"text\": \"%s\", \"label\": \"%s\"}\n", $1, NR % 3 ? $2 : name[k + 1]
    }' >"$tmp/suite.jsonl"
error_of() {
    "$DUNLIN" model eval "$1" "$tmp/suite.jsonl" --backend ref --output csv | awk -F, '$1 == "model" && $2 == "mood" { print $11 }'
}
cp -r "$tmp/sure" "$tmp/fitted"
before=$(error_of "$tmp/sure")
"$DUNLIN" model calibrate "$tmp/fitted" "$tmp/suite.jsonl" --backend ref >"$tmp/out" || fail "calibrate"
after=$(error_of "$tmp/fitted")
awk "BEGIN { exit !($before > 0.15 && $after < 0.5 * $before) }" || fail "calibration error $before to $after: $(cat "$tmp/out")"
equal "labels of the calibrated" "$("$DUNLIN" model score "$tmp/fitted" --backend ref <"$tmp/texts" | grep -o '"mood":"[a-z]*"' | cut -d'"' -f4)" "$(cat "$tmp/labels")"
equal "what else calibrate changed" "$(diff -r "$tmp/sure" "$tmp/fitted" -I '"temperature":' -w -B -I '"name": "mood"')" ""
equal "files left behind" "$(find "$tmp/fitted" -name '*.part')" ""
cp "$tmp/fitted/config.json" "$tmp/once.json"
"$DUNLIN" model calibrate "$tmp/fitted" "$tmp/suite.jsonl" --backend ref >/dev/null
temperature() { grep -o '"temperature": [0-9.]*' "$1" | cut -d' ' -f2; }
awk "BEGIN { exit !($(temperature "$tmp/fitted/config.json") / $(temperature "$tmp/once.json") < 1.01) }" || fail "a second fit goes on: $(temperature "$tmp/once.json") to $(temperature "$tmp/fitted/config.json"): $(cat "$tmp/out")"

# several labels a text, said by hashtags twice as often as by readers: the scores come down, what is said stays
several() { sed -i '/"name": "mood"/,/}/s/"kind": "softmax"/"kind": "sigmoid"/' "$tmp/$1/config.json"; }
cp -r tests/data/tiny "$tmp/several" && several several
said() { "$DUNLIN" model score "$1" --backend ref <"$tmp/texts" | grep -o '"mood":\[[^]]*\]'; }
"$DUNLIN" model score "$tmp/several" --backend ref <"$tmp/texts" | grep -o '"scores":.*' | sed 's/[^0-9.,]*//g' |
    awk -F, -v OFS=, '{ print $1, $2, $3 }' >"$tmp/scores"
paste -d '\t' "$tmp/texts" "$tmp/scores" | awk -F '\t' -v names='bad neutral good' '
    BEGIN { split(names, name, " "); seed = 1 }
    {
        split($2, score, ",")
        labels = ""
        for (k = 1; k <= 3; k++) {
            logit = log(score[k] / (1 - score[k])) - 1.5
            seed = (seed * 16807) % 2147483647
            if (seed / 2147483647 < 1 / (1 + exp(-logit))) { labels = labels (labels ? ", " : "") "\"" name[k] "\"" }
        }
        printf "{\"task\": \"mood\", \"text\": \"%s\", \"labels\": [%s]}\n", $1, labels
    }' >"$tmp/several.jsonl"
cp -r "$tmp/several" "$tmp/shifted"
"$DUNLIN" model calibrate "$tmp/shifted" "$tmp/several.jsonl" --backend ref >"$tmp/out" || fail "calibrate with several labels"
shift_of() { grep -o '"shift": [-0-9.]*' "$1/config.json" | cut -d' ' -f2; }
awk "BEGIN { exit !($(shift_of "$tmp/shifted") < -0.7 && $(shift_of "$tmp/shifted") > -3) }" || fail "a shift of $(shift_of "$tmp/shifted"): $(cat "$tmp/out")"
equal "what is said under a shift" "$(said "$tmp/shifted")" "$(said "$tmp/several")"
"$DUNLIN" model describe "$tmp/shifted" | grep -q '^head     mood .*, shift -[0-9.]*, said above 0\.[0-9]*$' || fail "describe: shift"
for backend in cpu int8; do
    equal "a shift in $backend" "$("$DUNLIN" model compare "$tmp/shifted" --against ref --backend $backend --texts "$tmp/texts" >/dev/null; echo $?)" 0
done

# what cannot be
copy moved "$mood\"shift\": 1,/"
copy far "$mood\"shift\": -101,/" && several far
model_refused 65 'shift: is for heads of kind sigmoid' describe "$tmp/moved"
model_refused 65 'shift: is -101, expected -100 to 100' describe "$tmp/far"
copy cold "$mood\"temperature\": 0,/"
copy proud "$mood\"undecided_below\": 1.5,/"
copy known "$mood\"undecided_below\": 0.5,/; s/\"neutral\"/\"und\"/"
model_refused 65 'temperature: is 0, expected 0.05 to 20' describe "$tmp/cold"
model_refused 65 'undecided_below: is 1.5, expected 0 to 1' describe "$tmp/proud"
model_refused 65 'undecided_below: the head has a label "und" of its own' describe "$tmp/known"
sed -i 's/"kind": "softmax"/"kind": "tokens"/; s/"bad"/"O"/; s/"neutral"/"B-A"/; s/"good"/"I-A"/' "$tmp/unsure/config.json"
model_refused 65 'undecided_below: is for heads of kind softmax and sigmoid' describe "$tmp/unsure"
mkdir "$tmp/foreign"
cp tests/data/families/distilbert_text/* "$tmp/foreign"
head -n 96 tests/data/tiny/vocab.txt >"$tmp/foreign/vocab.txt"
cp tests/data/tiny/tokenizer_config.json "$tmp/foreign"
label=$("$DUNLIN" model describe "$tmp/foreign" | sed -n 's/^head     [a-z]* *softmax *\([^,]*\),.*/\1/p')
printf '{"task": "label", "text": "a", "label": "%s"}\n' "$label" >"$tmp/one.jsonl"
cp "$tmp/foreign/config.json" "$tmp/kept.json"
model_refused 78 'has no "dunlin" object to keep temperatures in' calibrate "$tmp/foreign" "$tmp/one.jsonl"
cmp -s "$tmp/foreign/config.json" "$tmp/kept.json" || fail "a refused calibration changed config.json"
finish
