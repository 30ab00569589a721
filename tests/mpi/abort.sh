#!/usr/bin/env bash
# One rank aborts while the others wait for it: the whole job ends, with that rank's exit status and its reason.
set -euo pipefail
program=$1 mpirun=$2

status=0
errors=$("$mpirun" -n 3 --oversubscribe --bind-to none "$program" --abort-rank-1 2>&1) || status=$?
if [ "$status" -ne 73 ]; then
    echo "exit status is $status, expected 73" >&2
    exit 1
fi
if ! grep -q 'rank 1 ends all ranks: the disk is gone' <<<"$errors"; then
    echo "the reason is missing in: $errors" >&2
    exit 1
fi
