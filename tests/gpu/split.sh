#!/usr/bin/env bash
# dunlin run --tp on the GPUs of gpu.c with the NCCL of nccl.c: the same records, labels and words as on one GPU, scores within
# rounding; what is refused before a batch is read; and what breaks in the middle: one error, no hang, nothing half done.
#
#   split.sh LIBRARY FOLDER_OF_NCCL
. tests/fault/lib.sh
export DN_CUDA_LIBRARY=$1 DN_CUDA_LIBRARIES=$2 XDG_CACHE_HOME=$tmp/cache DN_TEST_GPU=devices=4
unset DN_BACKEND CUDA_VISIBLE_DEVICES DN_TEST_NCCL DN_GROUP_TIMEOUT
mapfile -t options < <(model_options tiny)
options+=(--set enrich.model.backend=cuda:fp16 --set enrich.model.tokens=64 --set enrich.rows_h5.rows=20)
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"

# lines OUT: of the topic, partition by partition; words OUT: all but the scores, and the spans of random weights, which
# hang on the last bits; numbers OUT: the scores alone
lines() { find "$1/topics" -name '*.jsonl' -print0 | sort -z | xargs -0 cat; }
words() { lines "$1" | sed 's/"entities.ner":\[[^]]*\],//; s/"scores":.*//'; }
numbers() { lines "$1" | sed 's/.*"scores"://' | grep -oE '[0-9.e+-]+[0-9]'; }

# largest_difference A B: over numbers line by line; "none" where their number differs
largest_difference() {
    paste "$1" "$2" | awk 'NF != 2 { bad = 1 } { d = $1 - $2; d = d < 0 ? -d : d; if (d > w) w = d }
        END { print bad || NR == 0 ? "none" : w < 0.004 ? "small" : w }'
}

# check RANKS TP
check() {
    local ranks=$1 tp=$2 out=$tmp/out$1-$2 name="$1 ranks, --tp $2"
    tweets_on "$ranks" "$corpus" "$out" "${options[@]}" --tp "$tp" >"$tmp/summary" 2>"$tmp/err" || fail "$name: $(cat "$tmp/err")"
    words "$out" | cmp - "$tmp/words" || fail "$name: records or labels differ"
    numbers "$out" >"$tmp/other"
    equal "difference of scores, $name" "$(largest_difference "$tmp/numbers" "$tmp/other")" small
    verified "$out" >/dev/null
}

tweets "$corpus" "$tmp/alone" "${options[@]}" >"$tmp/summary"
words "$tmp/alone" >"$tmp/words"
numbers "$tmp/alone" >"$tmp/numbers"
check 2 2
check 4 4
tweets_on 2 "$corpus" "$tmp/plan" "${options[@]}" --tp 2 -v >"$tmp/summary" 2>"$tmp/err"
grep -q '2 ranks add up from GPU to GPU, by NCCL 2.28.9' "$tmp/err" || fail "who adds up: $(cat "$tmp/err")"

# Two models, whose passes take turns on each GPU.
(
    job_file=$(job_of two)
    export DN_BACKEND=cuda:fp16
    tweets "$corpus" "$tmp/two" >"$tmp/summary"
    tweets_on 2 "$corpus" "$tmp/two-split" --tp 2 >"$tmp/summary" 2>"$tmp/err" || fail "two models: $(cat "$tmp/err")"
    cmp <(words "$tmp/two") <(words "$tmp/two-split") || fail "two models: records or labels differ"
    exit "$wrong"
) || wrong=$((wrong + $?))

expected=$(content "$tmp/out2-2")

# ends STATUS PATTERN NAME [OPTION ...]: two ranks end so, with one error; errors come from every rank that meets one
ends() {
    local status=0 wanted=$1 pattern=$2 out=$tmp/$3
    shift 3
    timeout 60 "$MPIRUN" -n 2 --oversubscribe --bind-to none "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" \
        --set output="$out" --until end -q "${options[@]}" --tp 2 "$@" >"$tmp/summary" 2>"$tmp/err" || status=$?
    equal "status of $out" "$status" "$wanted"
    grep -qE "$pattern" "$tmp/err" || fail "$out: no /$pattern/ in: $(cat "$tmp/err")"
}

