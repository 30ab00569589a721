#!/usr/bin/env bash
# 1, 2, 3 and 4 ranks write the same rows, letters and topic lines. ranks.sh null|tiny|two
. tests/jobs/lib.sh
job_file=$(job_of "$1")
mapfile -t options < <(model_options "$1")
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"
tweets "$corpus" "$tmp/alone" "${options[@]}" >"$tmp/summary"
rows=$(content "$tmp/alone") lines=$(topic_hash "$tmp/alone")
for ranks in 1 2 3 4; do
    out=$tmp/out$ranks
    tweets_on "$ranks" "$corpus" "$out" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "$ranks ranks: $(cat "$tmp/err")"
    equal "ranks in the summary" "$(field ranks <"$tmp/summary")" "$ranks"
    equal "records_in of $ranks ranks" "$(field records_in <"$tmp/summary")" "$(cat "$corpus.good")"
    equal "content of $ranks ranks" "$(content "$out")" "$rows"
    equal "tweets.enriched of $ranks ranks" "$(topic_hash "$out")" "$lines"
    equal "dead letters of $ranks ranks" "$(verified "$out" | field dead_letter_records)" "$(cat "$corpus.bad")"
done
finish
