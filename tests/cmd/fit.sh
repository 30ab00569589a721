#!/usr/bin/env bash
# `dunlin model fit`: examples of every form give the same head, a copy of the model has it beside the others, a job uses it;
# what is wrong with examples is named with its line, and nothing is written.
. tests/jobs/lib.sh

# refused STATUS WORDS ARGUMENTS...
refused() {
    local want=$1 words=$2 status=0
    shift 2
    "$DUNLIN" model fit tests/data/tiny --head topic --out "$tmp/never" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
    equal "status of fit $*" "$status" "$want"
    grep -qF -- "$words" "$tmp/err" || fail "fit $*: no '$words' in: $(cat "$tmp/err")"
    equal "what fit $* left behind" "$(find "$tmp" -maxdepth 1 -name 'never*')" ""
}

# rows: label, text
rows() {
    for i in $(seq 12); do
        printf 'cats\ta cat sat on mat number %d\n' $((7 * i))
        printf 'money\tsend %d dollars to the bank\n' $((13 * i))
        printf 'rain, wind\twill it rain "hard" in %d days?\n' $((3 * i))
    done
}
rows | awk -F '\t' 'BEGIN { print "id\tkind\ttext" } { print NR "\t" $1 "\t" $2 }' >"$tmp/mine.tsv"
rows | sed 's/"/\\"/g' | awk -F '\t' '{ printf "{\"text\": \"%s\", \"label\": \"%s\", \"id\": %d}\n", $2, $1, NR }' >"$tmp/mine.jsonl"
rows | sed 's/"/""/g' | awk -F '\t' 'BEGIN { print "\xef\xbb\xbftext,label" } { printf "\"%s\",\"%s\"\r\n", $2, $1 }' >"$tmp/mine.csv"
rows | cut -f 1 >"$tmp/labels"
rows | cut -f 2 >"$tmp/texts"
gzip -c "$tmp/mine.jsonl" >"$tmp/mine.jsonl.gz"

fit() { "$DUNLIN" model fit tests/data/tiny --backend ref --head topic "$@"; }
fit --examples "$tmp/mine.jsonl" --out "$tmp/mine" >"$tmp/first" || fail "fit"
grep -q '^36 examples with 3 labels$' "$tmp/first" || fail "examples: $(head -n 1 "$tmp/first")"
grep -qE '^encoder +100\.0 \(100\.0 to 100\.0\) +100\.0 ' "$tmp/first" || fail "encoder: $(cat "$tmp/first")"
grep -qE '^n-grams +100\.0 ' "$tmp/first" || fail "n-grams: $(cat "$tmp/first")"
grep -qE '^rain, wind +12 +100\.0 ' "$tmp/first" || fail "labels: $(cat "$tmp/first")"
fit --examples "$tmp/mine.tsv" --label kind --out "$tmp/tsv" >/dev/null || fail "fit of TSV"
fit --examples "$tmp/mine.csv" --out "$tmp/csv" >/dev/null || fail "fit of CSV"
fit --examples "$tmp/texts" --labels "$tmp/labels" --out "$tmp/pairs" >/dev/null || fail "fit of two files"
fit --examples "$tmp/mine.jsonl.gz" --out "$tmp/gz" >/dev/null || fail "fit of gzip"
for form in tsv csv pairs gz; do
    equal "what $form gave" "$(diff -r "$tmp/mine" "$tmp/$form")" ""
done

# the other heads are as they were, the new one knows its texts, and the original is not touched
texts() { printf 'a cat sat on mat number 8\nsend 14 dollars to the bank\nwill it rain "hard" in 2 days?\n'; }
equal "labels" "$(texts | "$DUNLIN" model score "$tmp/mine" --backend ref | grep -o '"topic":"[a-z, ]*"' | tr '\n' ' ')" \
    '"topic":"cats" "topic":"money" "topic":"rain, wind" '
equal "other heads" "$(texts | "$DUNLIN" model score "$tmp/mine" --backend ref | sed 's/,"topic":"[a-z, ]*"//; s/,"topic":{[^}]*}//; s/,"likeness":{[^}]*}//')" \
    "$(texts | "$DUNLIN" model score tests/data/tiny --backend ref)"
