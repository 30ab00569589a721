#!/usr/bin/env bash
# Drift: what a run counts of its labels is the baseline of the next; a stream whose shares change midway warns once and
# goes on, one that stays as it was says nothing.
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
            printf "{\"id\":\"%d\",\"created_at\":\"Mon Oct 02 12:00:00 +0000 2017\",\"text\":\"%s\",\"lang\":\"en\"}\n", i, text
        }
    }'
}
job() {
    job_file=$tmp/linear.yaml tweets "$tmp/$1.jsonl" "$tmp/$1" --set enrich.model=none --set enrich.tokenise.vocabulary=tests/data/tiny \
        --set topics.tweets.partitions=1 --set drift_rows=2000 "${@:2}" >"$tmp/$1.summary" 2>"$tmp/$1.log"
}
psi_max() { grep -o '"psi_max":[0-9.e-]*' "$tmp/$1.summary" | tail -n 1 | cut -d: -f2; }

stream 50 50 >"$tmp/first.jsonl"
stream 52 48 >"$tmp/same.jsonl"
stream 50 95 >"$tmp/other.jsonl"
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
equal "warnings of other shares" "$(grep -c 'drift: label.topic of pipeline enrich is no longer as in the baseline' "$tmp/other.log" || true)" 1
grep -qE '"label":"(cats|money)","share":0\.[0-9]+,"share_baseline":0\.5' "$tmp/other.summary" || fail "what changed: $(grep -o '"drift":[^]]*' "$tmp/other.summary")"
grep -q '"rows_out":6000' "$tmp/other.summary" || fail "the run did not go on"
verified "$tmp/other" >/dev/null

# what cannot be
for case in '66 none.json' '65 bad.json'; do
    status=0
    echo '{"pipelines": 7}' >"$tmp/bad.json"
    cp "$tmp/same.jsonl" "$tmp/never.jsonl"
    job never --set drift="$tmp/${case#* }" || status=$?
    equal "status with ${case#* }" "$status" "${case% *}"
    grep -qF "${case#* }" "$tmp/never.log" || fail "${case#* } is not named: $(cat "$tmp/never.log")"
done
finish
