#!/usr/bin/env bash
# An output folder belongs to one run at a time: a live owner is named, a dead one's lock is taken over, another host's only
# with --force. A trace that cannot be written does not stop a run.
. tests/fault/lib.sh
mapfile -t options < <(small_options null)
corpus=$tmp/corpus.jsonl
"$DUNLIN" corpus generate -n 500 --seed 13 -o "$corpus"

live=$tmp/live
"$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" --set output="$live" -q --pace 10x "${options[@]}" \
    >"$tmp/summary" 2>"$tmp/err" &
owner=$!
await 30 test -e "$live/run.lock" || fail "no lock: $(cat "$tmp/err")"
status=0
tweets "$corpus" "$live" "${options[@]}" >"$tmp/second" 2>"$tmp/err" || status=$?
equal "status beside a live owner" "$status" 73
grep -q "E1602 $live belongs to another run (process $owner on [^ ]* since 2.*--force" "$tmp/err" ||
    fail "the owner is not named: $(cat "$tmp/err")"
kill -9 "$owner"
wait "$owner" || true
[ -e "$live/run.lock" ] || fail "a killed run took its lock along: the test would be blind"
tweets "$corpus" "$live" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "the lock of a dead process: $(cat "$tmp/err")"
[ ! -e "$live/run.lock" ] || fail "the lock was not given back"

far=$tmp/far
mkdir "$far"
printf 'host elsewhere\npid 1\nslurm -\nsince 2026-01-01T00:00:00Z\n' >"$far/run.lock"
status=0
tweets "$corpus" "$far" "${options[@]}" >"$tmp/second" 2>"$tmp/err" || status=$?
equal "status beside an owner elsewhere" "$status" 73
grep -q 'process 1 on elsewhere since 2026-01-01' "$tmp/err" || fail "the owner elsewhere: $(cat "$tmp/err")"
tweets "$corpus" "$far" "${options[@]}" --force >"$tmp/summary" 2>"$tmp/err" || fail "--force: $(cat "$tmp/err")"
equal "content after --force" "$(content "$far")" "$(content "$live")"

printf 'host elsewhere\npid 1\nslurm 4711\nsince 2026-01-01T00:00:00Z\n' >"$far/run.lock"
SLURM_JOB_ID=4711 tweets "$corpus" "$far" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" ||
    fail "a requeued Slurm job: $(cat "$tmp/err")"
printf 'half a lo' >"$far/run.lock"
status=0
tweets "$corpus" "$far" "${options[@]}" >"$tmp/second" 2>"$tmp/err" || status=$?
equal "status beside a lock that says nothing" "$status" 73
rm "$far/run.lock"

traceless=$tmp/traceless
mkdir "$traceless"
echo 'in the way' >"$traceless/trace"
tweets "$corpus" "$traceless" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "no trace, no run: $(cat "$tmp/err")"
grep -q 'warn .*no trace is written' "$tmp/err" || fail "the missing trace is not said: $(cat "$tmp/err")"
equal "content without a trace" "$(content "$traceless")" "$(content "$live")"
finish