grep -q topic tests/data/tiny/config.json && fail "the original was changed"
make_corpus "$tmp/corpus.jsonl"
tweets "$tmp/corpus.jsonl" "$tmp/run" --set max_bad=50% --set enrich.model.path="$tmp/mine" --set enrich.tokenise.vocabulary="$tmp/mine" >"$tmp/summary"
rows=$(grep -o '"rows_out":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)
equal "rows of a job with a topic" "$(cat "$tmp"/run/topics/tweets.enriched/*.jsonl | grep -cE '"topic":"(cats|money|rain, wind)"')" "$rows"

# a threshold under which a text has no label: 36 examples, of which 95 % are 35
fit --examples "$tmp/mine.jsonl" --keep 95 --out "$tmp/keep" >"$tmp/out" || fail "fit --keep"
grep -qE '^und below 0\.[0-9]{1,4}: 95 % of the examples would keep a label$' "$tmp/out" || fail "keep: $(cat "$tmp/out")"
equal "threshold in config.json" "$(grep -o '"undecided_below": *[0-9.]*' "$tmp/keep/config.json" | grep -o '[0-9.]*$')" \
    "$(sed -n 's/^und below \([0-9.]*\): .*/\1/p' "$tmp/out")"

# likeness: printed, in records where it is named, and below the threshold there is no label
texts | "$DUNLIN" model score "$tmp/keep" --backend ref >"$tmp/out"
grep -cE '"likeness":\{"topic":0\.[0-9]+\}' "$tmp/out" | grep -qx 3 || fail "likeness: $(cat "$tmp/out")"
cp -r "$tmp/keep" "$tmp/strict"
sed -i 's/"undecided_below": *[0-9.]*/"undecided_below": 1/' "$tmp/strict/config.json"
equal "labels of texts unlike all" "$(texts | "$DUNLIN" model score "$tmp/strict" --backend ref | grep -c '"topic":"und"')" 3
"$DUNLIN" model describe "$tmp/strict" --backend ref | grep -q 'rain, wind, means, und below 1$' || fail "describe"
tweets "$tmp/corpus.jsonl" "$tmp/likeness" --set max_bad=50% --set enrich.model.path="$tmp/strict" --set enrich.tokenise.vocabulary="$tmp/strict" \
    --set enrich.topic.fields=id,label.topic,likeness.topic >/dev/null || fail "a job with likeness"
equal "records with likeness" "$(cat "$tmp"/likeness/topics/tweets.enriched/*.jsonl | grep -cE '"labels":\{"topic":"und"\},"scores":\{"likeness.topic":0(\.[0-9]+)?(e-[0-9]+)?\}')" "$rows"
fit --examples "$tmp/mine.jsonl" --keep 95 --kind ngrams --out "$tmp/keep_grams" >"$tmp/out" || fail "fit --keep of n-grams"
grep -q undecided_below "$tmp/keep_grams/config.json" || fail "no threshold for n-grams"
sed -i 's/"undecided_below": *[0-9.]*/"undecided_below": 1/' "$tmp/keep_grams/config.json"

# n-grams: a model of its own, which a job uses as a stage; the better of both is chosen
fit --examples "$tmp/mine.jsonl" --kind ngrams --out "$tmp/grams" >"$tmp/out" || fail "fit of n-grams"
grep -q '^chosen: n-grams$' "$tmp/out" || fail "kind: $(cat "$tmp/out")"
grep -q '^chosen: encoder$' "$tmp/first" || fail "kind: $(cat "$tmp/first")"
equal "files" "$(cd "$tmp/grams" && echo *)" "config.json model.safetensors"
sed "s|- linear: .*|- linear: {path: $tmp/grams}|" jobs/tweets.yaml >"$tmp/linear.yaml"
printf '{"id":"%s","created_at":"Mon Oct 02 12:00:00 +0000 2017","text":"%s","lang":"en"}\n' 1 'a cat sat on mat number 9' 2 'please send 77 dollars to the bank' \
    3 'will it rain hard in 4 days' >"$tmp/three.jsonl"
job_file=$tmp/linear.yaml tweets "$tmp/three.jsonl" "$tmp/linear" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >/dev/null || fail "a job with linear"
equal "labels by n-grams" "$(cat "$tmp"/linear/topics/tweets.enriched/*.jsonl | grep -oE '"text":"[a-z]+|"topic":"[^"]*"' | cut -d'"' -f4 | paste -sd' \n' | sort | paste -sd'|')" \
    "a cats|please money|will rain, wind"
sed "s|path: $tmp/grams|path: $tmp/keep_grams|" "$tmp/linear.yaml" >"$tmp/keep.yaml"
job_file=$tmp/keep.yaml tweets "$tmp/three.jsonl" "$tmp/linear_keep" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >"$tmp/summary" || fail "a job with linear and a threshold"
equal "undecided by n-grams" "$(cat "$tmp"/linear_keep/topics/tweets.enriched/*.jsonl | grep -c '"topic":"und"')" 3
sed "s|- linear: .*|- linear: {path: tests/data/tiny}|" jobs/tweets.yaml >"$tmp/wrong.yaml"
status=0
"$DUNLIN" check "$tmp/wrong.yaml" --replay "$tmp/three.jsonl" --broker none --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny >/dev/null 2>"$tmp/err" || status=$?
equal "status of linear on an encoder" "$status" 65
grep -q '"bert" is no model on n-grams' "$tmp/err" || fail "linear on an encoder: $(cat "$tmp/err")"

