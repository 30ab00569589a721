#!/usr/bin/env bash
# Installs into a folder of its own, moves it (nothing may remember where it was), and uses it as others do: the program
# from another folder, a foreign program and a foreign stage by pkg-config and by CMake.     tree.sh BUILD CMAKE
. tests/jobs/lib.sh
build=$1 cmake=$2 sources=$PWD/tests/install/foreign
command -v pkg-config >/dev/null || skip "no pkg-config"

"$cmake" --install "$build" --prefix "$tmp/first" >"$tmp/install.log" 2>&1 || fail "install: $(tail -n 3 "$tmp/install.log")"
mv "$tmp/first" "$tmp/prefix"
prefix=$tmp/prefix
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name dunlin.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libdunlin.so)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH=$prefix/bin:$PATH

# lies FILE...: is there, below the prefix
lies() {
    local file
    for file in "$@"; do
        [ -s "$prefix/$file" ] || fail "$file is not installed"
    done
}
lies bin/dunlin include/dunlin/dunlin.h share/dunlin/{jobs/tweets.yaml,jobs/REFERENCE.md,models/tweets/model.safetensors} \
    share/dunlin/{models/tweets/vocab.txt,scripts/kafka,scripts/dunlin_read.py,deploy/kafka/pom.xml,datasets/samples/tweets.jsonl}
lies share/man/man{1/dunlin.1,5/dunlin-job.5,7/dunlin-output.7} share/bash-completion/completions/dunlin \
    share/doc/dunlin/{tutorial.md,topics.md,extending.md}
[ -x "$prefix/share/dunlin/scripts/kafka" ] || fail "scripts/kafka is not executable"

# the program, from another folder
mkdir "$tmp/elsewhere"
cd "$tmp/elsewhere"
equal "dunlin" "$(command -v dunlin)" "$prefix/bin/dunlin"
equal "dunlin --home" "$(dunlin --home)" "$prefix/share/dunlin"
dunlin run jobs/tweets.yaml --broker none --output json -q >run.json || fail "dunlin run ends with $?"
[ "$(field rows_out <run.json)" -gt 100 ] || fail "the installed program made no rows: $(head -c 300 run.json)"
dunlin verify out/tweets >verify.txt || fail "verify: $(cat verify.txt)"
XDG_STATE_HOME=$tmp/state "$prefix/share/dunlin/scripts/kafka" status 2>kafka.txt && fail "a broker runs in a new folder"
[ ! -e "$prefix/share/dunlin/out" ] || fail "the installed scripts/kafka writes into its own folder"
python=$(cd "$OLDPWD" && python_with_h5py)
if [ -n "$python" ]; then
    DUNLIN_PYTHON=$(cd "$OLDPWD" && cd "$(dirname "$(command -v "$python")")" && pwd)/$(basename "$python") \
        dunlin report out/tweets -o page.html >report.txt 2>&1 || fail "dunlin report: $(tail -n 3 report.txt)"
    grep -q '</html>' page.html || fail "page.html is no page"
fi
DUNLIN_HOME=/nowhere dunlin run jobs/tweets.yaml 2>home.txt && fail "a wrong DUNLIN_HOME is not noticed"

# a foreign program and a foreign stage, by pkg-config
# shellcheck disable=SC2046 # words on purpose
for name in score stage; do
    cc -std=c17 -Wall -Wextra -Werror "$sources/$name.c" $(pkg-config --cflags --libs dunlin) -o "$name" >cc.log 2>&1 ||
        fail "$name.c: $(head -n 5 cc.log)"
done

# uses SCORE STAGE: what both must do
uses() {
    local expected job
    job=$tmp/elsewhere/$(basename "$(dirname "$1")").yaml
    # score.c prints heads of one label; those of several are lists here
    expected=$(echo "what a lovely day" | dunlin model score models/tweets |
        sed 's/.*"labels":{\([^}]*\)}.*/\1/; s/"[^"]*":\[[^]]*\],*//g; s/"//g; s/:/=/g; s/,/ /g')
    equal "$1" "$("$1" models/tweets "what a lovely day")" "$expected"
    "$1" models/nothing x 2>score.txt && fail "$1 takes a model that is not there"
    grep -q 'models/nothing' score.txt || fail "no reason: $(cat score.txt)"

    cat >"$job" <<EOF
job: foreign
output: $job.out
pipelines:
  p:
    source: {corpus: {path: texts.csv}}
    stages: [{length: {least: 11}}, clean]
    sinks: [rows_h5]
EOF
    printf 'id,text\n1,a short one\n2,too short\n3,a text that is long enough\n' >texts.csv
    "$2" run "$job" --output json -q >stage.json || fail "$2 run ends with $?"
    equal "rows of $2" "$(field rows_out <stage.json)" 2
    equal "filtered by $2" "$(field filtered <stage.json)" 1
    "$2" describe --reference >reference.md
    grep -q "Shorter texts are dropped" reference.md || fail "$2: the reference lacks the stage"
    dunlin check "$job" 2>check.txt && fail "dunlin itself knows the foreign stage"
    grep -q "there is no stage 'length'" check.txt || fail "no reason: $(cat check.txt)"
}
mkdir pc && mv score pc/score && mv stage pc/mydunlin
uses "$PWD/pc/score" "$PWD/pc/mydunlin"

by_cmake() { "$cmake" -S "$sources" -B foreign -DCMAKE_PREFIX_PATH="$prefix" && "$cmake" --build foreign; }
by_cmake >cmake.log 2>&1 || fail "find_package(Dunlin): $(grep -m 1 -A 5 Error cmake.log)"
unset LD_LIBRARY_PATH # CMake's build has a run path
uses "$PWD/foreign/score" "$PWD/foreign/mydunlin"

if command -v g++ >/dev/null; then
    # shellcheck disable=SC2046 # words on purpose
    echo '#include <dunlin.h>' | g++ -x c++ -fsyntax-only $(pkg-config --cflags dunlin) - 2>cxx.log ||
        fail "dunlin.h in C++: $(head -n 3 cxx.log)"
fi
cd "$tmp"
finish
