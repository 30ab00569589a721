#!/usr/bin/env bash
# What users get wrong: each row of a table is a command, the exit status it must end with, and what the message must say
# (what, where, what to do). mistakes.sh
. tests/jobs/lib.sh

# mistake STATUS REGEX COMMAND ...: runs it within 60 s, compares the status, finds the expression on standard error
mistake() {
    local expected=$1 regex=$2 status=0
    shift 2
    timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status, expected $expected: ${*/#$tmp\//}: $(head -c 600 "$tmp/err")"
    grep -Eq -- "$regex" "$tmp/err" || fail "no /$regex/ from ${*/#$tmp\//}: $(head -c 600 "$tmp/err")"
    rows=$((rows + 1))
}
rows=0
d=$DUNLIN
job=(run jobs/tweets.yaml --broker none --until end -q --set "output=$tmp/out.d" --set enrich.model=none
    --set enrich.tokenise.vocabulary=tests/data/tiny)
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"

# the command line
mistake 64 "unknown command 'runn'; did you mean 'run'" "$d" runn
mistake 64 "unknown command 'frobnicate' \(see dunlin --help\)" "$d" frobnicate
mistake 64 'Usage: dunlin COMMAND' "$d"
mistake 64 'run: unknown option --brokr; did you mean --broker\?' "$d" run jobs/tweets.yaml --brokr none
mistake 64 'run: unknown option --zzz \(see dunlin run --help\)' "$d" run jobs/tweets.yaml --zzz
mistake 64 'run: the option --replay needs a value' "$d" run jobs/tweets.yaml --replay
mistake 64 'run: which job\? For example jobs/tweets.yaml' "$d" run
mistake 64 "run: one job file at a time, and then 'b.yaml'" "$d" run a.yaml b.yaml
mistake 64 '--output xml: is none of table, json, csv' "$d" "${job[@]}" --output xml
mistake 64 'run: --output is table or json here' "$d" "${job[@]}" --output csv
mistake 64 '--until tomorrow: is neither end nor forever' "$d" "${job[@]}" --until tomorrow
mistake 64 'verify: written as: verify OUTPUT' "$d" verify
mistake 64 "model: 'scroe' is none of tokenize, score, describe" "$d" model scroe tests/data/tiny
mistake 64 'corpus: generate needs -n ROWS and -o FILE' "$d" corpus generate
mistake 64 '--bad 7: is no share between 0 and 1' "$d" corpus generate -n 5 -o "$tmp/x" --bad 7
mistake 64 '--partition-by autor: is none of language\+text, language' "$d" corpus describe "$corpus" --partition-by autor
mistake 64 '--partitions 0: is not within 1 and 4096' "$d" corpus describe "$corpus" --partitions 0

# the job file and settings
mistake 66 'no/such/job.yaml: cannot be read: No such file' "$d" run no/such/job.yaml
mistake 66 'jobs: cannot be read: Is a directory' "$d" run jobs
mistake 78 "there is no property 'rowz'; did you mean 'rows'" "$d" "${job[@]}" --set enrich.rows_h5.rowz=5
mistake 78 "there is no pipeline 'enrch'" "$d" "${job[@]}" --set enrch.rows_h5.rows=5
mistake 78 "rows_h5.age=5MB: .*'5MB'" "$d" "${job[@]}" --set enrich.rows_h5.age=5MB
mistake 78 "pace: 'fast' is none of max, recorded and a multiple" "$d" "${job[@]}" --replay "$corpus" --pace fast
mistake 78 '--only enrch: the job tweets has no such pipeline' "$d" "${job[@]}" --only enrch
mistake 78 "reads the topic 'tweets', which no pipeline of this run writes, .* name one with -b HOST:PORT or --broker local" \
    "$d" "${job[@]}" --only enrich
mistake 78 "there is no column 'langauge'; did you mean 'language'" "$d" "${job[@]}" --replay "$corpus" \
    --set enrich.rows_h5.columns=langauge
printf 'job: t\npipelines:\n  p:\n    sorce: x\n' >"$tmp/bad.yaml"
mistake 78 "bad.yaml:4:5: unknown key 'sorce' in pipeline 'p'; did you mean 'source'" "$d" check "$tmp/bad.yaml"
head -c 300 /dev/urandom >"$tmp/binary.yaml"
mistake 78 'binary.yaml:1:' "$d" run "$tmp/binary.yaml"
mistake 66 'no/such/corpus.jsonl' "$d" "${job[@]}" --replay no/such/corpus.jsonl
mistake 78 "column|field" "$d" "${job[@]}" --replay "$corpus" --set ingest.corpus.fields.txt=body
printf 'id,body\n1,x\n' >"$tmp/columns.csv"
mistake 78 "columns.csv: .*body" "$d" "${job[@]}" --replay "$tmp/columns.csv"
mistake 78 "kernels|backend" "$d" "${job[@]}" --set enrich.model=model --set enrich.model.path=tests/data/tiny --backend cpv

# models
tiny=tests/data/tiny
with_model=(run jobs/tweets.yaml --broker none -q --replay "$corpus" --set "output=$tmp/out.m")
mistake 66 'no/such/model' "$d" "${with_model[@]}" --set enrich.tokenise.vocabulary=$tiny --set enrich.model.path=no/such/model
mkdir "$tmp/no_vocabulary" "$tmp/other_vocabulary" "$tmp/torn" "$tmp/empty"
cp $tiny/config.json $tiny/model.safetensors "$tmp/no_vocabulary"
mistake 66 'no_vocabulary.*vocab.txt' "$d" "${with_model[@]}" --set "enrich.tokenise.vocabulary=$tmp/no_vocabulary" \
    --set enrich.model.path=$tiny
cp $tiny/* "$tmp/other_vocabulary" && printf '##more\n' >>"$tmp/other_vocabulary/vocab.txt"
mistake 65 'vocab.txt: 801 (tokens|pieces), but the embedding .*has 800 rows' "$d" model score "$tmp/other_vocabulary"
mistake 65 'vocab.txt: 801 (tokens|pieces), but the embedding .*has 800 rows' "$d" "${with_model[@]}" --set "enrich.tokenise.vocabulary=$tmp/other_vocabulary" \
    --set enrich.model.path=$tiny
cp $tiny/* "$tmp/torn" && truncate -s 100000 "$tmp/torn/model.safetensors"
mistake 65 'torn/model.safetensors: ' "$d" model describe "$tmp/torn"
mistake 66 'empty.*config.json' "$d" model describe "$tmp/empty"
mistake 65 '1 of 2 lines are not UTF-8' bash -c "printf 'fine\nbad \xff\n' | '$d' model score $tiny"
"$d" model score $tiny </dev/null >"$tmp/scores" || fail "empty standard input is no mistake"
[ ! -s "$tmp/scores" ] || fail "scores from nothing"
{ printf 'fine\nbad \xff\nfine\n' | "$d" model score $tiny 2>/dev/null >"$tmp/scores"; } || true
equal "lines of scores" "$(wc -l <"$tmp/scores")" 3
equal "the line of the bad text" "$(sed -n 2p "$tmp/scores")" '{"error":"line 2 is not UTF-8 at byte 5"}'
equal "the score after a bad text" "$(sed -n 3p "$tmp/scores")" "$(sed -n 1p "$tmp/scores")"

# results
mistake 66 'no/such/output' "$d" verify no/such/output
mistake 66 'no/such/output' "$d" inspect no/such/output
mistake 66 'no/such/output' "$d" index no/such/output
"$d" "${job[@]}" --replay "$corpus" --set "output=$tmp/whole" >/dev/null
file=$(find "$tmp/whole/rows" -name '*.h5' | sort | head -n 1)
cp "$file" "$tmp/saved.h5" && truncate -s -200 "$file"
mistake 65 "${file#"$tmp"/}: " "$d" verify "$tmp/whole"
rm "$file"
mistake 65 'tweets' "$d" verify "$tmp/whole"
cp "$corpus" "$tmp/whole/x.h5"
mistake 65 'x.h5' "$d" inspect "$tmp/whole/x.h5"

# a broker that is not there
mistake 69 '127.0.0.1:9' "$d" "${job[@]}" --replay "$corpus" -b 127.0.0.1:9 -X deadline=2s
mistake 69 '127.0.0.1:9' "$d" check jobs/tweets.yaml -b 127.0.0.1:9 -X deadline=2s
mistake 78 'linger.mss' "$d" "${job[@]}" --replay "$corpus" -b 127.0.0.1:9 -X linger.mss=2

# permissions: root may do all, so it asks as somebody else
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$tmp/closed" && chmod 555 "$tmp/closed"
    on_exit+=("chmod 755 '$tmp/closed'")
    mistake 77 'closed.*--set output=DIR' "$d" "${job[@]}" --replay "$corpus" --set "output=$tmp/closed/out"
    cp "$corpus" "$tmp/secret.jsonl" && chmod 0 "$tmp/secret.jsonl"
    mistake 66 'secret.jsonl: .*Permission denied' "$d" "${job[@]}" --replay "$tmp/secret.jsonl"
fi
mistake 73 'is not a folder|cannot be made' "$d" "${job[@]}" --replay "$corpus" --set "output=$corpus"
mistake 73 'Not a directory' "$d" "${job[@]}" --replay "$corpus" --set "output=$corpus/below"
say "$rows mistakes"
[ "$rows" -ge 25 ] || fail "only $rows rows"
finish
