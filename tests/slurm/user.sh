#!/usr/bin/env bash
# The same without root: the daemons, the ranks and the files are an ordinary user's. As root it starts itself anew as nobody.
if [ "$(id -u)" = 0 ]; then
    folder=$(mktemp -d "${TMPDIR:-/tmp}/dn-nobody-XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    chown nobody "$folder"
    status=0
    # shellcheck disable=SC2016 # for the inner shell
    setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$folder" DN_TEST_TMP="$folder" bash -c '
        if ! cd "$0" 2>/dev/null || ! [ -x "$DUNLIN" ]; then
            echo "skipped: nobody may not read this tree" >&2
            exit 77
        fi
        exec bash tests/slurm/user.sh' "$PWD" || status=$?
    exit "$status"
fi
. tests/slurm/lib.sh
start_cluster
"$DUNLIN" corpus generate -n 5k --seed 8 -o "$tmp/c.jsonl"
job=$(submit -N 2 --ntasks-per-node=2 --gres=gpu:2 slurm/run.sbatch jobs/tweets.yaml --replay "$tmp/c.jsonl" \
    --set output="$tmp/out" "${run_options[@]}")
completed "$job"
equal "content" "$(content "$tmp/out")" "$(plain "$tmp/c.jsonl" "$tmp/plain")"
equal "ranks" "$(summary_of "$tmp/$job"_* | field ranks)" 4
equal "owner of the rows" "$(find "$tmp/out/rows" -name '*.h5' -user "$(id -un)" | wc -l)" 12
finish
