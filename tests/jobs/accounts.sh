#!/usr/bin/env bash
# The main job end to end: every record accounted for, the summary says what the files say, a second run of the same
# command changes nothing. accounts.sh null|tiny|two
. tests/jobs/lib.sh
job_file=$(job_of "$1")
mapfile -t options < <(model_options "$1")
corpus=$tmp/corpus.jsonl out=$tmp/out
make_corpus "$corpus"
good=$(cat "$corpus.good") bad=$(cat "$corpus.bad")

tweets "$corpus" "$out" "${options[@]}" >"$tmp/summary"
for key in records_in rows_out repeats_dropped filtered dead_letters rows_reused rows_per_s tokens_per_s model_peak_share \
    p50_s p95_s p99_s; do
    [ -n "$(field "$key" <"$tmp/summary")" ] || fail "the summary has no $key"
done

# summary of the whole, of ingest, of enrich: the same keys again and again
mapfile -t records_in < <(grep -o '"records_in":[0-9]*' "$tmp/summary" | cut -d: -f2)
mapfile -t rows_out < <(grep -o '"rows_out":[0-9]*' "$tmp/summary" | cut -d: -f2)
mapfile -t letters < <(grep -o '"dead_letters":[0-9]*' "$tmp/summary" | cut -d: -f2)
equal "records_in of the job, ingest, enrich" "${records_in[*]}" "$good $((good + bad)) $good"
equal "rows_out of the job, ingest, enrich" "${rows_out[*]}" "$good $good $good"
equal "dead_letters of the job, ingest, enrich" "${letters[*]}" "0 $bad 0"

verified "$out" >"$tmp/verified"
for key in records_in rows_out repeats_dropped filtered dead_letters; do
    equal "$key of the files" "$(field "$key" <"$tmp/verified")" "$(field "$key" <"$tmp/summary")"
done
equal "dead letters in files" "$(field dead_letter_records <"$tmp/verified")" "$bad"
equal "lines of tweets.enriched" "$(cat "$out"/topics/tweets.enriched/*.jsonl | wc -l)" "$good"

case $1 in
null) equal "model_peak_share without a model" "$(field model_peak_share <"$tmp/summary")" null ;;
tiny)
    scored=$(grep -o '"rows_scored":[0-9]*' "$tmp/summary" | tail -n 1 | cut -d: -f2)
    equal "rows scored and reused" "$((scored + $(field rows_reused <"$tmp/summary")))" "$good"
    grep -q '"mood"' "$out"/topics/tweets.enriched/*.jsonl || fail "no scores in tweets.enriched"
    ;;
esac

# The bad records are the last but one of the corpus; record numbers count from 0 and are the rows' ids.
python=$(python_with_h5py)
if [ -n "$python" ]; then
    { seq 0 $((good - 2)) && echo $((good + bad - 1)); } >"$tmp/ids"
    "$python" tests/tools/recount.py "$out" --ids "$tmp/ids" >"$tmp/recount" 2>&1 ||
        fail "the recount: $(cat "$tmp/recount")"
else
    say "no Python with h5py: counted by dunlin verify alone"
fi

list() { find "$out/rows" "$out/dead" "$out/topics" -type f -exec sha256sum {} + | sort -k 2; }
list >"$tmp/before"
tweets "$corpus" "$out" "${options[@]}" >"$tmp/second"
list >"$tmp/after"
cmp "$tmp/before" "$tmp/after" || fail "a second run of the same command changed files"
equal "records_in of the second run" "$(field records_in <"$tmp/second")" 0
[ ! -e "$out/run.lock" ] || fail "the folder is still locked"
finish
