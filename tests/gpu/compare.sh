#!/usr/bin/env bash
# What the shipped model says on the GPU of gpu.c, whose results are rounded where a GPU's are, against fp32 on the CPU: the rule
# of kernels/cuda, from what `dunlin model compare` prints. In bf16 and fp16 at most 0.2 % of the decisions flip, and only those
# whose two best are nearer than 0.02. fp8 cannot keep that (kernels/README.md), so it has bounds of its own: 1 % and 0.25.
#
#   compare.sh LIBRARY
. tests/jobs/lib.sh
export DN_CUDA_LIBRARY=$1 XDG_CACHE_HOME=$tmp/cache
unset DN_BACKEND CUDA_VISIBLE_DEVICES DN_TEST_GPU
[ -e models/tweets/model.safetensors ] || skip "models/tweets is not here"

python3 datasets/suites.py samples --out "$tmp" >/dev/null 2>&1 || fail "suites.py samples"
python3 -c '
import json, sys
rows = (json.loads(line) for line in open(sys.argv[1]))
print("\n".join(sorted({row["text"].replace("\n", " ") for row in rows if "text" in row})[::2]))' "$tmp/samples.jsonl" >"$tmp/texts"

# compared PRECISION PERCENT MARGIN
compared() {
    "$DUNLIN" model compare models/tweets --backend "cuda:$1" --against fp32 --texts "$tmp/texts" --output json >"$tmp/out" ||
        fail "$1 did not run"
    python3 -c '
import json, sys
heads = json.load(open(sys.argv[1]))["heads"].values()
decisions, flips = (sum(head[key] for head in heads) for key in ("decisions", "flips"))
margin = max(head["largest_flip_margin"] for head in heads)
print(f"{sys.argv[2]}: {flips} of {decisions} decisions flip, the two best at most {margin:.3g} apart")
sys.exit(not (decisions > 2500 and 100 * flips <= float(sys.argv[3]) * decisions and margin < float(sys.argv[4])))' \
        "$tmp/out" "$@" >&2 || fail "$1 is beyond its limits: $(cat "$tmp/out")"
}

compared bf16 0.2 0.02
compared fp16 0.2 0.02
compared fp8 1 0.25
finish
