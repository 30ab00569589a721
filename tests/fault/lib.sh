# What the fault drivers share: the disturbed job, everything it wrote as three hashes, and time.
# shellcheck shell=bash
. tests/jobs/lib.sh

# small_options null|tiny|two: many small files and commits, dead letters in ingest (the corpus has bad records) and in enrich (long texts)
small_options() {
    model_options "$1"
    printf '%s\n' --set topics.tweets.partitions=4 --set enrich.rows_h5.rows=100 --set enrich.rows_h5.age=50ms \
        --set enrich.dead_letters.rows=60 --set ingest.dead_letters.rows=60 --set enrich.decode.max_text=150 \
        --set max_bad=100% --set enrich.text_threads=2 --set enrich.model_threads=2
}

# letters_hash OUT: place, reason, detail and bytes of every dead letter, however they are cut into files
letters_hash() {
    find "$1/dead" -name '*.h5' -print0 | sort -z | xargs -0 -n 1 "$DUNLIN" inspect -n 1000000 |
        grep -a '^  /records/' | sha256sum | cut -d' ' -f1
}

# all_of OUT: rows, letters, topic lines
all_of() { printf '%s %s %s\n' "$(content "$1")" "$(letters_hash "$1")" "$(topic_hash "$1")"; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# children PID
children() { cat "/proc/$1/task/$1/children" 2>/dev/null || true; }

# ranks_of JOB: processes of the program below it, or itself
ranks_of() {
    local list=("$1") pid
    while [ ${#list[@]} -gt 0 ]; do
        pid=${list[0]}
        list=("${list[@]:1}")
        # shellcheck disable=SC2207
        list+=($(children "$pid"))
        if [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(readlink -f "$DUNLIN")" ]; then
            echo "$pid"
        fi
    done
}

# await SECONDS COMMAND ...: until it succeeds
await() {
    local until=$(($(now_ms) + $1 * 1000))
    shift
    while ! "$@" 2>/dev/null; do
        [ "$(now_ms)" -lt "$until" ] || return 1
        sleep 0.02
    done
}
