#!/usr/bin/env bash
# USR1 and TERM drain: exit status 75, everything under way committed, the next start makes the rest. A second signal ends
# at once, and the next start makes the same rows.
. tests/fault/lib.sh
mapfile -t options < <(small_options null)
corpus=$tmp/corpus.jsonl
"$DUNLIN" corpus generate -n 3000 --seed 11 --bad 3% -o "$corpus"
tweets "$corpus" "$tmp/calm" "${options[@]}" >"$tmp/summary"
expected=$(all_of "$tmp/calm")
# the corpus spans some hours; at this pace it takes minutes, so that every signal comes in the middle
slow=(--pace 100x)

# some_rows OUT
some_rows() { [ -n "$(find "$1/rows" -name '*.h5' | head -n 1)" ]; }

# disturb NAME RANKS SIGNAL ...: a slow run, the signals once it has written something, the rest at full speed
disturb() {
    local name=$1 ranks=$2 out=$tmp/$1 status=0 pid signal
    shift 2
    if [ "$ranks" -eq 1 ]; then
        "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" --set output="$out" --output json --no-progress \
            "${slow[@]}" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" &
    else
        "$MPIRUN" -n "$ranks" --oversubscribe --bind-to none "$DUNLIN" run jobs/tweets.yaml --broker none \
            --replay "$corpus" --set output="$out" --output json --no-progress "${slow[@]}" "${options[@]}" \
            >"$tmp/summary" 2>"$tmp/err" &
    fi
    pid=$!
    await 30 some_rows "$out" || fail "$name: nothing was written: $(cat "$tmp/err")"
    for signal in "$@"; do
        kill -s "$signal" "$pid"
    done
    wait "$pid" || status=$?
    equal "status of $name" "$status" 75
    [ ! -e "$out/run.lock" ] || fail "$name: the folder is still locked"
    if [ $# -eq 1 ]; then
        equal "$name: drained in the summary" "$(field drained <"$tmp/summary")" true
        equal "$name: rows in the files" "$(verified "$out" | field rows_out)" "$(field rows_out <"$tmp/summary")"
        [ "$(field rows_out <"$tmp/summary")" -lt 2000 ] || fail "$name: the signal came too late to tell anything"
    else
        grep -q 'second signal: stopping at once' "$tmp/err" || fail "$name: $(cat "$tmp/err")"
        grep -q 'E1801.*the same command goes on' "$tmp/err" || fail "$name: $(cat "$tmp/err")"
    fi
    tweets "$corpus" "$out" "${options[@]}" >"$tmp/summary" || fail "$name: the rest ends with $?"
    equal "rows, letters, topic after $name" "$(all_of "$out")" "$expected"
}

disturb usr1 1 USR1
disturb term 1 TERM
disturb int 1 INT
disturb twice 1 TERM INT
disturb usr1_two_ranks 2 USR1
finish
