# What the drivers of tests/jobs, tests/fault and tests/cmd share: a folder of their own, one run of the main job, numbers
# out of its JSON, and a count of what was not as expected. Set by ctest: DUNLIN, MPIRUN, DN_TEST_TMP.
# shellcheck shell=bash
set -euo pipefail
: "${DUNLIN:?the program}" "${MPIRUN:=mpirun}" "${DN_TEST_TMP:=${TMPDIR:-/tmp}}"
tmp=$(mktemp -d "$DN_TEST_TMP/$(basename "$0" .sh)-XXXXXX")
wrong=0
on_exit=()

cleanup() {
    local command
    for command in "${on_exit[@]}"; do
        eval "$command" || true
    done
    rm -rf "$tmp"
}
trap cleanup EXIT

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "WRONG: $*"
    wrong=$((wrong + 1))
}
skip() {
    say "skipped: $*"
    exit 77
}

# equal WHAT GOT EXPECTED
equal() { [ "$2" = "$3" ] || fail "$1 is '$2', expected '$3'"; }

# model_refused STATUS WORDS ARGUMENTS...: `dunlin model` says so; what it printed stays in $tmp/out and $tmp/err
model_refused() {
    local want=$1 words=$2 status=0
    shift 2
    "$DUNLIN" model "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
    equal "status of model $*" "$status" "$want"
    grep -qF -- "$words" "$tmp/err" || fail "model $*: no '$words' in: $(cat "$tmp/err")"
}

# finish: the exit status of the driver
finish() {
    if [ "$wrong" -gt 0 ]; then
        say "$wrong wrong"
        exit 1
    fi
    say ok
}

# job_of null|tiny|two: the job file
job_of() {
    case $1 in
    two) echo tests/jobs/two_models.yaml ;;
    *) echo jobs/tweets.yaml ;;
    esac
}

# model_options null|tiny|two
model_options() {
    case $1 in
    null) printf '%s\n' --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny ;;
    tiny) printf '%s\n' --set enrich.model.path=tests/data/tiny --set enrich.tokenise.vocabulary=tests/data/tiny ;;
    esac
}

# tweets CORPUS OUT [OPTION ...]: the main job, or job_file, on one rank; its summary as JSON on standard output
tweets() {
    local corpus=$1 out=$2
    shift 2
    "$DUNLIN" run "${job_file:-jobs/tweets.yaml}" --broker none --replay "$corpus" --set output="$out" --until end --output json -q "$@"
}

# tweets_on RANKS CORPUS OUT [OPTION ...]: the same under mpirun
tweets_on() {
    local ranks=$1 corpus=$2 out=$3
    shift 3
    "$MPIRUN" -n "$ranks" --oversubscribe --bind-to none "$DUNLIN" run "${job_file:-jobs/tweets.yaml}" --broker none --replay "$corpus" \
        --set output="$out" --until end --output json -q "$@"
}

# field NAME < JSON: the first value of that name
field() { grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2- | tr -d '"'; }

# verified OUT: the JSON of a clean verify, or a wrong
verified() {
    "$DUNLIN" verify "$1" --output json 2>"$tmp/verify.err" || fail "$1: $(head -n 5 "$tmp/verify.err")"
}

# content OUT: the hash over all rows, however they are cut into files
content() { verified "$1" | field content; }

# topic_hash OUT: the lines of the topic files, partition by partition, however they are cut into files
topic_hash() { find "$1/topics" -name '*.jsonl' -print0 | sort -z | xargs -0 cat | sha256sum | cut -d' ' -f1; }

# python_with_h5py: its name, or nothing
python_with_h5py() {
    local python
    for python in "${DN_TEST_PYTHON:-}" python3 build/venv/bin/python; do
        if [ -n "$python" ] && "$python" -c 'import h5py' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
}

# make_corpus FILE: our own samples where they are in the tree, else records of the generator, and bad ones behind them;
# FILE.good and FILE.bad say how many
make_corpus() {
    if [ -s datasets/samples/tweets.jsonl ]; then
        cat datasets/samples/tweets.jsonl >"$1"
    else
        "$DUNLIN" corpus generate -n 200 --seed 7 --bad 0 -o "$1"
    fi
    echo $(($(wc -l <"$1") + 1)) >"$1.good"
    echo 7 >"$1.bad"
    {
        printf '%s\n' '{"id": 1, "text": "cut in the mid' '{"text": 12}' 'not JSON at all' '{"user": "nobody"}' \
            '{"text": "zero \u0000 byte"}'
        printf '{"text": "not UTF-8 \xff\xfe"}\n{"text": "a raw zero \x00 byte"}\n'
        printf '{"text": "the last line has no end", "user": "ann", "lang": "en"}'
    } >>"$1"
}
