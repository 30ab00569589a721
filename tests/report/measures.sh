#!/usr/bin/env bash
# The arithmetic of the page on made-up numbers. measures.sh
. tests/jobs/lib.sh
python=$(python_with_h5py)
[ -n "$python" ] || skip "no Python with h5py"
"$python" -B tests/report/measures.py || fail "the arithmetic of the page"
finish
