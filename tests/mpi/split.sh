#!/usr/bin/env bash
# A whole job over groups of ranks: the same records, labels and words as on one rank, scores within rounding.
. tests/jobs/lib.sh
mapfile -t options < <(model_options tiny && printf '%s\n' --set enrich.model.backend=ref --set enrich.model.tokens=64)
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"
good=$(cat "$corpus.good")

# lines OUT: of the topic, partition by partition
lines() { find "$1/topics" -name '*.jsonl' -print0 | sort -z | xargs -0 cat; }
# words OUT: all but the scores; numbers OUT: the scores alone, one a line
words() { lines "$1" | sed 's/"score":[^}]*//g; s/"scores":.*//'; }
numbers() { lines "$1" | sed 's/.*"scores"://' | grep -oE '[0-9.e+-]+[0-9]'; }

# largest_difference A B: over numbers line by line; "none" where their number differs
largest_difference() {
    paste "$1" "$2" | awk 'NF != 2 { bad = 1 } { d = $1 - $2; d = d < 0 ? -d : d; if (d > w) w = d }
        END { print bad || NR == 0 ? "none" : w < 0.00001 ? "small" : w }'
}

tweets "$corpus" "$tmp/alone" "${options[@]}" >"$tmp/summary"
words "$tmp/alone" >"$tmp/words"
numbers "$tmp/alone" >"$tmp/numbers"
equal "lines" "$(wc -l <"$tmp/words")" "$good"

# check RANKS TP
check() {
    local ranks=$1 tp=$2 out=$tmp/out$1-$2 name="$1 ranks, --tp $2"
    tweets_on "$ranks" "$corpus" "$out" "${options[@]}" --tp "$tp" >"$tmp/summary" 2>"$tmp/err" || fail "$name: $(cat "$tmp/err")"
    equal "records_in of $name" "$(field records_in <"$tmp/summary")" "$good"
    equal "rows in the files of $name" "$(verified "$out" | field rows_out)" "$(field rows_out <"$tmp/summary")"
    equal "dead letters of $name" "$(verified "$out" | field dead_letter_records)" "$(cat "$corpus.bad")"
    equal "tensor_parallel of $name" "$(field tensor_parallel <"$tmp/summary")" "$tp"
    words "$out" | cmp - "$tmp/words" || fail "$name: records or labels differ"
    numbers "$out" >"$tmp/other"
    equal "difference of scores, $name" "$(largest_difference "$tmp/numbers" "$tmp/other")" small
    # the second pipeline has the model: each batch is done by the leader and by every follower
    grep -o '"name":"enrich".*' "$tmp/summary" >"$tmp/enrich"
    equal "parts of batches of $name" "$(field leader <"$tmp/enrich")" "$(($(field batches <"$tmp/enrich") * (tp - 1)))"
    [ "$tp" -eq 1 ] || equal "model threads of $name" "$(field model_threads <"$tmp/enrich")" "$ranks"
    equal "segments of the trace of $name" "$(find "$out/trace" -name 'r*.h5' | wc -l)" "$ranks"
    "$DUNLIN" trace export "$out"/trace/* -o "$tmp/chrome.json" 2>"$tmp/err" || fail "$name: no trace: $(cat "$tmp/err")"
    equal "parts of batches in the trace of $name" "$(grep -c '"closed by":"leader"' "$tmp/chrome.json")" \
        "$(field leader <"$tmp/enrich")"
}

check 1 1
check 2 2
tweets_on 2 "$corpus" "$tmp/plan" "${options[@]}" --tp 2 -v >"$tmp/summary" 2>"$tmp/err"
grep -q '^ rank  group  part  host ' "$tmp/err" || fail "no plan: $(cat "$tmp/err")"
grep -qE '^    1      0     1  ' "$tmp/err" || fail "the plan lacks rank 1: $(cat "$tmp/err")"
grep -q 'group 0: model of pipeline enrich in 2 parts, [0-9.]* MB of weights here' "$tmp/err" || fail "no weights: $(cat "$tmp/err")"
check 4 2
check 4 4

# Two models in one pipeline: each is split by itself, in a thread and a communicator of its own.
(
    job_file=$(job_of two)
    export DN_BACKEND=ref
    tweets "$corpus" "$tmp/two" >"$tmp/summary"
    tweets_on 2 "$corpus" "$tmp/two-split" --tp 2 >"$tmp/summary" 2>"$tmp/err" || fail "two models: $(cat "$tmp/err")"
    cmp <(words "$tmp/two") <(words "$tmp/two-split") || fail "two models: records or labels differ"
    numbers "$tmp/two" >"$tmp/numbers"
    numbers "$tmp/two-split" >"$tmp/other"
    equal "difference of scores of two models" "$(largest_difference "$tmp/numbers" "$tmp/other")" small
    equal "dead letters of two models" "$(verified "$tmp/two-split" | field dead_letter_records)" "$(cat "$corpus.bad")"
    for name in model ner; do
        grep -o "{\"name\":\"$name\".*" "$tmp/summary" >"$tmp/of"
        equal "parts of batches of $name" "$(field leader <"$tmp/of")" "$(field batches <"$tmp/of")"
    done
    exit "$wrong"
) || wrong=$((wrong + $?))

# refused RANKS TP PATTERN
refused() {
    local status=0
    tweets_on "$1" "$corpus" "$tmp/refused" "${options[@]}" --tp "$2" >"$tmp/summary" 2>"$tmp/err" || status=$?
    equal "status of $1 ranks, --tp $2" "$status" 78
    equal "errors of $1 ranks, --tp $2" "$(grep -c '^dunlin: E' "$tmp/err")" 1
    grep -q "$3" "$tmp/err" || fail "$1 ranks, --tp $2: $(cat "$tmp/err")"
}

refused 3 2 '3 ranks cannot be put in groups of 2: start 4 ranks, or use --tp 1 or 3'
refused 3 3 'tests/data/tiny has 4 attention heads, which a group of 3 ranks cannot share evenly: use --tp 1, 2 or 4'
refused 1 2 '1 rank cannot be put in groups of 2: start 2 ranks, or use --tp 1'
status=0
"$DUNLIN" check jobs/tweets.yaml --broker none --replay "$corpus" --set output="$tmp/checked" "${options[@]}" --tp 3 \
    >"$tmp/checked.yaml" 2>"$tmp/err" || status=$?
equal "status of check --tp 3" "$status" 78
grep -q 'a group of 3 ranks cannot share evenly' "$tmp/err" || fail "check --tp 3: $(cat "$tmp/err")"
options=(--set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny)
refused 2 2 'no pipeline of job tweets has a model to split'

status=0
"$DUNLIN" run jobs/tweets.yaml --tp none 2>"$tmp/err" || status=$?
equal "status of --tp none" "$status" 64
grep -q 'is no number of ranks' "$tmp/err" || fail "--tp none: $(cat "$tmp/err")"
finish
