#!/usr/bin/env bash
# Drift: what a run counts of its labels is the baseline of the next; a stream whose shares change midway warns once and
# goes on, one that stays as it was says nothing. Summary, trace and metrics have the same numbers.
. tests/jobs/lib.sh

for i in $(seq 30); do
    printf '{"text": "a cat sat on mat number %d", "label": "cats"}\n' $((7 * i))
    printf '{"text": "send %d dollars to the bank", "label": "money"}\n' $((13 * i))
done >"$tmp/examples.jsonl"
"$DUNLIN" model fit tests/data/tiny --backend ref --head topic --examples "$tmp/examples.jsonl" --kind ngrams --out "$tmp/grams" >/dev/null || fail "fit"
sed "s|- linear: .*|- linear: {path: $tmp/grams}|" jobs/tweets.yaml >"$tmp/linear.yaml"

# stream FIRST SECOND: 3,000 tweets and 3,000 more, of which so many in 100 are about cats
stream() {
    awk -v first="$1" -v second="$2" 'BEGIN {
        for (i = 0; i < 6000; i++) {
            cats = (i * 37 + int(i / 100)) % 100 < (i < 3000 ? first : second)
            text = cats ? "a cat sat on mat number " i : "send " i " dollars to the bank"
            printf "{\"id\":\"%d\",\"created_at\":\"Mon Oct 02 12:%02d:%02d +0000 2017\",\"text\":\"%s\",\"lang\":\"en\"}\n", i, i / 600, (i / 10) % 60, text
        }
    }'
}
strange() { awk 'NR % 5 == 0 { sub(/bank|mat/, "\342\210\236") } { print }' "$tmp/first.jsonl"; }
job() {
    job_file=$tmp/linear.yaml tweets "$tmp/$1.jsonl" "$tmp/$1" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny \
        --set topics.tweets.partitions=1 --set drift_rows=2000 "${@:2}" >"$tmp/$1.summary" 2>"$tmp/$1.log"
}
psi_max() { grep -o '"column":"label.topic","windows":[0-9]*,"psi":[0-9.e-]*,"psi_max":[0-9.e-]*' "$tmp/$1.summary" | cut -d: -f5; }

stream 50 50 >"$tmp/first.jsonl"
stream 52 48 >"$tmp/same.jsonl"
stream 50 95 >"$tmp/other.jsonl"
strange >"$tmp/strange.jsonl"
cp "$tmp/same.jsonl" "$tmp/elder.jsonl"
cp "$tmp/other.jsonl" "$tmp/lenient.jsonl"
cp "$tmp/other.jsonl" "$tmp/slow.jsonl"
job first || fail "the first run: $(cat "$tmp/first.log")"
grep -q '"label.topic":{"cats":3000,"money":3000,"null":0}' "$tmp/first/labels.json" || fail "labels: $(cat "$tmp/first/labels.json")"
cp "$tmp/first/labels.json" "$tmp/baseline.json"
job first || fail "the first run again: $(cat "$tmp/first.log")"
cmp -s "$tmp/first/labels.json" "$tmp/baseline.json" || fail "a run with nothing to do changed labels.json"
job same --set drift="$tmp/baseline.json" || fail "a run like the baseline"
awk "BEGIN { exit !($(psi_max same) < 0.05) }" || fail "PSI of the same shares is $(psi_max same)"
equal "warnings of the same shares" "$(grep -c drift: "$tmp/same.log" || true)" 0
job other --set drift="$tmp/baseline.json" || fail "a run whose shares change"
awk "BEGIN { exit !($(psi_max other) > 0.5) }" || fail "PSI of other shares is $(psi_max other)"
equal "notices of other shares" "$(grep -c 'drift: label.topic of pipeline enrich is not quite as in the baseline' "$tmp/other.log" || true)" 0
equal "warnings of other shares" "$(grep -c 'drift: label.topic of pipeline enrich is no longer as in the baseline' "$tmp/other.log" || true)" 1
grep -qE '"label":"(cats|money)","share":0\.[0-9]+,"share_baseline":0\.5' "$tmp/other.summary" || fail "what changed: $(grep -o '"drift":[^]]*' "$tmp/other.summary")"
grep -q '"rows_out":6000' "$tmp/other.summary" || fail "the run did not go on"
verified "$tmp/other" >/dev/null

# limits of one's own
job lenient --set drift="$tmp/baseline.json" --set drift_warn=90 --set drift_notice=90 || fail "a run with other limits"
equal "warnings beyond the limits" "$(grep -c drift: "$tmp/lenient.log" || true)" 0
"$DUNLIN" run "$tmp/linear.yaml" --broker none --replay "$tmp/same.jsonl" --set output="$tmp/strict" --no-progress --set enrich.model=none \
    --set enrich.tokenise.vocabulary=tests/data/tiny --set topics.tweets.partitions=1 --set drift_rows=2000 --set drift="$tmp/baseline.json" \
    --set drift_warn=90 --set drift_notice=0.000001 >"$tmp/strict.summary" 2>"$tmp/strict.log" || fail "a run with a low limit"
grep -q 'label.topic: PSI .*: not quite as it was$' "$tmp/strict.summary" || fail "the summary: $(grep PSI "$tmp/strict.summary")"
grep -q 'drift: label.topic of pipeline enrich is not quite as in the baseline' "$tmp/strict.log" || fail "no notice above it: $(cat "$tmp/strict.log")"

# tokens that the vocabulary lacks: one in every fifth text
job strange --set drift="$tmp/baseline.json" || fail "a run with unknown tokens"
grep -q '"unknown.texts":{"known":6000,"unknown":0,"null":0}' "$tmp/baseline.json" || fail "unknown tokens where there are none: $(cat "$tmp/baseline.json")"
grep -qE '"unknown.texts":\{"known":4800,"unknown":1200,"null":0\},"unknown.pieces":\{"known":[0-9]{5,},"unknown":1200\}' "$tmp/strange/labels.json" ||
    fail "unknown tokens: $(cat "$tmp/strange/labels.json")"
