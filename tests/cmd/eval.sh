#!/usr/bin/env bash
# dunlin model eval: a suite made of the model's own answers, some of them turned round, so that every figure is known; what
# is not right in a suite is refused with its line.
. tests/jobs/lib.sh

readonly tiny=tests/data/tiny
export DUNLIN_SUITES=$tmp

# answers HEAD < texts: the label of each line
answers() { "$DUNLIN" model score $tiny --backend ref | grep -o "\"$1\":\"[a-z]*\"" | cut -d'"' -f4; }

# figure WORDS... : the figures of $tmp/out that hold all of these
figure() {
    tr '{' '\n' <"$tmp/out" >"$tmp/figures"
    local word
    for word in "$@"; do
        grep -F -- "$word" "$tmp/figures" >"$tmp/kept" || true
        mv "$tmp/kept" "$tmp/figures"
    done
    cat "$tmp/figures"
}

# evaluated ARGUMENTS...: into $tmp/out
evaluated() { "$DUNLIN" model eval "$@" >"$tmp/out" 2>"$tmp/err" || fail "model eval $*: $(cat "$tmp/err")"; }

# refused STATUS WORDS LINE...: a suite of these lines
refused() {
    local want=$1 words=$2 status=0
    shift 2
    printf '%s\n' "$@" >"$tmp/bad.jsonl"
    "$DUNLIN" model eval $tiny bad --backend ref >"$tmp/out" 2>"$tmp/err" || status=$?
    equal "status of '$words'" "$status" "$want"
    grep -qF -- "$words" "$tmp/err" || fail "no '$words' in: $(cat "$tmp/err")"
    equal "output of '$words'" "$(cat "$tmp/out")" ""
}

# 40 texts; the first ten of them get another label than the model gives
for i in $(seq 40); do printf 'a b c %d, %d you hello\n' "$i" $((i * i)); done >"$tmp/texts"
answers mood <"$tmp/texts" >"$tmp/mood"
answers question <"$tmp/texts" >"$tmp/question"
{
    printf '%s\n' '{"task": "mine", "head": "mood", "metric": "accuracy"}' '{"task": "question", "of": ["yes"]}' \
        '{"task": "weather"}' '{"task": "weather", "text": "rain", "label": "wet"}' \
        '{"reference": "a coin", "scores": {"mine": 33.3, "question": 50}}' \
        '{"reference": "a paper", "split": "test", "scores": {"mine": 99.5}}'
    paste -d '\t' "$tmp/texts" "$tmp/mood" | awk -F '\t' -v other='bad good neutral' '
        BEGIN { split(other, names, " ") }
        {
            for (k = 1; names[k] == $2; k++) { }
            label = NR <= 10 ? names[k] : $2
            printf "{\"task\": \"mine\", \"text\": \"%s\", \"label\": \"%s\", \"slices\": {\"part\": \"%s\"}}\n", $1, label, NR <= 20 ? "first" : "last"
        }'
    paste -d '\t' "$tmp/texts" "$tmp/question" |
        awk -F '\t' '{ printf "{\"task\": \"question\", \"text\": \"%s\", \"label\": \"%s\"}\n", $1, $2 }'
} >"$tmp/known.jsonl"

evaluated $tiny known --backend ref --output json
[ -n "$(figure '"kind":"model"' '"task":"mine"' '"metric":"accuracy","n":40,"value":0.75,')" ] || fail "30 of 40: $(cat "$tmp/out")"
[ -n "$(figure '"task":"mine"' '"slice":"part first","metric":"accuracy","n":20,"value":0.5,')" ] || fail "the first 20"
[ -n "$(figure '"task":"mine"' '"slice":"part last"' '"value":1,"low":1,"high":1')" ] || fail "the last 20"
[ -n "$(figure '"kind":"absent","task":"weather"' '"n":1')" ] || fail "a head that is not there"
[ -n "$(figure '"kind":"reference","task":"mine","model":"a coin"' '"value":0.33')" ] || fail "a reference"
[ -n "$(figure '"kind":"other split","task":"mine","model":"a paper","split":"test"')" ] || fail "a published figure"
[ -n "$(figure '"task":"mean"' '"metric":"of 2 tasks","n":80,')" ] || fail "the mean over the heads there are"
[ -n "$(figure '"task":"mean"' '"model":"a coin"' '"value":0.4165')" ] || fail "the mean of a reference"
if grep -q yes "$tmp/question"; then
    [ -n "$(figure '"kind":"model"' '"task":"question"' '"metric":"F1 of yes"' '"value":1,')" ] || fail "all right: $(cat "$tmp/out")"
