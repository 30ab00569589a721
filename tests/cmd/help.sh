#!/usr/bin/env bash
# Every command explains itself: usage, three examples, exit statuses; and --errors lists every row of errors.def.
. tests/jobs/lib.sh
"$DUNLIN" --help >"$tmp/help"
mapfile -t commands < <(sed -n 's/^  \([a-z]*\)  .*/\1/p' "$tmp/help")
[ "${#commands[@]}" -ge 8 ] || fail "only ${#commands[@]} commands in --help"
for command in "${commands[@]}"; do
    for flag in --help -h; do
        "$DUNLIN" "$command" "$flag" >"$tmp/out" 2>"$tmp/err" || fail "$command $flag ends with $?"
    done
    grep -q "^Usage: dunlin $command" "$tmp/out" || fail "$command --help has no usage"
    grep -qi '^Exit status' "$tmp/out" || fail "$command --help names no exit statuses"
    examples=$(sed -n '/^Examples:/,/^$/p' "$tmp/out" | grep -c 'dunlin') || true
    [ "$examples" -ge 3 ] || fail "$command --help has $examples examples"
    [ ! -s "$tmp/err" ] || fail "$command --help writes to standard error"
done
"$DUNLIN" --errors >"$tmp/errors"
grep -o '^DN_ERROR(.*' src/base/errors.def | while IFS='(,' read -r _ _ number status _; do
    grep -Eq "^E${number// /} +${status// /}  " "$tmp/errors" || echo "E$number"
done >"$tmp/missing"
[ ! -s "$tmp/missing" ] || fail "--errors lacks $(tr '\n' ' ' <"$tmp/missing")"
equal "rows of --errors" "$(grep -c '^E' "$tmp/errors")" "$(grep -c '^DN_ERROR(' src/base/errors.def)"
"$DUNLIN" --version | grep -q '^dunlin [0-9]' || fail "--version names no version"
"$DUNLIN" help | cmp - "$tmp/help" || fail "help and --help differ"
"$DUNLIN" check jobs/tweets.yaml --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny \
    --set output="$tmp/out.d" >"$tmp/resolved.yaml" 2>"$tmp/err" || fail "check: $(cat "$tmp/err")"
"$DUNLIN" check "$tmp/resolved.yaml" 2>"$tmp/err" | diff "$tmp/resolved.yaml" - || fail "what check prints is no such job: $(cat "$tmp/err")"
[ ! -e "$tmp/out.d" ] || fail "check made the output folder"
"$DUNLIN" describe jobs/tweets.yaml >"$tmp/out" || fail "describe: $?"
grep -q 'pipeline enrich' "$tmp/out" || fail "describe names no pipeline"
if "$DUNLIN" --help >/dev/full 2>"$tmp/err"; then fail "a full standard output is no failure"; fi
finish
