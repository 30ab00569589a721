#!/usr/bin/env bash
# slurm/run.sbatch on two nodes under srun --mpi=pmix: the rows of a plain run, GPUs of the node before every rank, and a
# plan with all ranks in the log.
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 20k --seed 3 -o "$tmp/c.jsonl"
rows=$(plain "$tmp/c.jsonl" "$tmp/plain")

write_rank
for ranks in 1 2; do
    out=$tmp/out$ranks
    job=$(DUNLIN=$tmp/rank submit -N 2 --ntasks-per-node="$ranks" --gres=gpu:2 slurm/run.sbatch jobs/tweets.yaml \
        --replay "$tmp/c.jsonl" --set output="$out" "${run_options[@]}")
    completed "$job"
    summary_of "$tmp/$job"_* >"$tmp/summary" || fail "no summary in: $(log_of "$job")"
    equal "ranks of job $job" "$(field ranks <"$tmp/summary")" $((2 * ranks))
    equal "restarts of job $job" "$(field restarts <"$tmp/summary")" 0
    equal "content on 2 nodes x $ranks" "$(content "$out")" "$rows"
    for ((rank = 0; rank < 2 * ranks; rank++)); do
        equal "what rank $rank of job $job was given" "$(cut -d" " -f 2- "$tmp/rank.$job.$rank")" \
            "n$((1 + rank / ranks)) $((rank % ranks)) 0,1"
        log_of "$job" | grep -Eq "^ +$rank +$(hostname -s) " || fail "rank $rank is not in the plan: $(log_of "$job")"
    done
done

# Without --mpi=pmix every task would be a job of its own on the same folder: refused, and the batch script passes it on.
job=$(DUNLIN_MPI=none submit -N 2 --ntasks-per-node=1 slurm/run.sbatch jobs/tweets.yaml --replay "$tmp/c.jsonl" \
    --set output="$tmp/none" "${run_options[@]}")
await 60 "the end of job $job" is_over "$job"
log_of "$job" | grep -q 'E2001 .*srun --mpi=pmix' || fail "--mpi=none: $(log_of "$job")"
scontrol show job -o "$job" | grep -q 'ExitCode=78:0' || fail "--mpi=none ends with $(scontrol show job -o "$job")"
finish