fi
cp "$tmp/out" "$tmp/once"
evaluated $tiny "$tmp/known.jsonl" --backend ref --output json
cmp -s "$tmp/once" "$tmp/out" || fail "two runs differ"

# slices that the text itself says: 20 short retweets with an emoji, all right, and 20 longer texts, all wrong
for i in $(seq 20); do printf 'RT @ann %d \360\237\230\200\n' "$i"; done >"$tmp/kinds"
for i in $(seq 20); do printf 'a b a b a b a b a b a b a b a b a b %d\n' "$i"; done >>"$tmp/kinds"
answers mood <"$tmp/kinds" >"$tmp/moods"
{
    printf '%s\n' '{"task": "mood", "metric": "accuracy"}'
    paste -d '\t' "$tmp/kinds" "$tmp/moods" | awk -F '\t' '{
        label = NR <= 20 ? $2 : $2 == "good" ? "bad" : "good"
        printf "{\"task\": \"mood\", \"text\": \"%s\", \"label\": \"%s\"}\n", $1, label
    }'
} >"$tmp/kinds.jsonl"
evaluated $tiny kinds --backend ref --output json
for slice in "retweets:1" "no retweets:0" "with emoji:1" "without emoji:0" "under 16 tokens:1" "16 to 31 tokens:0"; do
    [ -n "$(figure "\"slice\":\"${slice%:*}\",\"metric\":\"accuracy\",\"n\":20,\"value\":${slice#*:},")" ] || fail "slice $slice: $(figure '"kind":"slice"')"
done

# two precisions and two directories, text by text
evaluated $tiny known --backend ref,cpu --against $tiny --output json
equal "pairs" "$(figure '"kind":"pair"' '"task":"mine"' | wc -l)" 3
[ -n "$(figure '"kind":"pair"' '"task":"mine"' '"value":0,"low":0,"high":0' '"first_only":0,"second_only":0,"p":1')" ] || fail "the same twice"
evaluated $tiny known --backend ref,cpu
grep -q '^Against the first model' "$tmp/out" || fail "no pairs in the table"
grep -q '^weather  .* no head of that name' "$tmp/out" || fail "no absent head in the table"
grep -q '^Published figures on OTHER SPLITS' "$tmp/out" || fail "no section of other splits"
grep -q ' $' "$tmp/out" && fail "white space at the end of lines"

# CSV: one head line, as many fields everywhere
evaluated $tiny known --backend ref --output csv
head -n 1 "$tmp/out" | grep -q '^kind,task,model,split,slice,metric,n,value,low,high,' || fail "CSV: $(head -n 1 "$tmp/out")"
equal "widths of the CSV" "$(sed 's/"[^"]*"/quoted/g' "$tmp/out" | awk -F, '{ print NF }' | sort -u | wc -l)" 1

# compressed, and a second segment as a text with [SEP] would have it
xz -k "$tmp/known.jsonl"
evaluated $tiny "$tmp/known.jsonl.xz" --backend ref --output json
equal "figures of the compressed suite" "$(sed 's/known.jsonl.xz/known.jsonl/' "$tmp/out")" "$(cat "$tmp/once")"
for i in $(seq 40); do printf 'a %d [SEP] b %d\n' "$i" $((41 - i)); done >"$tmp/pairs"
answers mood <"$tmp/pairs" >"$tmp/moods"
paste -d '\t' "$tmp/pairs" "$tmp/moods" | sed 's/ \[SEP\] /\t/' |
    awk -F '\t' '{ printf "{\"task\": \"mood\", \"text\": \"%s\", \"second\": \"%s\", \"label\": \"%s\"}\n", $1, $2, $3 }' >"$tmp/pairs.jsonl"
evaluated $tiny pairs --backend ref --output json
[ -n "$(figure '"kind":"model"' '"task":"mood"' '"n":40,"value":1,')" ] || fail "pairs: $(cat "$tmp/out")"

# a pool: two tasks of one head, ten of the first's twenty texts wrong and none of the other's, weighed by texts
{
    printf '%s\n' '{"task": "one", "head": "mood", "metric": "accuracy", "pool": "both"}' \
        '{"task": "two", "head": "mood", "metric": "accuracy", "pool": "both"}' '{"reference": "a coin", "scores": {"both": 50}}'
    grep '"task": "mine", "text"' "$tmp/known.jsonl" | sed '1,20s/"mine"/"one"/; 21,$s/"mine"/"two"/'
} >"$tmp/pool.jsonl"
evaluated $tiny pool --backend ref --output json
[ -n "$(figure '"kind":"model"' '"task":"one"' '"n":20,"value":0.5,')" ] || fail "a task of a pool: $(cat "$tmp/out")"
[ -n "$(figure '"kind":"model"' '"task":"both"' '"n":40,"value":0.75,')" ] || fail "a pool"
[ -n "$(figure '"task":"mean"' '"metric":"of 1 tasks","n":40,"value":0.75,')" ] || fail "a pool counts once"
[ -n "$(figure '"task":"mean"' '"model":"a coin"' '"value":0.5')" ] || fail "the mean of a reference of a pool"
cp -r $tiny "$tmp/calibrated"
"$DUNLIN" model calibrate "$tmp/calibrated" pool --backend ref >"$tmp/out" 2>&1 || fail "calibrate with a pool: $(cat "$tmp/out")"

# several labels a text
mkdir "$tmp/several"
cp tests/data/families/electra_text/* "$tmp/several"
head -n 96 $tiny/vocab.txt >"$tmp/several/vocab.txt"
cp $tiny/tokenizer_config.json "$tmp/several"
"$DUNLIN" model score "$tmp/several" --backend ref <"$tmp/texts" | grep -o '"labels":{"label":\[[^]]*\]' | sed 's/.*:\[/[/' >"$tmp/lists"
paste -d '\t' "$tmp/texts" "$tmp/lists" | awk -F '\t' '{ printf "{\"task\": \"label\", \"text\": \"%s\", \"labels\": %s}\n", $1, $2 }' >"$tmp/several.jsonl"
sed -i '1s/"labels": .*/"labels": ["bad", "neutral", "good"]}/; 2s/"labels": .*/"labels": []}/' "$tmp/several.jsonl"
sed -i '1i {"task": "label", "metric": "accuracy"}' "$tmp/several.jsonl"
evaluated "$tmp/several" several --backend ref --output json
figure '"kind":"model"' '"task":"label"' | grep -qE '"n":40,"value":0\.(95|975),' || fail "several labels: $(cat "$tmp/out")"

