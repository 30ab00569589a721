#!/usr/bin/env bash
# dunlin submit under Slurm: it prints the number of the job, which ends with the rows of a plain run; an array; a refusal.
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 6k --seed 7 -o "$tmp/all.jsonl"
split -n l/2 --numeric-suffixes=1 -a 1 --additional-suffix=.jsonl "$tmp/all.jsonl" "$tmp/part-"

job=$("$DUNLIN" submit jobs/tweets.yaml --nodes 2 --gpus-per-node 2 --cores-per-rank 2 --site tests/slurm/golden/site -- \
    --replay "$tmp/all.jsonl" --set output="$tmp/out" "${run_options[@]}")
array=$("$DUNLIN" submit jobs/tweets.yaml --array 1-2 --time 5 -- --replay "$tmp/part-%a.jsonl" --set output="$tmp/parts" \
    "${run_options[@]}")
completed "$job"
completed "$array"
equal "content of the job" "$(content "$tmp/out")" "$(plain "$tmp/all.jsonl" "$tmp/plain")"
equal "ranks of the job" "$(summary_of "$tmp/out/slurm-$job.log" | field ranks)" 4
for task in 1 2; do
    equal "content of task $task" "$(content "$tmp/parts/$task")" "$(plain "$tmp/part-$task.jsonl" "$tmp/plain$task")"
    [ -s "$tmp/parts/slurm-${array}_$task.log" ] || fail "task $task has no log"
done

status=0
echo '#SBATCH --partition=nowhere' >"$tmp/site"
"$DUNLIN" submit jobs/tweets.yaml --site "$tmp/site" -- --set output="$tmp/refused" 2>"$tmp/err" || status=$?
equal "status of a partition that is not there" "$status" 69
grep -q 'E1405 .*sbatch refused the job' "$tmp/err" || fail "a partition that is not there: $(cat "$tmp/err")"
finish
