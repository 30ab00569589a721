#!/usr/bin/env bash
# slurm/live.sbatch with a broker inside the allocation: a live job is drained by hand and requeued; the broker of the second
# start has the topics of the first, and every record has one row in the end.
. tests/slurm/lib.sh
if ! java -version >/dev/null 2>&1 || ! command -v mvn >/dev/null; then
    skip "no Java or Maven for a broker; scripts/packages install broker"
fi
start_cluster
"$DUNLIN" corpus generate -n 6k --seed 9 --bad 0 -o "$tmp/c.jsonl"
out=$tmp/out
export DUNLIN_BROKER=inside DUNLIN_BROKER_DIR=$tmp/kafka
on_exit+=("scripts/kafka down --dir '$tmp/kafka'")
live=(jobs/tweets.yaml --set ingest.corpus.path="$tmp/c.jsonl" --set output="$out" --output json --no-progress
    "${options[@]}")
job=$(submit -N 2 --ntasks-per-node=1 slurm/live.sbatch "${live[@]}")
await 60 "the end of job $job" is_over "$job"
says "$job" 'serves its own node only' || fail "a broker inside two nodes: $(log_of "$job")"

job=$(submit -N 1 --ntasks-per-node=2 slurm/live.sbatch "${live[@]}" --pace 300x)
await 120 "rows of job $job" n_published "$out" 4
scancel --signal=USR1 "$job"
await 60 "the drain" says "$job" 'back to the queue'
restarted() { scontrol show job -o "$job" | grep -q 'JobState=RUNNING.* Restarts=1'; }
await 60 "the second start" restarted

# Its corpus ends, the job does not: the rows are all there when as many are as there were records.
all_rows() { [ "$("$DUNLIN" verify "$out" --output json 2>/dev/null | field records_in)" = 6000 ]; }
await 90 "6000 rows" all_rows
scancel "$job"
await 60 "the end of job $job" is_over "$job"
equal "rows" "$(verified "$out" | field rows_out)" 6000
python=$(python_with_h5py)
if [ -n "$python" ]; then
    seq 0 5999 >"$tmp/ids"
    "$python" tests/tools/recount.py "$out" --ids "$tmp/ids" >"$tmp/recount" 2>&1 || fail "the recount: $(cat "$tmp/recount")"
fi
finish
