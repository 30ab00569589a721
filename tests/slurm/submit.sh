#!/usr/bin/env bash
# dunlin submit without Slurm: what it writes, against golden/, and what it refuses. To renew: GOLDEN=1 tests/slurm/submit.sh
. tests/jobs/lib.sh
golden=tests/slurm/golden

# written NAME OPTION...: the script, in which slurm/ranks.sh stands whole, against golden/NAME without it
written() {
    local name=$1
    shift
    "$DUNLIN" submit jobs/tweets.yaml --dry-run "$@" >"$tmp/$name" || fail "$name: status $?"
    bash -n "$tmp/$name" || fail "$name is no script"
    sed '1,/^# ---- slurm.ranks/d' "$tmp/$name" | sed '1d; /^# ---- the run/,$d' | sed '$d' >"$tmp/ranks"
    cmp "$tmp/ranks" slurm/ranks.sh || fail "$name does not hold slurm/ranks.sh"
    sed -e "s|:=.*/dunlin}|:=PROGRAM}|" -e '/^# shellcheck/,/^# ---- the run/d' "$tmp/$name" >"$tmp/$name.short"
    [ -z "${GOLDEN:-}" ] || cp "$tmp/$name.short" "$golden/$name"
    diff "$golden/$name" "$tmp/$name.short" >&2 || fail "$name is not as in $golden"
}

written bounded.sbatch -- --broker none --replay corpus.csv.xz --set output=out/mine
written live.sbatch --live --nodes 4 --gpus-per-node 8 --cores-per-rank 12 --time 1-12 --site $golden/site -- \
    -b broker:9092 --only enrich --set output=out/live
written array.sbatch --nodes 2 --ranks-per-node 2 --time 90 --array 1-16%4 -- --broker none \
    --replay "it's/%a.csv.xz" --set 'output=out/my parts/%a'
written array_plain.sbatch --array 1,5 -- --broker none
written split.sbatch --nodes 2 --ranks-per-node 4 --tp 4 -- --broker none

# refused STATUS TEXT OPTION...
refused() {
    local expected=$1 text=$2 status=0
    shift 2
    PATH=${path:-$PATH} "$DUNLIN" submit "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
    equal "status of submit $*" "$status" "$expected"
    grep -q -- "$text" "$tmp/err" || fail "submit $*: $(cat "$tmp/err")"
    [ ! -s "$tmp/out" ] || fail "submit $* printed $(cat "$tmp/out")"
}

refused 64 'which job' --dry-run
refused 64 'behind --' jobs/tweets.yaml more --dry-run
refused 64 'did you mean --nodes' jobs/tweets.yaml --noodes 2
refused 64 'is no number from 1' jobs/tweets.yaml --nodes none
refused 64 'tp 4: 1 rank cannot be put in groups of 4; give --ranks-per-node 4' jobs/tweets.yaml --tp 4
refused 64 'is no range' jobs/tweets.yaml --array all
refused 64 'is none of MINUTES' jobs/tweets.yaml --time soon
refused 64 'hear of its end 92 s before; give it 3 minutes' jobs/tweets.yaml --time 1:30
sed 's/topic: {name: tweets.enriched}/topic: {name: tweets.enriched, commit: 30s}/; s/    model:/&\n      deadline: 2500ms/' \
    jobs/tweets.yaml >"$tmp/slow.yaml"
refused 64 'hear of its end 123 s before' "$tmp/slow.yaml" --time 2
refused 64 'did you mean --replay' jobs/tweets.yaml -- --repaly x
refused 66 'no-such.sh' jobs/tweets.yaml --dry-run --site no-such.sh
refused 66 'no-such.yaml' no-such.yaml --dry-run
refused 78 'output' jobs/tweets.yaml --dry-run -- --set ouput=out/x
mkdir "$tmp/bin"
ln -s "$(command -v sh)" "$tmp/bin/sh"
path=$tmp/bin refused 69 'E1405 .*no sbatch here' jobs/tweets.yaml -- --set output="$tmp/x"
finish