# on a checkpoint with a classifier of its own, and on an embedding
for name in distilbert_text bert_sentences; do
    cp -r "tests/data/families/$name" "$tmp/$name"
    head -n 96 tests/data/tiny/vocab.txt >"$tmp/$name/vocab.txt"
    cp tests/data/tiny/tokenizer_config.json "$tmp/$name"
    "$DUNLIN" model fit "$tmp/$name" --head topic --examples "$tmp/mine.jsonl" --out "$tmp/$name.mine" >/dev/null || fail "fit on $name"
    "$DUNLIN" model check "$tmp/$name.mine" --backend ref >/dev/null || fail "check of $name"
done
texts | "$DUNLIN" model score "$tmp/bert_sentences.mine" | head -n 1 | grep -q '"labels":{"topic":.*"embeddings":{"embedding":' || fail "beside an embedding"

# repeats are left out; without --out there are figures only
cat "$tmp/mine.jsonl" "$tmp/mine.jsonl" | sed '40,$s/cat sat/CAT, sat/' >"$tmp/twice.jsonl"
fit --examples "$tmp/twice.jsonl" >"$tmp/out" || fail "repeats"
equal "repeats" "$(head -n 1 "$tmp/out")" "36 examples with 3 labels, 36 repeats left out"

# what cannot be
bad() { printf '%b' "$1" >"$tmp/bad"; }
refused 66 "$tmp/none" --examples "$tmp/none"
refused 64 'needs --head NAME and --examples FILE'
refused 64 '--kind best: is none of auto, encoder, ngrams' --examples "$tmp/mine.jsonl" --kind best
refused 64 '--labels FILE: the files have no columns to name' --examples "$tmp/texts" --labels "$tmp/labels" --text a
refused 78 'tests/data/tiny: has a head "mood" already' --examples "$tmp/mine.jsonl" --head mood
refused 78 "needs a name without '/' and '.'" --examples "$tmp/mine.jsonl" --head a.b
refused 78 'mine.tsv:1: has no column "label", but id, kind, text; name yours with --label' --examples "$tmp/mine.tsv"
refused 78 'mine.csv:1: has no column "body"' --examples "$tmp/mine.csv" --text body
refused 65 'mine.jsonl:1: has no "kind"' --examples "$tmp/mine.jsonl" --label kind
head -n 35 "$tmp/labels" >"$tmp/short"
refused 65 'short: ends after line 35' --examples "$tmp/texts" --labels "$tmp/short"
head -n 35 "$tmp/texts" >"$tmp/short"
refused 65 'short: ends after line 35' --examples "$tmp/short" --labels "$tmp/labels"
grep cats "$tmp/mine.jsonl" >"$tmp/bad"
refused 65 'bad: has 12 examples and one label, "cats"' --examples "$tmp/bad"
head -n 5 "$tmp/mine.jsonl" >"$tmp/bad"
refused 65 'label "cats" has 2 examples without repeats, at least 5 are needed' --examples "$tmp/bad"
{ cat "$tmp/mine.jsonl" && echo '{"text": "A CAT sat on mat number 7!", "label": "money"}'; } >"$tmp/bad"
refused 65 'bad:37: is the text of line 1 (but for case, links and punctuation), which is "cats" there and "money" here' --examples "$tmp/bad"
iconv -f utf-8 -t utf-16 "$tmp/mine.tsv" >"$tmp/bad"
refused 65 'bad:1: is UTF-16' --examples "$tmp/bad"
bad 'text,label\ncaf\xe9,a\n'
refused 65 'bad:2: byte 4 of the text is not UTF-8' --examples "$tmp/bad"
bad 'text,label\nfine,a\n"one\ntwo",b\n  ,a\n'
refused 65 'bad:5: the text is empty' --examples "$tmp/bad"
bad 'text,label\nfine,a,b\n'
refused 65 'bad:2: has 3 columns where the header has 2' --examples "$tmp/bad"
bad 'text\tlabel\nfine\n'
refused 65 'bad:2: has 1 columns where the header has 2' --examples "$tmp/bad"
bad '{"text": "a", "label": "b"}\n{"text": 7, "label": "b"}\n'
refused 65 'bad:2: text' --examples "$tmp/bad"
bad ''
refused 65 'bad: has 0 examples and no label' --examples "$tmp/bad"
mkdir "$tmp/there"
refused 73 'there: is there already' --examples "$tmp/mine.jsonl" --out "$tmp/there"
refused 73 "none/out: cannot be made, for $tmp/none: No such file or directory" --examples "$tmp/mine.jsonl" --out "$tmp/none/out"

# another encoder's head: its tensors do not fit, and nothing is learned on such a model
cp -r tests/data/tiny "$tmp/foreign"
sed -i 's/"mean"$/"cls"/; s/^      "cls",$//' "$tmp/foreign/config.json"
status=0
"$DUNLIN" model fit "$tmp/foreign" --head topic --examples "$tmp/mine.jsonl" --out "$tmp/never" >/dev/null 2>"$tmp/err" || status=$?
equal "status on another encoder's head" "$status" 65
grep -q 'heads.mood.weight' "$tmp/err" || fail "another encoder's head: $(cat "$tmp/err")"
[ ! -e "$tmp/never" ] || fail "another encoder's head: something was written"
finish
