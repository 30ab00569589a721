#!/usr/bin/env bash
# The page in a real browser: two widths, dark and light; screenshots stay in $DN_TEST_TMP/shots. looks.sh
. tests/jobs/lib.sh
. tests/report/run.sh
"$python" -c 'import sys; sys.path.insert(0, "tests/report"); import browser; sys.exit(browser.find() is None)' ||
    skip "no Chromium"

small_run "$tmp/out" --set enrich.rows_h5.rows=50
"$DUNLIN" report "$tmp/out" -o "$tmp/page.html" >/dev/null || fail "no page"
mkdir -p "$DN_TEST_TMP/shots"
"$python" tests/report/looks.py "$tmp/page.html" "$DN_TEST_TMP/shots" || fail "the page does not look as it should"
finish
