# What the drivers of tests/slurm share: a cluster of two nodes with two fake GPUs each, jobs to submit and states to wait
# for. It builds on tests/jobs/lib.sh.
# shellcheck shell=bash
# shellcheck source=tests/jobs/lib.sh
. tests/jobs/lib.sh

# Whatever the caller's Slurm and MPI are: this one, and what two "nodes" of the same name need, which must not take each
# other for neighbours in shared memory.
unset "${!SLURM_@}" "${!SBATCH_@}" "${!SRUN_@}" "${!DUNLIN_@}"
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_mpi_yield_when_idle=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export DUNLIN

start_cluster() {
    local status=0
    # Short, since sockets lie below it, and open to pass through, as munged wants it.
    cluster=$(mktemp -d "${TMPDIR:-/tmp}/dn-slurm-XXXXXX")
    chmod 711 "$cluster"
    on_exit+=("tests/slurm/cluster.sh down '$cluster'; rm -rf '$cluster'")
    tests/slurm/cluster.sh up "$cluster" || status=$?
    [ "$status" != 77 ] || exit 77
    if [ "$status" != 0 ]; then
        tail -n 20 "$cluster"/log/*.log >&2 || true
        exit 1
    fi
    export SLURM_CONF=$cluster/slurm.conf
}

# submit OPTION...: sbatch, with its log in $tmp; prints the job's number
submit() { sbatch --parsable --output="$tmp/%A_%a.log" "$@"; }

state() { scontrol show job -o "$1" 2>/dev/null | grep -o 'JobState=[A-Z_]*' | cut -d= -f2 | sort -u | paste -sd ,; }

log_of() { cat "$tmp/$1"_*.log 2>/dev/null || true; }

says() { log_of "$1" | grep -q "$2"; }

# await SECONDS WHAT COMMAND...: until the command is content
await() {
    local limit=$1 what=$2
    local end=$((SECONDS + limit))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            fail "$what was not so within $limit s"
            return 1
        fi
        sleep 0.1
    done
}

is_in() { [ "$(state "$1")" = "$2" ]; }

is_over() { [[ ! $(state "$1") =~ PENDING|CONFIGURING|RUNNING|COMPLETING|REQUEUED|SUSPENDED ]]; }

# completed JOB: waits for its end, which has to be a good one
completed() {
    await 120 "the end of job $1" is_over "$1" || true
    is_in "$1" COMPLETED || fail "job $1 is $(state "$1"): $(log_of "$1")"
}

# write_rank: a program in front of ours that notes what a rank is given: its pid, node, local number and GPUs
write_rank() {
    cat >"$tmp/rank" <<END
#!/bin/sh
echo "\$\$ \$SLURMD_NODENAME \$SLURM_LOCALID \$CUDA_VISIBLE_DEVICES" >"$tmp/rank.\$SLURM_JOB_ID.\$SLURM_PROCID"
exec "$DUNLIN" "\$@"
END
    chmod +x "$tmp/rank"
}

# n_published OUT N: whether N files of rows are there
n_published() { [ "$(find "$1/rows" -name '*.h5' 2>/dev/null | wc -l)" -ge "$2" ]; }

# summary_of LOG...: the JSON of the last run in a job's log
summary_of() { grep -h '^{"schema":"dunlin.summary' "$@" | tail -n 1; }

# plain CORPUS OUT: the same rows without Slurm; prints their hash
plain() {
    tweets "$1" "$2" "${options[@]}" >"$tmp/plain.json" || fail "the plain run: status $?"
    content "$2"
}

# Files close every half second, so that what is killed in the middle has published some.
mapfile -t options < <(model_options null)
slowly=(--set enrich.rows_h5.age=500ms --set ingest.corpus.name=c)
options+=("${slowly[@]}")
# shellcheck disable=SC2034 # for those who source this
run_options=(--broker none --output json --no-progress "${options[@]}")
