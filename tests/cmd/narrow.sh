#!/usr/bin/env bash
# The shipped model in every narrow precision of this machine against fp32. On our own texts few labels may change: 3 of 100,
# since 183 texts cannot tell 0.5 % from 1 %. On the validation texts, where $DUNLIN_DATA has them, the best int8 backend
# keeps the limits of `model compare --suite`: half a point, one label of a hundred.
. tests/jobs/lib.sh

# compared BACKEND SUITE POINTS FLIPS
compared() {
    "$DUNLIN" model compare models/tweets --against fp32 --backend "$1" --suite "$2" --max-points "$3" --max-flips "$4" \
        >"$tmp/out" 2>"$tmp/err" || fail "$1 on $2: $(cat "$tmp/out" "$tmp/err")"
}

here() { "$DUNLIN" model describe models/tweets --backend "$1" >/dev/null 2>&1; }

python3 datasets/suites.py samples --out "$tmp" >/dev/null 2>&1 || fail "suites.py samples"
n=0
for backend in cpu:{amx,vnni,avxvnni,avx2-s16,amx-bf16,bf16}; do
    if here "$backend"; then
        compared "$backend" "$tmp/samples.jsonl" 100 3
        n=$((n + 1))
    fi
done
[ $n -gt 0 ] || skip "no narrow backend on this machine"

archives=${DUNLIN_DATA:-../shared/data}
if [ -e "$archives/tweeteval.tar.xz" ]; then
    python3 datasets/suites.py tweets --data "$archives" --out "$tmp" >/dev/null 2>&1 || fail "suites.py tweets"
    grep -E '"task": "(sentiment|emotion|irony|hate|offensive)"' "$tmp/tweets.jsonl" >"$tmp/five.jsonl"
    compared int8 "$tmp/five.jsonl" 0.5 1
    say "$(sed -n '/^task/,$p' "$tmp/out")"
fi
finish
