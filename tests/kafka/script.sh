#!/usr/bin/env bash
# scripts/kafka: starting, stopping, and what can go wrong with both. Needs Java for most of it; skipped (77) without.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
failures=0
broker() { scripts/kafka "$@" 2>>"$work/err"; }
# shellcheck disable=SC2317 # reached through the trap
cleanup() {
    for dir in "$work"/*/; do
        [[ -e $dir/pid ]] && broker down --dir "$dir" >/dev/null
    done
    rm -rf "$work"
}
trap cleanup EXIT

expect() {
    local what=$1 got=$2 want=$3
    if [[ $got == "$want" ]]; then
        echo "ok   $what"
    else
        echo "FAIL $what: got '$got', expected '$want'"
        failures=$((failures + 1))
    fi
}

expect_text() {
    if grep -q -- "$2" <<<"$3"; then
        echo "ok   $1"
    else
        echo "FAIL $1: '$2' is not in: $3"
        failures=$((failures + 1))
    fi
}

# Folders of programs without java, or without mvn.
tools() {
    local folder=$work/tools-$1 tool
    mkdir -p "$folder"
    for tool in bash sed sort paste cat cp mv rm mkdir chmod dirname readlink tr grep flock setsid sleep mktemp wc tail seq ls "${@:2}"; do
        ln -sf "$(command -v "$tool")" "$folder/$tool" 2>/dev/null
    done
    printf '%s\n' "$folder"
}

expect_text "help names the commands" "up .*--port" "$(scripts/kafka --help)"
scripts/kafka sideways >/dev/null 2>&1
expect "unknown command" $? 64
scripts/kafka up --port many >/dev/null 2>&1
expect "port that is no number" $? 64

text=$(env -u JAVA_HOME PATH="$(tools none)" scripts/kafka up --dir "$work/nojava" 2>&1)
expect "no Java: status" $? 69
expect_text "no Java: names the package" "default-jre-headless" "$text"

if ! command -v java >/dev/null || ! first=$(broker up --dir "$work/a b"); then
    cat "$work/err"
    echo "skipped: no broker can be started here"
    exit 77
fi

text=$(XDG_CACHE_HOME=$work/cache PATH="$(tools java java)" scripts/kafka up --dir "$work/nomvn" 2>&1)
expect "no Maven: status" $? 69
expect_text "no Maven: names the package" "apt install maven" "$text"

expect "status of a running broker" "$(broker status --dir "$work/a b")" "$first"
expect "up of a running broker" "$(broker up --dir "$work/a b")" "$first"
second=$(broker up --dir "$work/b")
expect "a second broker has another port" "$([[ $second != "$first" && -n $second ]] && echo yes)" yes
broker up --dir "$work/c" --port "${first##*:}" >/dev/null
expect "a port that is in use" $? 69

# Two at once in one folder: one broker.
broker down --dir "$work/b"
broker up --dir "$work/b" >"$work/out1" &
one=$!
broker up --dir "$work/b" >"$work/out2" &
wait "$one" $!
expect "two ups at once agree" "$(cat "$work/out1")" "$(cat "$work/out2")"
expect "the port of the folder is kept" "$(cat "$work/out1")" "$second"

# kill -9 leaves a pid file that must not be believed; a process with that number may be somebody else's.
kill -KILL "$(cat "$work/b/pid")"
while kill -0 "$(cat "$work/b/pid")" 2>/dev/null; do sleep 0.05; done
broker status --dir "$work/b" >/dev/null
expect "status of a killed broker" $? 3
echo $$ >"$work/b/pid"
broker status --dir "$work/b" >/dev/null
expect "status with a foreign pid" $? 3
expect "up after a kill" "$(broker up --dir "$work/b")" "$second"

# Stopped in the middle of `up`: no Java is left behind.
for signal in INT TERM; do
    scripts/kafka up --dir "$work/int" >/dev/null 2>>"$work/err" &
    up=$!
    for _ in $(seq 200); do [[ -s $work/int/pid ]] && break; sleep 0.02; done
    java_pid=$(cat "$work/int/pid" 2>/dev/null)
    # A shell's background jobs ignore INT, so the second signal is what ends this one there.
    kill -"$signal" "$up"; sleep 0.2; kill -TERM "$up" 2>/dev/null
    wait "$up"
    expect "Java is gone after $signal in up" "$(kill -0 "$java_pid" 2>/dev/null && echo alive || echo gone)" gone
    rm -rf "$work/int"
done

# A cache that cannot be written is read.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dunlin
if unshare --mount --map-root-user true 2>/dev/null; then
    text=$(unshare --mount --map-root-user bash -c "mount --bind '$cache' '$cache' && mount -o remount,bind,ro '$cache' &&
        ! touch '$cache/probe' && scripts/kafka up --dir '$work/ro'" 2>>"$work/err")
    expect_text "read-only cache" "127.0.0.1:" "$text"
    broker down --dir "$work/ro"
fi

# A host name that does not resolve.
if unshare --uts --map-root-user true 2>/dev/null; then
    text=$(unshare --uts --map-root-user sh -c "hostname no-such-host && scripts/kafka up --dir '$work/host'" 2>>"$work/err")
    expect_text "host name that does not resolve" "127.0.0.1:" "$text"
    broker down --dir "$work/host"
fi

pids=$(cat "$work/a b/pid" "$work/b/pid")
broker down --dir "$work/a b"
broker down --dir "$work/b"
expect "down of a stopped broker" "$(broker down --dir "$work/b" && echo fine)" fine
for pid in $pids; do
    expect "broker $pid is gone" "$(kill -0 "$pid" 2>/dev/null && echo alive || echo gone)" gone
done
broker status --dir "$work/b" >/dev/null
expect "status of a stopped broker" $? 3
((failures == 0)) || cat "$work/err"
exit $((failures > 0))
