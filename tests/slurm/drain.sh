#!/usr/bin/env bash
# The time limit comes near: Slurm sends USR1 to the ranks, they drain and end with 75, the batch script has itself requeued,
# and the second start ends with the rows of an undisturbed run.
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 20k --seed 6 -o "$tmp/c.jsonl"
rows=$(plain "$tmp/c.jsonl" "$tmp/plain")
out=$tmp/out
# Slurm looks at time limits every 30 s: the signal comes within the first 35 s of the 44 that the corpus takes.
job=$(submit -N 2 --ntasks-per-node=1 --time=1 --signal=USR1@58 slurm/live.sbatch jobs/tweets.yaml \
    --replay "$tmp/c.jsonl" --pace 450x --set output="$out" "${run_options[@]}")
await 90 "the drain before the limit" says "$job" "back to the queue"
await 30 "the requeue" is_in "$job" PENDING
equal "the first start drained" "$(summary_of "$tmp/$job"_* | field drained)" true
equal "how often the ranks heard the signal" "$(log_of "$job" | grep -c 'USR1: no more records are read')" 2
[ ! -e "$out/run.lock" ] || fail "a drained run gives its folder back"
first=$(summary_of "$tmp/$job"_* | field records_in)

scontrol update JobId="$job" TimeLimit=10
completed "$job"
summary_of "$tmp/$job"_* >"$tmp/summary" || fail "no summary: $(log_of "$job")"
equal "restarts" "$(field restarts <"$tmp/summary")" 1
equal "records of both starts" "$((first + $(field records_in <"$tmp/summary")))" 20000
equal "content after the requeue" "$(content "$out")" "$rows"
finish
