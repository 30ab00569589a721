#!/usr/bin/env bash
# What dunlin says and how it ends on machines whose GPU is missing, old, unknown, full or faulty: the backend is the real
# one, the GPU is made up (gpu.h).
#
#   program.sh DUNLIN LIBRARY
set -euo pipefail
dunlin=$1
export DN_CUDA_LIBRARY=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_CACHE_HOME=$tmp/cache
unset DN_BACKEND CUDA_VISIBLE_DEVICES
fails=0

# expect STATUS PATTERN GPU ARGUMENTS...: with DN_TEST_GPU=GPU the program ends so and says so.
expect() {
    local status=$1 pattern=$2 gpu=$3 got=0
    shift 3
    DN_TEST_GPU=$gpu timeout 60 "$dunlin" "$@" >"$tmp/out" 2>&1 <"$tmp/texts" || got=$?
    if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" "$tmp/out"; then
        echo "DN_TEST_GPU='$gpu' dunlin $*: status $got, wanted $status and /$pattern/ in:"
        cat "$tmp/out"
        fails=1
    fi
}

printf 'what a day\nso it goes\n' >"$tmp/texts"
model=tests/data/tiny

# Which GPU, or why none.
expect 0 'GPU 0: Test H200 at 0000:18:00.0' '' check jobs/tweets.yaml --set output="$tmp/o" --set enrich.model.tokens=128
expect 0 'no GPU: .*no NVIDIA driver or no device' 'driver=0' check jobs/tweets.yaml --set output="$tmp/o"
expect 0 'cuda:bf16 +usable, chosen' '' describe jobs/tweets.yaml
expect 0 'cuda:fp8 +not on this machine' 'capability=80' describe jobs/tweets.yaml

# Without one the CPU computes; one that was asked for must be there.
expect 0 'bf16' '' model describe "$model" --backend cuda
expect 0 'int8|fp32' 'devices=0' model describe "$model"
expect 69 'E1406 .*backend "cuda": no GPU' 'devices=0' model describe "$model" --backend cuda

# One that is there and cannot be used is an error, unless the CPU is asked for.
expect 69 'E1406 .*too old: it runs CUDA up to 11.8, this build needs 13.0' 'driver=11080 bad_driver=35' model describe "$model"
expect 0 'int8|fp32' 'driver=11080 bad_driver=35' model describe "$model" --backend cpu
expect 69 'E1406 .*capability 7.0, .*DUNLIN_CUDA_ARCHITECTURES=70' 'capability=70 no_code=1' model describe "$model"
expect 69 'E1406 .*libcublasLt' 'no_blas=1' model describe "$model"

# A model on a GPU has few threads, whatever the number of cores: on one core, two.
first_core=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
program=$dunlin
dunlin=$tmp/on_one_core
printf '#!/bin/sh\nexec taskset -c %s %s "$@"\n' "$first_core" "$program" >"$dunlin"
chmod +x "$dunlin"
threads=(check jobs/tweets.yaml --set output="$tmp/o" --set enrich.model.tokens=512)
expect 0 '^ok  threads +enrich: 1 text, 2 model, 1 for records, 24 chunks' idle=1 "${threads[@]}"
expect 0 '^ok  threads +enrich: 1 text, 1 model, 1 for records, 20 chunks' idle=1 "${threads[@]}" --set enrich.model.backend=cpu
expect 0 '^ok  threads +enrich: 1 text, 5 model, 1 for records, 36 chunks' idle=1 "${threads[@]}" --set model_threads=5
dunlin=$program

# Too little memory for two threads' batches, seen at the start: one's. For that: once a smaller one, also where only its passes lack room; then the end.
tiny=(--set enrich.model.path="$model" --set enrich.tokenise.vocabulary="$model" --set enrich.model.backend=cuda)
tiny+=(--set enrich.model.tokens=8192 --set output="$tmp/o")
expect 0 '^ok  model' 'memory=110' check jobs/tweets.yaml "${tiny[@]}"
! grep -q 'micro-batches of' "$tmp/out" || { echo "a smaller batch where there was room"; fails=1; }
expect 0 '^ok  threads +enrich: [0-9]+ text, 1 model' 'memory=150 idle=1' check jobs/tweets.yaml "${tiny[@]}"
expect 0 '^ok  threads +enrich: [0-9]+ text, 2 model' 'memory=220 idle=1' check jobs/tweets.yaml "${tiny[@]}"
expect 0 'warn +micro-batches of 4096 tokens.* 33 MiB of workspace: .* of 99 MiB' 'memory=99' check jobs/tweets.yaml "${tiny[@]}"
expect 0 'warn +micro-batches of 4096 tokens.* 1 MiB of activations: 0 of 100 MiB' 'memory=100' check jobs/tweets.yaml "${tiny[@]}"
expect 71 'E1502 .*Test H200 at 0000:18:00.0.* 33 MiB of workspace: .* of 97 MiB' 'memory=97' check jobs/tweets.yaml "${tiny[@]}"

# Speed is the GPU's, not that of a thread's CPU time.
expect 0 'micro-batches of 128 tokens' '' model bench "$model" --backend cuda --runs 1 --batch 128
grep -qE '^speed +[0-9.]+ TFLOP/s = [0-9]+ % of the GPU.s measured peak' "$tmp/out" || { cat "$tmp/out"; fails=1; }

# Memory and faults.
expect 71 'E1502 .*Test H200 at 0000:18:00.0.* 1 MiB are free' 'memory=1' model bench "$model" --backend cuda
expect 71 'E1504 .*attention of .*cudaErrorLaunchFailure' 'fails=attention' model check "$model" --backend cuda
expect 71 'E1504 .*cudaErrorIllegalAddress.*DN_CUDA_CHECK=1 names' 'fails=norm dies=1' model check "$model" --backend cuda
export DN_CUDA_CHECK=1
expect 71 'E1504 .*norm of .*cudaErrorIllegalAddress' 'fails=norm dies=1' model check "$model" --backend cuda
unset DN_CUDA_CHECK
exit "$fails"
