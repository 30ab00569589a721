#!/usr/bin/env bash
# A whole Slurm on this one host: munged, slurmctld and two slurmd, with two fake GPUs a node, as root or as anybody.
#
#   tests/slurm/cluster.sh up DIR      start it with all its files in DIR; export SLURM_CONF=DIR/slurm.conf to use it
#   tests/slurm/cluster.sh down DIR    stop it; nothing of it stays but DIR
#   tests/slurm/cluster.sh node DIR n2  start one node again that was killed
#
# Status 77 where its packages are missing (scripts/packages list slurm). Ports are free ones, every daemon listens on the
# address of this host's name only. Nothing waits by the clock: each step ends when what it waits for is there, or fails.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
readonly n_nodes=2 limit_s=30 span=200

say() { printf 'cluster: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}
skip() {
    say "skipped: $*"
    exit 77
}

# wait_for WHAT COMMAND...: until the command is content
wait_for() {
    local what=$1 end=$((SECONDS + limit_s))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || die "$what was not there within $limit_s s: see $dir/log"
        sleep 0.02
    done
}

need() {
    local program
    for program in munged munge slurmctld slurmd sbatch srun scontrol; do
        command -v "$program" >/dev/null || skip "there is no $program; scripts/packages install slurm"
    done
    address=$(getent ahostsv4 "$host" | awk 'NR == 1 {print $1}')
    [ -n "$address" ] || skip "the name $host of this host has no address"
}

is_open() { (: <"/dev/tcp/$address/$1") 2>/dev/null; }

# Ports from base to base + span - 1 belong to us: 0 the controller, 11.. the nodes, 100.. srun. Below the ephemeral ones.
choose_ports() {
    local try port
    for try in 1 2 3 4 5 6 7 8; do
        base=$((20000 + (RANDOM * 32768 + RANDOM) % 12000 / span * span))
        for port in "$base" $((base + 11)) $((base + 12)); do
            is_open "$port" && continue 2
        done
        return 0
    done
    die "no free ports after $try tries"
}

write_conf() {
    local user
    user=$(id -un)
    cat >"$dir/slurm.conf" <<END
ClusterName=lab
SlurmctldHost=$host($address)
SlurmUser=$user
SlurmdUser=$user
AuthInfo=socket=$dir/munge/sock,cred_expire=5
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.txt
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmdTimeout=60
MinJobAge=300
SlurmctldPort=$base
SrunPortRange=$((base + 100))-$((base + span - 1))
SlurmctldPidFile=$dir/run/ctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/spool-%n
TmpFS=$dir/tmp-%n
MailProg=/bin/true
SlurmctldLogFile=$dir/log/ctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
GresTypes=gpu
PartitionName=main Nodes=n[1-$n_nodes] Default=YES MaxTime=INFINITE State=UP
END
    # Two character devices that everybody may open stand for two GPUs.
    local i
    for ((i = 1; i <= n_nodes; i++)); do
        mkdir -p "$dir/spool-n$i" "$dir/tmp-n$i"
        echo "NodeName=n$i NodeHostname=$host NodeAddr=$address Port=$((base + 10 + i)) CPUs=4 SocketsPerBoard=1" \
            "CoresPerSocket=4 ThreadsPerCore=1 RealMemory=1000 Gres=gpu:2 State=UNKNOWN" >>"$dir/slurm.conf"
        printf 'NodeName=n%d Name=gpu File=/dev/%s\n' "$i" null "$i" zero >>"$dir/gres.conf"
    done
}

start_munge() {
    dd if=/dev/urandom of="$dir/munge/key" bs=32 count=1 status=none
    chmod 600 "$dir/munge/key"
    munged --key-file="$dir/munge/key" --socket="$dir/munge/sock" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2
    wait_for munged munge -n -S "$dir/munge/sock"
}

nodes_are_idle() { [ "$(sinfo -h -N -t idle -o %N | wc -l)" = "$n_nodes" ]; }

start_slurm() {
    local i
    export SLURM_CONF=$dir/slurm.conf
    slurmctld -c -f "$SLURM_CONF"
    for ((i = 1; i <= n_nodes; i++)); do
        slurmd -N "n$i" -f "$SLURM_CONF"
    done
    wait_for "an idle node each" nodes_are_idle
}

up() {
    need
    [ ! -e "$dir/slurm.conf" ] || die "$dir holds a cluster already"
    mkdir -p "$dir"/{munge,ctld,log,run}
    chmod 711 "$dir/munge"
    choose_ports
    write_conf
    trap 'down' ERR EXIT
    start_munge
    start_slurm
    trap - ERR EXIT
}

# Jobs first: a slurmd that ends leaves its steps running.
cancel_jobs() {
    export SLURM_CONF=$dir/slurm.conf
    scancel --quiet --user="$(id -un)" 2>/dev/null || return 0
    local end=$((SECONDS + limit_s))
    while [ -n "$(squeue -h 2>/dev/null)" ] && [ "$SECONDS" -lt "$end" ]; do
        sleep 0.1
    done
}

pids() { cat "$dir"/run/slurmd-*.pid "$dir/run/ctld.pid" "$dir/munge/pid" 2>/dev/null || true; }

# As after a reboot that cleans up: a requeued job keeps its number, and PMIx starts no step whose socket is there already.
start_again() {
    rm -rf "$dir/spool-$1"/*pmix* "$dir/tmp-$1"/*pmix*
    slurmd -N "$1" -f "$dir/slurm.conf"
}

all_ended() {
    local pid
    for pid in "$@"; do
        ! kill -0 "$pid" || return 1
    done
}

down() {
    trap - ERR EXIT
    [ ! -e "$dir/run/ctld.pid" ] || cancel_jobs
    local running
    mapfile -t running < <(pids)
    kill "${running[@]}" 2>/dev/null || true
    wait_for "the end of the daemons ${running[*]}" all_ended "${running[@]}"
}

[ $# -ge 2 ] || die "up DIR, down DIR or node DIR NAME"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
host=$(hostname -s)
readonly dir host
case $1 in
up) up ;;
down) down ;;
node) start_again "$3" ;;
*) die "no command is called $1: up, down or node" ;;
esac
