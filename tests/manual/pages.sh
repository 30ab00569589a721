#!/usr/bin/env bash
# The manual pages are sound roff, and nothing that the program knows is missing from them.     pages.sh FOLDER
. tests/jobs/lib.sh
pages=$1

for page in "$pages"/man?/*; do
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W warning "$page" >"$tmp/lint" || fail "$(head -n 3 "$tmp/lint")"
    fi
    if command -v groff >/dev/null; then
        groff -man -ww -Tutf8 "$page" 2>&1 >"$tmp/$(basename "$page").txt" | sed 's/^/groff: /' >"$tmp/lint"
        [ ! -s "$tmp/lint" ] || fail "$(basename "$page"): $(head -n 3 "$tmp/lint")"
    fi
    grep -q '^@' "$page" && fail "$(basename "$page") has a line that was not replaced: $(grep -m 1 '^@' "$page")"
done
command -v mandoc groff >/dev/null || say "neither mandoc nor groff here: the roff was not checked"

for name in $("$DUNLIN" --help | sed -n '/^  [a-z]/{/^  dunlin/d;s/^  \([a-z]*\) .*/\1/p}'); do
    grep -q "^\.SS dunlin $name\$" "$pages/man1/dunlin.1" || fail "dunlin(1) lacks the command $name"
done
for number in $("$DUNLIN" --errors | sed -n 's/^\(E[0-9]*\).*/\1/p'); do
    grep -q "^\.BR $number " "$pages/man1/dunlin.1" || fail "dunlin(1) lacks the error $number"
    "$DUNLIN" help "$number" | grep -q '^what to do' || fail "$number does not say what to do"
    equal "--errors $number" "$("$DUNLIN" --errors "$number")" "$("$DUNLIN" help "$number")"
done
"$DUNLIN" help E9999 2>"$tmp/err" && fail "an error code that does not exist is explained"
grep -q 'no error code E9999' "$tmp/err" || fail "no reason: $(cat "$tmp/err")"

n_properties=$("$DUNLIN" describe --reference | grep -c '^| `')
equal "properties in dunlin-job(5)" "$(grep -c '^\.BR .*; .*)"$' "$pages/man5/dunlin-job.5")" "$n_properties"
[ "$n_properties" -gt 40 ] || fail "only $n_properties properties"
finish
