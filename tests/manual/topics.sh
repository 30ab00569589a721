#!/usr/bin/env bash
# Runs the blocks of docs/topics.md one after the other in one shell, as a reader would.
. tests/jobs/lib.sh
page=$PWD/docs/topics.md
mkdir "$tmp/bin" "$tmp/topics"
ln -s "$(realpath "$DUNLIN")" "$tmp/bin/dunlin"
[ -e models/tweets/model.safetensors ] || skip "models/tweets has no weights"
awk '/^```sh$/ { inside = 1; next } /^```/ { if (inside) print "echo ==="; inside = 0; next } inside { print }' "$page" >"$tmp/commands"
(cd "$tmp/topics" && PATH=$tmp/bin:$PATH bash -euo pipefail "$tmp/commands") >"$tmp/log" 2>&1 || fail "a block ends badly: $(tail -n 5 "$tmp/log")"
equal "blocks" "$(grep -c '^===' "$tmp/log")" 5
grep -q '^21 examples with 3 labels$' "$tmp/log" || fail "examples: $(cat "$tmp/log")"
equal "teams, by model score, a head and n-grams" "$(grep -oE '^"team":"[a-z]*"' "$tmp/log" | cut -d'"' -f4 | paste -sd' ')" \
    "delivery delivery account billing delivery account billing"
finish
