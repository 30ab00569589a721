#!/usr/bin/env bash
# kill -9 at random moments and the same command again: the same rows, letters and topic lines as undisturbed, none twice.
# kill.sh KILLS null|two; DN_TEST_SEED chooses the moments
. tests/fault/lib.sh
kills=$1
job_file=$(job_of "$2")
seed=${DN_TEST_SEED:-20261122}
RANDOM=$((seed % 32768))
say "DN_TEST_SEED=$seed"
# at this pace the corpus takes a second, in chunks of a few records and many small commits
mapfile -t options < <(small_options "$2" && printf '%s\n' --pace 6000x)
corpus=$tmp/corpus.jsonl out=$tmp/out
"$DUNLIN" corpus generate -n 4000 --seed "$((seed % 1000))" --bad 3% -o "$corpus"
begin=$(now_ms)
tweets "$corpus" "$tmp/calm" "${options[@]}" >"$tmp/summary" || fail "the undisturbed run: status $?"
alone_ms=$(($(now_ms) - begin))
rm -r "$tmp/calm"
begin=$(now_ms)
tweets_on 2 "$corpus" "$tmp/calm" "${options[@]}" >"$tmp/summary" || fail "the undisturbed run: status $?"
two_ms=$(($(now_ms) - begin))
letters=$(letters_hash "$tmp/calm")
expected=$(content "$tmp/calm")/$(topic_hash "$tmp/calm")/$(verified "$tmp/calm" | field dead_letter_records)
[ "$(find "$tmp/calm/dead/enrich" -name '*.h5' | wc -l)" -gt 0 ] || fail "no dead letters in enrich: the test would be blind"

# start: the job on one or two ranks in the background; `job` is the process that waits for it, wall_ms what it takes undisturbed
start() {
    if [ $((RANDOM % 3)) -eq 0 ]; then
        wall_ms=$alone_ms
        tweets "$corpus" "$out" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" &
    else
        wall_ms=$two_ms
        tweets_on 2 "$corpus" "$out" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" &
    fi
    job=$!
}

# check_whole: a run came to its end; the letters one by one only at times, that takes long
check_whole() {
    equal "rows/topic/letters after $killed kills" \
        "$(content "$out")/$(topic_hash "$out")/$(verified "$out" | field dead_letter_records)" "$expected"
    if [ $((whole % 4)) -eq 0 ]; then
        equal "the dead letters after $killed kills" "$(letters_hash "$out")" "$letters"
    fi
    rm -rf "$out"
    whole=$((whole + 1))
}

killed=0 whole=0
while [ "$killed" -lt "$kills" ] && [ "$wrong" -eq 0 ]; do
    start
    delay=$((RANDOM % (wall_ms + 1)))
    sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
    mapfile -t victims < <(ranks_of "$job")
    status=0
    if [ ${#victims[@]} -gt 0 ]; then
        kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || true
    fi
    wait "$job" || status=$?
    case $status in
    0) check_whole ;;
    137) killed=$((killed + 1)) ;;
    *) if [ ${#victims[@]} -gt 0 ]; then killed=$((killed + 1)); else fail "status $status: $(cat "$tmp/err")"; fi ;;
    esac
done
if [ "$wrong" -eq 0 ]; then
    tweets_on 2 "$corpus" "$out" "${options[@]}" >"$tmp/summary" || fail "the last run: status $?"
    check_whole
fi
say "$killed kills of runs of $alone_ms and $two_ms ms, $whole runs came to their end"
finish