# texts that belong to no label: counted apart, told by the score, refused where a head may give a text no label
"$DUNLIN" model score $tiny --backend ref <"$tmp/texts" | grep -o '"mood":{[^}]*}' | awk -F '[:,}]' '{
    best = 0
    for (i = 3; i <= 7; i += 2) { best = $i > best ? $i : best }
    print best "\t" NR
}' | sort -g >"$tmp/best"
paste -d '\t' "$tmp/texts" "$tmp/mood" | awk -F '\t' -v outside="$(head -n 10 "$tmp/best" | cut -f 2 | tr '\n' ' ')" '
    BEGIN { n = split(outside, list, " "); for (i = 1; i <= n; i++) { out[list[i]] = 1 } }
    NR in out { printf "{\"task\": \"mood\", \"text\": \"%s\", \"outside\": true}\n", $1; next }
    { printf "{\"task\": \"mood\", \"text\": \"%s\", \"label\": \"%s\"}\n", $1, $2 }' >"$tmp/outside.jsonl"
evaluated $tiny outside --backend ref --output json
[ -n "$(figure '"kind":"model"' '"task":"mood"' '"n":30,"value":1,')" ] || fail "30 texts with labels: $(cat "$tmp/out")"
[ -n "$(figure '"kind":"outside"' '"metric":"AUROC","n":10,"value":1,"low":1,"high":1')" ] || fail "AUROC: $(cat "$tmp/out")"
figure '"kind":"outside"' '"metric":"recall, 95 % of the others kept","n":10,"value":1,' | grep -q '"threshold":0\.' || fail "recall: $(cat "$tmp/out")"
evaluated $tiny outside --backend ref
grep -qE '^ +fp32 [a-z0-9]* +10 +100\.0 +100\.0 to 100\.0  recall, 95 % of the others kept, those below 0\.[0-9]{3}$' "$tmp/out" || fail "table: $(cat "$tmp/out")"
cp -r $tiny "$tmp/strict"
sed -i '0,/"name": "mood",/s//"name": "mood", "undecided_below": '"$(sed -n 11p "$tmp/best" | cut -f 1)"',/' "$tmp/strict/config.json"
evaluated "$tmp/strict" outside --backend ref --output json
[ -n "$(figure '"kind":"outside"' '"recall' '"undecided":1')" ] || fail "und outside: $(figure outside)"
"$DUNLIN" model calibrate "$tmp/strict" "$tmp/outside.jsonl" --backend ref >"$tmp/out" || fail "calibrate with texts outside"
grep -qE '^mood +30 ' "$tmp/out" || fail "calibrated on others than those with labels: $(cat "$tmp/out")"
printf '%s\n' '{"task": "label", "text": "a", "labels": []}' '{"task": "label", "text": "a", "outside": true}' >"$tmp/none.jsonl"
"$DUNLIN" model eval "$tmp/several" none 2>"$tmp/err" && fail "outside of a head with several labels"
grep -qF 'none.jsonl:2: is outside of the labels, but head label may give a text none' "$tmp/err" || fail "outside: $(cat "$tmp/err")"

row='{"task": "mood", "text": "a", "label": "good"}'
refused 65 'bad.jsonl:2: "merry" is no label of head mood, which has 3: bad, neutral, good' "$row" '{"task": "mood", "text": "b", "label": "merry"}'
refused 65 'bad.jsonl:2: needs one of "label", "labels" and "outside": true' "$row" '{"task": "mood", "text": "b"}'
refused 65 'bad.jsonl:2: needs one of "label"' "$row" '{"task": "mood", "text": "b", "label": "good", "outside": true}'
refused 65 'bad.jsonl:2: outside: is a text, expected' "$row" '{"task": "mood", "text": "b", "outside": "yes"}'
refused 65 'bad.jsonl:1: task "mood" has no text with a label' '{"task": "mood", "text": "b", "outside": true}' '{"task": "question", "text": "a", "label": "yes"}'
refused 65 'bad.jsonl:1: has 2 labels, but head mood gives a text exactly one' '{"task": "mood", "text": "b", "labels": ["good", "bad"]}'
refused 65 'bad.jsonl:1: colour: is not a key of such a line' '{"task": "mood", "text": "b", "label": "good", "colour": "red"}'
refused 65 'bad.jsonl:2: task "mood" is declared twice, or behind its first text' "$row" '{"task": "mood"}'
refused 65 'bad.jsonl:1: metric: "f2" is none of f1, recall, accuracy' '{"task": "mood", "metric": "f2"}' "$row"
refused 65 'bad.jsonl:1: task "mood" has no text with a label' '{"task": "mood"}' '{"task": "question", "text": "a", "label": "yes"}'
in_pool='{"task": "mood", "pool": "all"}'
refused 65 'bad.jsonl:3: task "all" is a pool of others, without texts' "$in_pool" "$row" '{"task": "all", "text": "a", "label": "good"}'
refused 65 'bad.jsonl:2: "mood" is a task of its own, no pool' "$row" '{"task": "question", "pool": "mood"}'
refused 65 'bad.jsonl:2: has another metric than the other tasks of pool "all"' "$in_pool" '{"task": "question", "pool": "all", "of": ["yes"]}' "$row"
refused 78 'bad.jsonl:1: pool "all": heads mood and question have different labels' "$in_pool" '{"task": "question", "pool": "all"}' "$row" \
    '{"task": "question", "text": "a", "label": "yes"}'
refused 65 'bad.jsonl:2:1:' "$row" '{"task": "mood", "text": "cut'
refused 65 'bad.jsonl:2:1:' "$row" "$(printf '{"task": "mood", "text": "\377", "label": "good"}')"
refused 65 'bad.jsonl: has no line with a "text"' ''
refused 65 'bad.jsonl:1: is no object' '["mood"]'
refused 78 'the model has a head for none of its 1 tasks' '{"task": "weather", "text": "rain", "label": "wet"}'
: >"$tmp/bad.jsonl"
status=0
"$DUNLIN" model eval $tiny bad 2>"$tmp/err" || status=$?
equal "status of an empty suite" "$status" 65
"$DUNLIN" model eval $tiny nowhere 2>"$tmp/err" && fail "a suite that is not there"
grep -q 'datasets/suites.py. makes the suites' "$tmp/err" || fail "no hint: $(cat "$tmp/err")"
"$DUNLIN" model eval $tiny 2>"$tmp/err" && fail "no suite"
grep -q 'written as: model eval DIR SUITE' "$tmp/err" || fail "no usage: $(cat "$tmp/err")"

# the shipped model on our own samples: better than chance on the texts in its language
python3 datasets/suites.py samples --out "$tmp" >/dev/null
evaluated models/tweets samples --output json
for head in sentiment emotion hate offensive; do
    figure '"kind":"slice"' "\"task\":\"$head\"" '"slice":"language en"' | grep -qE '"value":(0\.[6-9]|1)' || fail "$head: $(figure "$head" 'language en')"
done
finish
