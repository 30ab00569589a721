#!/usr/bin/env bash
# The page about a run: its numbers are the run's, nothing of the data reaches it raw, and what is wrong is said. page.sh
. tests/jobs/lib.sh
. tests/report/run.sh

small_run "$tmp/out"
equal "what it prints" "$("$DUNLIN" report "$tmp/out")" "$tmp/out/report.html"
"$python" tests/report/page.py "$tmp/out/report.html" "$tmp/out.json" || fail "the page of a whole run"

# refused STATUS REGEX [VARIABLE=VALUE] RUN [OPTION ...]: a request that must end with that status and say why
refused() {
    local expected=$1 regex=$2 status=0
    shift 2
    env "${@:1:1}" "$DUNLIN" report "${@:2}" >/dev/null 2>"$tmp/err" || status=$?
    equal "status of report ${*#"$tmp"/}" "$status" "$expected"
    grep -Eq -- "$regex" "$tmp/err" || fail "no /$regex/ in: $(cat "$tmp/err")"
}
printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$python" >"$tmp/bare"
chmod +x "$tmp/bare"
mkdir -p "$tmp/empty"
refused 64 'written as: report RUN' A=1
refused 66 'E1301 .*no trace of a run' A=1 "$tmp/empty"
refused 66 'E1301 .*no trace of a run' A=1 "$tmp/nowhere"
refused 69 'E1404 .*scripts/python' DUNLIN_PYTHON=/no/python "$tmp/out"
if ! "$tmp/bare" -c 'import h5py' 2>/dev/null; then
    refused 69 'E1404 .*lacks (h5py|numpy).*scripts/python' DUNLIN_PYTHON="$tmp/bare" "$tmp/out"
fi
refused 73 'E1601 .*cannot be written' A=1 -o "$tmp/no/such/folder/page.html" "$tmp/out"

# A run that is compared with an earlier one has a section about it.
mapfile -t tiny < <(model_options tiny)
tweets "$tmp/<b>&corpus.jsonl" "$tmp/drift" "${tiny[@]}" --set drift="$tmp/out/labels.json" --set drift_rows=100 >"$tmp/drift.json" || fail "the run with a baseline: $?"
"$DUNLIN" report "$tmp/drift" >/dev/null || fail "no page of a run with a baseline"
"$python" tests/report/page.py "$tmp/drift/report.html" "$tmp/drift.json" || fail "the page of a run with a baseline"
grep -q 'id="drift"' "$tmp/drift/report.html" || fail "no section about drift"

# Two models: records are counted once, both stand on the page.
job_file=$(job_of two) tweets "$tmp/<b>&corpus.jsonl" "$tmp/two" >"$tmp/two.json" || fail "the run of two models: $?"
"$DUNLIN" report "$tmp/two" >/dev/null || fail "no page of a run of two models"
"$python" tests/report/page.py "$tmp/two/report.html" "$tmp/two.json" || fail "the page of two models"
grep -q 'tests/data/tiny, tests/data/families/xlm_roberta_whole' "$tmp/two/report.html" || fail "the page does not name both models"

# Runs of nothing and of next to nothing have a page too; one of one pipeline, too.
mapfile -t null < <(model_options null)
: >"$tmp/none.jsonl"
printf '{"text": "alone", "lang": "en"}\n' >"$tmp/one.jsonl"
for corpus in none one; do
    tweets "$tmp/$corpus.jsonl" "$tmp/$corpus" "${null[@]}" >/dev/null || fail "the run of $corpus: $?"
    "$DUNLIN" report "$tmp/$corpus" >/dev/null || fail "no page of a run of $corpus record"
    grep -q 'class="status good">complete' "$tmp/$corpus/report.html" || fail "a run of $corpus record is not complete"
done
# A time that was asked for is judged on the page as in the summary.
for goal in 1h:held 1us:'NOT held'; do
    tweets "$tmp/one.jsonl" "$tmp/goal" "${null[@]}" --force --set enrich.model.slo="${goal%%:*}" >"$tmp/goal.json" || fail "the run with a goal: $?"
    "$DUNLIN" report "$tmp/goal" >/dev/null || fail "no page of a run with a goal"
    grep -q "were asked for (slo): ${goal##*:}" "$tmp/goal/report.html" || fail "the page does not say that $goal"
    "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$tmp/one.jsonl" --set output="$tmp/goal-table" --no-progress "${null[@]}" \
        --set enrich.model.slo="${goal%%:*}" >"$tmp/goal.table" || fail "the run with a goal: $?"
    grep -q "asked for: ${goal##*:}" "$tmp/goal.table" || fail "the summary does not say that $goal: $(cat "$tmp/goal.table")"
    rm -r "$tmp/goal" "$tmp/goal-table"
done
tweets "$tmp/one.jsonl" "$tmp/ingest" "${null[@]}" --only ingest >/dev/null || fail "the run of ingest alone: $?"
"$DUNLIN" report "$tmp/ingest" >/dev/null || fail "no page of a run of one pipeline"
mkdir -p "$tmp/early/trace/run" && : >"$tmp/early/trace/run/r0000-0001.h5.p1.part"
refused 66 'E1301 .*no segment of its trace is finished' A=1 "$tmp/early"

# A rank that was killed leaves no last segment, a torn disk half a one: there is a page, and it says so.
trace=$(echo "$tmp"/out/trace/*)
mv "$trace/r0001-0001.h5" "$tmp/kept"
"$DUNLIN" report "$trace" -o "$tmp/killed.html" >/dev/null || fail "no page of a killed run"
grep -q '1 of 2 ranks left no summary (rank 1 first)' "$tmp/killed.html" || fail "a killed run passes for a whole one"
head -c 3000 "$tmp/kept" >"$trace/r0001-0001.h5"
"$DUNLIN" report "$trace" -o "$tmp/torn.html" >/dev/null || fail "no page of a torn trace"
grep -q 'r0001-0001.h5 cannot be read and is left out' "$tmp/torn.html" || fail "a torn segment is not named"
rm "$trace"/r0000-*.h5
refused 66 'E1301 .*none of its segments can be read' A=1 "$trace"

# Rows that are damaged are not counted as if they were whole.
mv "$tmp/kept" "$trace/r0001-0001.h5"
row=$(find "$tmp/out/rows" -name '*.h5' | sort | head -n 1)
head -c 100 "$row" >"$tmp/cut" && mv "$tmp/cut" "$row"
refused 65 'E1101 .*dunlin verify' A=1 "$tmp/out"
finish
