#!/usr/bin/env bash
# A node hangs in the middle: Slurm kills what it can reach of the job and puts it back; the new start takes over the folder,
# which still belongs to the killed one, and ends with the rows of an undisturbed run.
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 20k --seed 5 -o "$tmp/c.jsonl"
rows=$(plain "$tmp/c.jsonl" "$tmp/plain")
out=$tmp/out
write_rank
job=$(DUNLIN=$tmp/rank submit -N 2 --ntasks-per-node=1 slurm/run.sbatch jobs/tweets.yaml --replay "$tmp/c.jsonl" \
    --pace 2000x --set output="$out" "${run_options[@]}")
await 60 "rows of job $job" n_published "$out" 12

# All that is on n2: its daemon, the keeper of its step, its rank. First they hang, so that nothing tells srun of it.
rank=$(cut -d' ' -f 1 "$tmp/rank.$job.1")
n2=("$(cat "$cluster/run/slurmd-n2.pid")" "$(ps -o ppid= -p "$rank" | tr -d ' ')" "$rank")
kill -STOP "${n2[@]}"
scontrol update NodeName=n2 State=DOWN Reason=test
await 30 "the requeue" is_in "$job" PENDING
kill -KILL "${n2[@]}"
first=$(cut -d' ' -f 1 "$tmp/rank.$job.0")
await 30 "the end of rank 0" test ! -e "/proc/$first"
[ -e "$out/run.lock" ] || fail "the killed run gave its folder back: the test would be blind"
published=$(find "$out/rows" -name '*.h5' | wc -l)

# Here both nodes are one host, where the dead process alone would free the folder: as if it still lived.
sed -i "s/^pid .*/pid $$/" "$out/run.lock"
status=0
tweets "$tmp/c.jsonl" "$out" "${options[@]}" >"$tmp/other" 2>"$tmp/err" || status=$?
equal "status of somebody else on the folder" "$status" 73
status=0
SLURM_JOB_ID=$job tweets "$tmp/c.jsonl" "$out" "${options[@]}" >"$tmp/other" 2>"$tmp/err" || status=$?
equal "status of a second step of the same start" "$status" 73

tests/slurm/cluster.sh node "$cluster" n2
completed "$job"
summary_of "$tmp/$job"_* >"$tmp/summary" || fail "no summary: $(log_of "$job")"
equal "restarts" "$(field restarts <"$tmp/summary")" 1
equal "content after the failure" "$(content "$out")" "$rows"
again=$(field records_in <"$tmp/summary")
{ [ "$again" -gt 0 ] && [ "$again" -lt 20000 ]; } ||
    fail "the second start read $again of 20000 records, after $published files: it did not go on in the middle"
[ ! -e "$out/run.lock" ] || fail "the folder is still locked"
finish
