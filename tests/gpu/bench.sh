#!/usr/bin/env bash
# bench/gpu's program on the emulated GPU, at small sizes: it comes to its end and writes a row for everything that the READMEs
# have a place for; what is wrong has no figure, and the status is 1.
#
#   bench.sh BENCH_GPU
set -euo pipefail
bench=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_CACHE_HOME=$tmp/cache

"$bench" --brief "$tmp/result.json" >"$tmp/table"
python3 - "$tmp/result.json" <<'PYTHON'
import json
import sys

result = json.load(open(sys.argv[1]))
assert result["correct"] == "yes" and "Test H200" in result["gpu"] and result["took_s"] > 0
groups = {row["group"] for row in result["rows"]}
assert groups >= {"ceiling", "encoder", "share", "latency", "variant", "operation"}, groups
table = open("kernels/cuda/README.md").read().split("## Floors")[1]
wanted = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")][1:]
for model in ("MiniLM-L6", "BERT-base"):
    rows = [row for row in result["rows"] if row["group"] == "operation" and row["model"] == model]
    assert [row["name"] for row in rows] == wanted, (wanted, [row["name"] for row in rows])
    assert all(row["memory_us"] > 0 and row["cache_us"] > 0 and row["floor_us"] > 0 for row in rows), rows
PYTHON

status=0
DN_TEST_GPU=wrong=1 "$bench" --brief "$tmp/result.json" >"$tmp/table" || status=$?
[ "$status" = 1 ] || { echo "status of a wrong product: $status"; exit 1; }
for name in cuda:bf16 dn_cuda_product; do
    grep -qE "^correctness +$name .*WRONG$" "$tmp/table" || { echo "nothing wrong with $name:"; cat "$tmp/table"; exit 1; }
done
! grep -q '"encoder"' "$tmp/result.json" || { echo "figures of a GPU that is wrong"; exit 1; }

status=0
DN_TEST_GPU=wrong=2 "$bench" --brief "$tmp/result.json" >"$tmp/table" || status=$?
[ "$status" = 1 ] || { echo "status of a wrong product in e4m3: $status"; exit 1; }
grep -qE '"group": "encoder", "name": "MiniLM.*bf16' "$tmp/result.json" || { echo "no figures of what is right"; exit 1; }
! grep -q '"group": "encoder", "name": ".*fp8' "$tmp/result.json" || { echo "figures of fp8, which is wrong"; exit 1; }

status=0
DN_TEST_GPU=devices=0 "$bench" --brief "$tmp/result.json" 2>"$tmp/err" >/dev/null || status=$?
if [ "$status" != 69 ] || [ "$(grep -c 'E1406 no GPU' "$tmp/err")" != 1 ]; then
    echo "without a GPU: status $status, $(cat "$tmp/err")"
    exit 1
fi