# refused STATUS PATTERN: no batch is read
refused() {
    rm -rf "$tmp/refused"
    ends "$1" "$2" refused
    equal "errors of /$2/" "$(grep -c '^dunlin: E' "$tmp/err")" 1
    [ -z "$(find "$tmp/refused/rows" -name '*.h5' 2>/dev/null)" ] || fail "/$2/: rows were written"
}

DN_TEST_GPU='' refused 78 'E2001 .*ranks 0 and 1 of a group have the same GPU \(GPU-0.*one for each'
DN_CUDA_LIBRARIES=$tmp refused 69 'E1406 .*split over GPUs needs NCCL, and libnccl.so.2 is neither'
DN_TEST_NCCL='version=21304' refused 69 'E1406 .*NCCL 2.13.4 is too old .*2.14 or newer'
DN_TEST_NCCL='rank=1 version=21304' refused 69 'E1406 rank 1: NCCL 2.13.4 is too old'
DN_TEST_NCCL='rank=1 version=22703' refused 78 'ranks disagree: rank 0 of the group has NCCL 2.28.9, rank 1 has NCCL 2.27.3'
DN_TEST_NCCL='rank=1 join=2' refused 71 'E1504 rank 1: joining a group of GPUs: unhandled system error'
DN_TEST_NCCL='rank=0 late=6' refused 71 'E1504 .*a sum over GPUs: remote process exited.*rank 0 of a group of 2'
DN_TEST_NCCL='rank=1 stays=1' DN_GROUP_TIMEOUT=2 refused 71 'E1504 .*has waited 2 s for the others to add up'
DN_TEST_NCCL='wrong=1' refused 69 'E1406 .*GPUs of a group of 2 do not add up \(5 where 3 is right\)'

# broken STATUS PATTERN NAME: in the middle; the same command goes on to the same rows
broken() {
    ends "$1" "$2" "$3"
    (
        unset DN_TEST_NCCL DN_GROUP_TIMEOUT
        tweets_on 2 "$corpus" "$tmp/$3" "${options[@]}" --tp 2 >"$tmp/summary" 2>"$tmp/err"
    ) || fail "the rest after $3: $(cat "$tmp/err")"
    equal "rows after $3" "$(content "$tmp/$3")" "$expected"
}

DN_TEST_NCCL='rank=1 fault=6 after=100' broken 71 'E1504 rank 1: a sum over GPUs: remote process exited.*the made-up reason.*GPU 1' fault
DN_TEST_NCCL='rank=0 refuse=1 after=8' broken 71 'E1504 rank 0: a sum over GPUs: unhandled cuda error' refuse
DN_TEST_NCCL='rank=1 dies=1 after=100' broken 137 'exited on signal 9' dies
DN_TEST_NCCL='rank=1 sleeps=1 after=100' DN_GROUP_TIMEOUT=2 broken 71 'E1504 rank [01]: rank [01] of a group of 2 has waited 2 s' sleeps

# A second signal ends ranks that wait for one another in the middle of a pass.
DN_TEST_NCCL='rank=1 sleeps=1 after=100' timeout 100 "$MPIRUN" -n 2 --oversubscribe --bind-to none "$DUNLIN" run jobs/tweets.yaml \
    --broker none --replay "$corpus" --set output="$tmp/signals" --until end -q "${options[@]}" --tp 2 >"$tmp/summary" 2>"$tmp/err" &
job=$!
await 60 grep -q 'rank 1 sleeps' "$tmp/err" || fail "no rank sleeps: $(cat "$tmp/err")"
for signal in TERM INT; do
    # shellcheck disable=SC2046
    kill -s "$signal" $(ranks_of "$job") 2>"$tmp/gone" || true
done
status=0
wait "$job" || status=$?
equal "status of two signals" "$status" 75
finish
