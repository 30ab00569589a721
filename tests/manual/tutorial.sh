#!/usr/bin/env bash
# Runs the blocks of docs/tutorial.md one after the other in one shell, as a reader would, and looks at what they leave. A
# block is ```sh; ```sh setup is replaced by a folder of ours, ```sh plot needs matplotlib.     tutorial.sh
. tests/jobs/lib.sh
page=$PWD/docs/tutorial.md
python=$(python_with_h5py)
[ -n "$python" ] || skip "no Python with h5py"
mkdir "$tmp/bin" "$tmp/reviews"
python=$(command -v "$python") # a virtual environment is found by the path of its python: no link
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(cd "$(dirname "$python")" && pwd)/$(basename "$python")" >"$tmp/bin/python3"
chmod +x "$tmp/bin/python3"
ln -s "$(realpath "$DUNLIN")" "$tmp/bin/dunlin"
export PATH=$tmp/bin:$PATH

# blocks KIND: the lines of all blocks of that kind, each block followed by a line that says so
blocks() {
    awk -v kind="$1" '
        /^```sh/ { inside = ($0 == "```sh" || (kind == "plot" && $0 == "```sh plot")); next }
        /^```/   { if (inside) print "echo \"=== " ++n "\""; inside = 0; next }
        inside   { print }' "$page"
}

kind=plot
python3 -c 'import matplotlib' 2>/dev/null || kind=text
[ "$kind" = plot ] || say "no matplotlib: the tutorial runs without its last two blocks"
blocks "$kind" >"$tmp/commands"
(cd "$tmp/reviews" && bash -euo pipefail "$tmp/commands") >"$tmp/log" 2>&1 || fail "a block ends with $?: $(tail -n 5 "$tmp/log")"

# What the page promises, step by step.
says() { grep -Eq -- "$1" "$tmp/log" || fail "the tutorial does not show /$1/"; }
[ "$(grep -c '^=== ' "$tmp/log")" -ge 9 ] || fail "only $(grep -c '^=== ' "$tmp/log") blocks were run"
says 'reviews.csv: csv, 30 records, 1 of them bad'
says '^ok +model'
says 'clean .*This is horrible, never again! @user http'
says 'score.sentiment +negative 0\.[6-9]'
says 'records in 30 = rows out 29 \+ repeats 0 \+ filtered 0 \+ dead letters 1'
says "empty text"
grep -q '^output: out/reviews' "$tmp/reviews/resolved.yaml" || fail "resolved.yaml is not the job"
if [ "$kind" = plot ]; then
    head -c 8 "$tmp/reviews/reviews.png" | grep -q PNG || fail "reviews.png is no picture"
fi

# The picture it speaks of: mornings and afternoons are pleasant, lunch is not.
python3 - scripts "$tmp/reviews/out/reviews" <<'END' || fail "the moods are not those of the page"
import sys
sys.path.insert(0, sys.argv[1])
import dunlin_read
rows = dunlin_read.read(sys.argv[2])
hours, moods = rows["records/timestamp"] // 3_600_000 % 24, rows["labels/sentiment"]
share = lambda wanted, mood: (moods[wanted] == mood).mean()
assert share(hours < 11, "positive") > 0.6 and share(hours == 12, "negative") > 0.8 and share(hours > 13, "positive") > 0.6
END
finish
