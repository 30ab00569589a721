#!/usr/bin/env bash
# How a job over groups of ranks ends early: a leader or a follower that is killed, signals, ranks that disagree. Never a
# hang, one clear error, and the same command goes on to the same rows.
. tests/fault/lib.sh
mapfile -t options < <(model_options tiny && printf '%s\n' --set enrich.model.backend=ref --set topics.tweets.partitions=4 \
    --set enrich.rows_h5.rows=50 --set enrich.rows_h5.age=50ms --set enrich.model.deadline=5ms --tp 2)
corpus=$tmp/corpus.jsonl
"$DUNLIN" corpus generate -n 1500 --seed 11 --bad 3% -o "$corpus"
tweets_on 2 "$corpus" "$tmp/calm" "${options[@]}" --set max_bad=100% >"$tmp/summary"
expected=$(content "$tmp/calm")/$(topic_hash "$tmp/calm")

some_rows() { [ -n "$(find "$1/rows" -name '*.h5' | head -n 1)" ]; }

# rank_of PID: its number in the world
rank_of() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }

# pid_of JOB RANK
pid_of() {
    local pid
    for pid in $(ranks_of "$1"); do
        if [ "$(rank_of "$pid")" = "$2" ]; then
            echo "$pid"
        fi
    done
}

# start OUT: at a pace that takes minutes, so that all comes in the middle
start() {
    timeout 100 "$MPIRUN" -n 2 --oversubscribe --bind-to none "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" \
        --set output="$1" --set max_bad=100% --output json --no-progress --pace 100x "${options[@]}" >"$tmp/summary" 2>"$tmp/err" &
    job=$!
    await 60 some_rows "$1" || fail "nothing was written: $(cat "$tmp/err")"
}

# goes_on NAME OUT
goes_on() {
    tweets_on 2 "$corpus" "$2" "${options[@]}" --set max_bad=100% >"$tmp/summary" 2>"$tmp/err" || fail "$1: the rest ends with $?: $(cat "$tmp/err")"
    equal "rows and topic after $1" "$(content "$2")/$(topic_hash "$2")" "$expected"
}

# killed NAME RANK: with kill -9
killed() {
    local status=0 out=$tmp/$1
    start "$out"
    kill -9 "$(pid_of "$job" "$2")"
    wait "$job" || status=$?
    equal "status after the $1 was killed" "$status" 137
    grep -q 'exited on signal 9' "$tmp/err" || fail "$1 killed: $(cat "$tmp/err")"
    goes_on "kill -9 of the $1" "$out"
}

# drained NAME SIGNAL TARGET: TARGET is launcher, or both: each rank by itself, as Slurm does it
drained() {
    local status=0 out=$tmp/$1
    start "$out"
    if [ "$3" = launcher ]; then
        # timeout(1) is the parent of mpirun
        kill -s "$2" "$(children "$job")"
    else
        # shellcheck disable=SC2046
        kill -s "$2" $(ranks_of "$job")
    fi
    wait "$job" || status=$?
    equal "status of $1" "$status" 75
    equal "$1: drained in the summary" "$(field drained <"$tmp/summary")" true
    equal "$1: rows in the files" "$(verified "$out" | field rows_out)" "$(field rows_out <"$tmp/summary")"
    [ "$(field rows_out <"$tmp/summary")" -lt 1200 ] || fail "$1: the signal came too late to tell anything"
    goes_on "$1" "$out"
}

killed follower 1
killed leader 0
drained usr1 USR1 launcher
drained term TERM both

# Ctrl-C at a terminal reaches launcher and ranks; the launcher may kill them before they have drained
start "$tmp/ctrl_c"
# shellcheck disable=SC2046
kill -s INT "$(children "$job")" $(ranks_of "$job")
status=0
wait "$job" || status=$?
case $status in
0 | 124) fail "Ctrl-C: status $status: $(cat "$tmp/err")" ;;
esac
goes_on Ctrl-C "$tmp/ctrl_c"

# seen while it runs: both ranks, the follower with its model thread alone; and what a second signal does
start "$tmp/top"
await 30 test -s "$tmp/top/status/r0001.json" || fail "no status of the follower"
"$DUNLIN" top "$tmp/top" --once >"$tmp/table"
grep -q '^rank 0 of 2, part 0 of group 0,' "$tmp/table" || fail "top: $(cat "$tmp/table")"
grep -A 5 '^rank 1 of 2, part 1 of group 0,' "$tmp/table" | grep -q '^    model  *1 thread ' || fail "top: $(cat "$tmp/table")"
equal "poll threads in top" "$(grep -c '^    poll ' "$tmp/table")" 2
for signal in TERM INT; do
    # shellcheck disable=SC2046
    kill -s "$signal" $(ranks_of "$job") 2>"$tmp/gone" || true
done
status=0
wait "$job" || status=$?
equal "status of two signals" "$status" 75
goes_on "two signals" "$tmp/top"

# disagree NAME PATTERN MODEL-OF-RANK-1 TP-OF-RANK-1: two folders of the same name, each rank in its own
disagree() {
    local status=0 rank=(--broker none --replay "$corpus" --set output="$tmp/$1" --until end -q --set enrich.model.path=model
        --set enrich.tokenise.vocabulary=model)
    mkdir -p "$tmp/$1-0" "$tmp/$1-1"
    cp -r tests/data/tiny "$tmp/$1-0/model"
    cp -r "$3" "$tmp/$1-1/model"
    DUNLIN_HOME=$PWD timeout 60 "$MPIRUN" --oversubscribe --bind-to none \
        -n 1 -wdir "$tmp/$1-0" "$DUNLIN" run jobs/tweets.yaml "${rank[@]}" --tp 2 : \
        -n 1 -wdir "$tmp/$1-1" "$DUNLIN" run jobs/tweets.yaml "${rank[@]}" --tp "$4" >"$tmp/summary" 2>"$tmp/err" || status=$?
    equal "status of $1" "$status" 78
    equal "errors of $1" "$(grep -c '^dunlin: E' "$tmp/err")" 1
    grep -q "$2" "$tmp/err" || fail "$1: $(cat "$tmp/err")"
}

cp -r tests/data/tiny "$tmp/changed"
printf '\1' | dd of="$tmp/changed/model.safetensors" bs=1 seek=$(($(stat -c %s "$tmp/changed/model.safetensors") - 4)) conv=notrunc status=none
disagree weights 'ranks disagree: rank 0 has model of pipeline enrich, model (sha256 [0-9a-f]*, [a-z0-9]*); rank 1 has' "$tmp/changed" 2
disagree groups 'some ranks were started with --tp 1, others with --tp 2' tests/data/tiny 1
finish
