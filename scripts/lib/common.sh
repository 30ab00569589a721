# shellcheck shell=bash
# For the scripts beside it: what they say, ask and find out. Sourced, never run.

say() {
    printf '%s\n' "$*" >&2
}

# die STATUS TEXT...: sysexits, as the program itself.
die() {
    local status=$1
    shift
    say "${0##*/}: $*"
    exit "$status"
}

# confirm QUESTION: yes by --yes, else a person decides; without a terminal there is nobody to ask.
confirm() {
    if [ "${yes:-0}" = 1 ]; then
        return 0
    fi
    if [ ! -t 0 ]; then
        die 64 "nobody to ask (no terminal): give --yes"
    fi
    local answer
    read -r -p "$1 [Y/n] " answer || return 1
    case $answer in
    '' | y | Y | yes) return 0 ;;
    *) return 1 ;;
    esac
}

# How many things to do at once: the cores that this process may use.
n_cores() {
    nproc 2>/dev/null || echo 1
}

# build PRESET [TARGET...]: configures and builds below build/PRESET; shows the log only when it fails.
build() {
    local preset=$1 log
    shift
    mkdir -p build
    log=build/$preset.log
    say "building build/$preset (log: $log)"
    local targets=()
    if [ $# -gt 0 ]; then
        targets=(--target "$@")
    fi
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset" --parallel "$(n_cores)" "${targets[@]}"; } \
        >"$log" 2>&1 </dev/null; then
        grep -m 1 -A 25 'FAILED:\|CMake Error' "$log" >&2 || tail -n 25 "$log" >&2
        die 70 "the build failed; its whole log is $log"
    fi
}