equal "warnings of unknown tokens" "$(grep -c 'drift: unknown.texts of pipeline enrich is no longer as' "$tmp/strange.log" || true)" 1

# over time: the trace has windows of 2,000 rows, their shares and what they are compared with, and the page draws them
python=$(python_with_h5py)
if [ -n "$python" ]; then
    "$python" - "$tmp/other" <<'END' || fail "the trace"
import glob, sys
import h5py

rows = {}
for path in glob.glob(sys.argv[1] + "/trace/*/*.h5"):
    with h5py.File(path) as file:
        table = file["labels"]
        text = {}
        for name in ("column", "label"):
            ends, data = table[name]["offsets"][()], table[name]["bytes"][()].tobytes()
            text[name] = [data[a:b].decode() for a, b in zip(ends, ends[1:])]
        for i, at in enumerate(table["mono_ns"][()]):
            rows[(at, text["column"][i], text["label"][i])] = [table[name][i] for name in ("count", "of", "baseline", "psi")]
last = max(at for at, *_ in rows)
count, of, baseline, psi = rows[(last, "label.topic", "cats")]
assert of == 2000 and count + rows[(last, "label.topic", "money")][0] == 2000, (count, of)
assert abs(baseline - 0.5) < 1e-9 and psi > 0.5, (baseline, psi)
assert rows[(last, "unknown.texts", "known")][:3] == [2000, 2000, 1.0], rows[(last, "unknown.texts", "known")]
END
    DUNLIN_PYTHON=$(command -v "$python") "$DUNLIN" report "$tmp/other" -o "$tmp/page.html" >/dev/null || fail "a page about drift"
    grep -q 'label.topic has changed' "$tmp/page.html" || fail "the page does not say what has changed"
    grep -q 'id="drift"' "$tmp/page.html" || fail "no section about drift"
else
    say "without h5py the trace and the page are not looked at"
fi

# while it runs: the same numbers for Prometheus, gone at the end
job slow --pace 100x --set drift="$tmp/baseline.json" &
pid=$!
for _ in $(seq 600); do
    grep -q 'dunlin_label_psi{' "$tmp"/slow/status/r0000.prom 2>/dev/null && cp "$tmp/slow/status/r0000.prom" "$tmp/metrics" && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
done
wait $pid || fail "the slow run"
for metric in 'label_share{rank="0",pipeline="enrich",column="label.topic",label="cats"} 0\.' \
    'label_baseline_share{rank="0",pipeline="enrich",column="label.topic",label="cats"} 0\.5' \
    'label_psi{rank="0",pipeline="enrich",column="label.topic"} [0-9]' 'label_psi{rank="0",pipeline="enrich",column="unknown.texts"} 0'; do
    grep -q "^dunlin_$metric" "$tmp/metrics" || fail "no $metric in the metrics: $(grep label_ "$tmp/metrics")"
done
[ ! -e "$tmp/slow/status/r0000.prom" ] || fail "metrics stay behind"

# what cannot be: refused by check and run alike, named, and nothing is written
# never STATUS WORDS FILE [OPTION ...]
never() {
    local want=$1 words=$2 file=$3 status=0
    cp "$tmp/same.jsonl" "$tmp/never.jsonl"
    job never --set drift="$tmp/$file" "${@:4}" || status=$?
    equal "status with $file" "$status" "$want"
    grep -qF -- "$words" "$tmp/never.log" || fail "$file: no '$words' in: $(cat "$tmp/never.log")"
    [ ! -e "$tmp/never/rows" ] || fail "$file: rows were written"
}
changed() { sed "$1" "$tmp/baseline.json" >"$tmp/$2"; }
changed 's/labels\/1/summary\/1/' schema.json
changed 's/"cats":3000/"dogs":3000/' labels.json
changed 's/"cats":3000/"cats":-1/' negative.json
changed 's/"enrich":{"label/"other":{"label/' pipeline.json
changed 's/"cats":3000/"cats":"many"/' words.json
echo '{"pipelines": 7' >"$tmp/torn.json"
never 66 none.json none.json
never 65 torn.json torn.json
never 65 'schema.json: schema: is "dunlin.summary/1", expected "dunlin.labels/1"' schema.json
never 65 'dogs: is no class of label.topic in this job' labels.json
never 65 'cats: is -1' negative.json
never 65 'cats: ' words.json
never 65 "has no rows of pipeline 'enrich' with one of its columns (label.topic" pipeline.json
never 78 'drift_notice (0.5) is above drift_warn (0.25)' baseline.json --set drift_notice=0.5
status=0
"$DUNLIN" check "$tmp/linear.yaml" --broker none --replay "$tmp/same.jsonl" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny \
    --set output="$tmp/checked" --set drift="$tmp/labels.json" >/dev/null 2>"$tmp/never.log" || status=$?
equal "status of check" "$status" 65

# another model's baseline and one that lacks a column are said, and compared as far as they go
changed 's/"models":{[^}]*}/"models":{"enrich":"0000"}/; s/"unknown.texts":{[^}]*},//' elder.json
job elder --set drift="$tmp/elder.json" || fail "a baseline of another model"
grep -q 'the baseline of pipeline enrich is by other models (0000, now ' "$tmp/elder.log" || fail "the other model is not said: $(cat "$tmp/elder.log")"
grep -q 'the baseline of pipeline enrich lacks unknown.texts: not compared' "$tmp/elder.log" || fail "the missing column is not said"
finish
