#!/usr/bin/env bash
# A whole run on the GPU of gpu.h: what its summary and its trace say of the GPU; a kernel fault in mid-run ends it with the
# error's status, nothing of the open transaction stays, and the same command completes with the same content. From the fault
# on the GPU is a late one, which does nothing before somebody waits for it: batches are under way beside each other.
#
#   run.sh LIBRARY FOLDER_OF_NVML
. tests/jobs/lib.sh
export DN_CUDA_LIBRARY=$1 LD_LIBRARY_PATH=$2${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} XDG_CACHE_HOME=$tmp/cache
unset DN_BACKEND CUDA_VISIBLE_DEVICES DN_TEST_GPU
mapfile -t options < <(model_options tiny)
options+=(--set enrich.model.backend=cuda --set enrich.model.tokens=256 --set enrich.model_threads=1
    --set enrich.rows_h5.rows=50)
corpus=$tmp/corpus.jsonl
"$DUNLIN" corpus generate -n 2000 --seed 7 -o "$corpus"

timeout 120 "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" --set output="$tmp/calm" --until end -q \
    "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "a run on a GPU: $(cat "$tmp/err")"
expected=$(content "$tmp/calm")
for line in 'kernels +cuda cublaslt bf16, GPU 0: Test H200' 'GPU +computed [0-9.]+ s = [0-9]+ % .*linear [0-9]+ %' \
    'GPU energy [0-9.]+ J, [0-9.]+ J per 1,000 texts'; do
    grep -qE "$line" "$tmp/summary" || fail "the summary lacks /$line/: $(cat "$tmp/summary")"
done

# By itself a model on a GPU has two threads, and they give the same.
tweets "$corpus" "$tmp/two" "${options[@]}" --set enrich.model_threads=0 >"$tmp/summary" 2>"$tmp/err" || fail "two threads: $(cat "$tmp/err")"
equal "model threads" "$(grep -o "\"model_threads\":[0-9]*" "$tmp/summary" | tail -n 1 | cut -d: -f2)" 2
equal "rows of two threads" "$(content "$tmp/two")" "$expected"

# On a GPU that has no room for the passes of the batch that was asked for, half of it gives the same.
DN_TEST_GPU=memory=100 tweets "$corpus" "$tmp/small" "${options[@]}" --set enrich.model.tokens=8192 >"$tmp/summary" 2>"$tmp/err" ||
    fail "a run on a small GPU: $(cat "$tmp/err")"
grep -q 'micro-batches of 4096 tokens instead' "$tmp/err" || fail "no smaller batch: $(cat "$tmp/err")"
equal "rows on a small GPU" "$(content "$tmp/small")" "$expected"

status=0
DN_TEST_GPU='fails=attention lasts=24 late=1' timeout 120 "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" \
    --set output="$tmp/faulty" --until end -q "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status after a kernel fault" "$status" 71
grep -q 'E1504 .*cudaErrorIllegalAddress.*Test H200' "$tmp/err" || fail "its message: $(cat "$tmp/err")"
files_of() { find "$1" -path '*/rows/*.h5' | wc -l; }
rows=$(files_of "$tmp/faulty")
[ "$rows" -lt "$(files_of "$tmp/calm")" ] || fail "the faulty run wrote all of its $rows files"
DN_TEST_GPU=late=1 tweets "$corpus" "$tmp/faulty" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "started again: $(cat "$tmp/err")"
verified "$tmp/faulty" >/dev/null
equal "rows after a fault" "$(content "$tmp/faulty")" "$expected"
# A model whose activations are beyond fp16: an error, and no row with a label that nothing stands behind. bf16 goes on from there.
mkdir "$tmp/large"
cp tests/data/tiny/* "$tmp/large"
python3 - "$tmp/large/model.safetensors" <<'END'
import array, json, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
begin = 8 + struct.unpack("<Q", data[:8])[0]
for name, tensor in json.loads(data[8:begin]).items():
    if name.endswith(("intermediate.dense.weight", "layer.1.output.dense.weight")):
        at = slice(*(begin + offset for offset in tensor["data_offsets"]))
        data[at] = array.array("f", (4096 * x for x in array.array("f", bytes(data[at])))).tobytes()
open(sys.argv[1], "wb").write(data)
END
large=("${options[@]}" --set enrich.model.path="$tmp/large")
status=0
tweets "$corpus" "$tmp/range" "${large[@]}" --set enrich.model.backend=cuda:fp16 >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status of a model that is too large for fp16" "$status" 65
grep -q 'E1202 .*large: a score of head mood is not a number in fp16.*cuda:bf16' "$tmp/err" || fail "its message: $(cat "$tmp/err")"
equal "files of a model that is too large for fp16" "$(files_of "$tmp/range")" 0
tweets "$corpus" "$tmp/range" "${large[@]}" --set enrich.model.backend=cuda:bf16 >"$tmp/summary" 2>"$tmp/err" || fail "in bf16: $(cat "$tmp/err")"
verified "$tmp/range" >/dev/null

if command -v h5dump >/dev/null; then
    under_way=$(for file in "$tmp"/faulty/trace/*/*.h5; do h5dump -y -w 1 -d /batches/under_way "$file"; done)
    grep -qE '^ *[23],?$' <<<"$under_way" || fail "no two batches were under way at once: $under_way"
fi
finish
