# shellcheck shell=bash
# Starts the ranks of a job, and has Slurm start the job again when it was drained. The .sbatch files source this;
# `dunlin submit` copies it into what it writes.

if [ -z "${DUNLIN:-}" ]; then
    DUNLIN=${home:-.}/build/release/dunlin
    [ -x "$DUNLIN" ] || DUNLIN=dunlin
fi

# Since 22.05 a step no longer inherits --cpus-per-task: without this every rank would get one core.
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# dunlin_ranks ARGUMENT...: one rank a task. The signal before the time limit goes to the ranks (--signal without B:), so
# nothing is trapped here, and srun hands back their status: 75 when they were drained. Ranks bind themselves. A rank that
# ends does not take the others along, which are about to end too; one that dies does, through PMIx.
dunlin_ranks() {
    # shellcheck disable=SC2086 # words on purpose
    srun --mpi="${DUNLIN_MPI:-pmix}" --cpu-bind=none --kill-on-bad-exit=0 ${DUNLIN_SRUN:-} "$DUNLIN" "$@"
}

# dunlin_end STATUS: ends the batch script; a drained job goes back to the queue and goes on where it stopped. A task of an
# array is requeued by <array>_<task>: its plain number would not do for the first one, whose number is the array's.
dunlin_end() {
    local me=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID} restarts=${SLURM_RESTART_COUNT:-0}
    me=${me:-$SLURM_JOB_ID}
    if [ "$1" = 75 ] && [ "$restarts" -ge "${DUNLIN_RESTARTS:-1000}" ]; then
        echo "job $me: drained, and started again $restarts times already; submit it again to go on" >&2
    elif [ "$1" = 75 ]; then
        echo "job $me: drained; back to the queue" >&2
        scontrol requeue "$me" || echo "job $me: Slurm does not requeue it; submit it again to go on" >&2
    fi
    exit "$1"
}
