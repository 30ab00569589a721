#!/usr/bin/env bash
# slurm/replay.sbatch: an array whose tasks are parts of a corpus and settings, each in a folder of its own; a task that is
# drained by a signal is requeued under its own name and ends with the same rows.
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 8k --seed 4 -o "$tmp/all.jsonl"
split -n l/2 --additional-suffix=.jsonl "$tmp/all.jsonl" "$tmp/part-"
cat >"$tmp/list" <<END
--replay $tmp/part-aa.jsonl
--replay $tmp/part-ab.jsonl --pace 500x
--replay $tmp/all.jsonl --set enrich.text_threads=3 --set enrich.chunks=5
END
job=$(submit -N 1 --ntasks-per-node=2 --array=1-4 slurm/replay.sbatch "$tmp/list" "$tmp/out" jobs/tweets.yaml \
    "${run_options[@]}")
await 60 "rows of task 2" n_published "$tmp/out/2" 4
scancel --signal=USR1 "${job}_2"
await 60 "the drain of task 2" grep -q 'back to the queue' "$tmp/${job}_2.log"
await 120 "the end of array $job" is_over "$job"

for task in 1 2 3; do
    read -r -a words <<<"$(sed -n "${task}p" "$tmp/list")"
    summary_of "$tmp/${job}_$task.log" >"$tmp/summary" || fail "no summary of task $task: $(cat "$tmp/${job}_$task.log")"
    equal "content of task $task" "$(content "$tmp/out/$task")" "$(plain "${words[1]}" "$tmp/plain$task")"
    equal "restarts of task $task" "$(field restarts <"$tmp/summary")" $((task == 2))
done
[ "$(content "$tmp/out/1")" != "$(content "$tmp/out/2")" ] || fail "both parts have the same rows"
grep -q 'has no line 4' "$tmp/${job}_4.log" || fail "task 4, which has no line: $(cat "$tmp/${job}_4.log")"
[ ! -e "$tmp/out/4" ] || fail "task 4 left a folder"
finish
