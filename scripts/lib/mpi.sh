# shellcheck shell=bash
# Open MPI on any single machine: as root, in a container, with fewer cores than ranks. Sourced.

# Bytes that a rank's shared memory segment takes, with room to spare.
readonly shm_per_rank=$((16 << 20))

# Whether /dev/shm has room for N ranks.
shm_is_enough() {
    local free
    [ -w /dev/shm ] || return 1
    free=$(df --output=avail -B1 /dev/shm 2>/dev/null | tail -n 1) || return 1
    [ "${free:-0}" -ge $(($1 * shm_per_rank)) ]
}

# mpi_environment N: exports what N ranks on this machine need.
mpi_environment() {
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    export OMPI_MCA_rmaps_base_oversubscribe=1 # more ranks than cores is fine
    export OMPI_MCA_mpi_yield_when_idle=1      # and they let each other run
    export OMPI_MCA_btl_vader_single_copy_mechanism=none # containers forbid ptrace
    export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo # one machine, however it is named
    export OMPI_MCA_plm_rsh_agent=/bin/true # nothing remote is started, so no ssh is missed
    export HWLOC_HIDE_ERRORS=2 # a container without /sys: the plan shows what is known all the same
    if ! shm_is_enough "$1"; then
        say "/dev/shm is too small for $1 ranks: they talk through the loopback interface"
        export OMPI_MCA_btl=self,tcp
    fi
}
