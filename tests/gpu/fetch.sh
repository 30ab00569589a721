#!/usr/bin/env bash
# scripts/cuda where no package index answers: it tries three times, says why it gives up, and leaves nothing that the next
# run takes for complete.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/kernels/cuda"
cp -r scripts "$tmp"
cp kernels/cuda/requirements.txt "$tmp/kernels/cuda"
status=0
# Port 9 of this machine: nobody listens there.
PIP_INDEX_URL=http://127.0.0.1:9/simple "$tmp/scripts/cuda" 2>"$tmp/err" || status=$?
if [ "$status" != 69 ] || ! grep -q 'try 3 of 3 failed: no connection to the package index: .*refused' "$tmp/err"; then
    echo "status $status, wanted 69 and the reason of three tries in:"
    cat "$tmp/err"
    exit 1
fi
if "$tmp/scripts/cuda" --missing; then
    echo "taken for complete: $(ls "$tmp/build/cuda-venv")"
    exit 1
fi
