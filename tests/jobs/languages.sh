#!/usr/bin/env bash
# jobs/languages.yaml with the shipped models on n-grams and the tiny encoder for English: who scores what, what is counted,
# and that neither ranks nor batches change it. The shipped encoder names its language itself.
. tests/jobs/lib.sh
job_file=jobs/languages.yaml
corpus=$tmp/corpus.jsonl out=$tmp/out
if [ ! -s models/languages/model.safetensors ]; then
    skip "models/languages has no weights"
fi
cat >"$corpus" <<'END'
{"id": 0, "text": "I love this wonderful day, thank you all so much!"}
{"id": 1, "text": "Das ist wirklich furchtbar, ich bin sehr traurig und enttäuscht von euch"}
{"id": 2, "text": "¡Qué alegría más grande, muchas gracias a todos por venir hoy!"}
{"id": 3, "text": "Сегодня очень хорошая погода, мы идём гулять в парк"}
{"id": 4, "text": "Questa è una giornata bellissima, grazie a tutti voi per gli auguri"}
{"id": 5, "text": "The service was terrible and I will never come back here again"}
{"id": 6, "text": "8 9 10"}
{"id": 7, "text": "Das ist wirklich furchtbar, ich bin sehr traurig und enttäuscht von euch"}
END
options=(--set enrich.model.path=tests/data/tiny --set enrich.tokenise.vocabulary=tests/data/tiny --set enrich.model.languages=en)

# labels OUT ID: what tweets.enriched says of a record
labels() { cat "$1"/topics/tweets.enriched/*.jsonl | grep "\"id\":$2," | grep -o '"labels":{[^}]*}'; }

tweets "$corpus" "$out" "${options[@]}" >"$tmp/summary"
equal "German" "$(labels "$out" 1)" '"labels":{"language":"de","sentiment":"negative"}'
equal "the same again" "$(labels "$out" 7)" "$(labels "$out" 1)"
equal "Spanish" "$(labels "$out" 2)" '"labels":{"language":"es","sentiment":"positive"}'
equal "Italian" "$(labels "$out" 4)" '"labels":{"language":"it","sentiment":"positive"}'
equal "Russian" "$(labels "$out" 3)" '"labels":{"language":"ru"}'
for id in 0 5 6; do
    labels "$out" "$id" | grep -q '"mood":' || fail "record $id was not scored: $(labels "$out" "$id")"
    labels "$out" "$id" | grep -q '"sentiment":' && fail "record $id is English or unknown, and has a linear model's sentiment"
done
labels "$out" 6 | grep -q '"language":"und"' || fail "numbers have a language: $(labels "$out" 6)"

# the summary agrees
equal "rows of other languages" "$(field rows_other_language <"$tmp/summary")" 5

# nulls, and why: the encoder left five out for their language; the linear heads have none for English, Russian and numbers
grep -q '"label.mood":{[^}]*"null":0,"null:language":5}' "$out/labels.json" || fail "nulls of the encoder: $(cat "$out/labels.json")"
grep -q '"label.sentiment":{[^}]*"null":1,"null:language":3}' "$out/labels.json" || fail "nulls of the linear heads: $(cat "$out/labels.json")"
equal "rows without a mood in the summary" "$(grep -o '"column":"label.mood","undecided":0,"null":0,"null_language":[0-9]*' "$tmp/summary" | cut -d: -f5)" 5

# any language: all are scored
scored() { grep -o '"tokens_scored":[0-9]*' "$1" | tail -n 1 | cut -d: -f2; }
tweets "$corpus" "$tmp/any" "${options[@]}" --set enrich.model.languages=any --set enrich.model.reuse=0 >"$tmp/all"
labels "$tmp/any" 3 | grep -q '"mood":' || fail "languages=any left Russian out"
equal "rows of other languages" "$(field rows_other_language <"$tmp/all")" 0

# batches of one text each, and two ranks: the same content
tweets "$corpus" "$tmp/small" "${options[@]}" --set enrich.model.rows=1 --set enrich.model.reuse=0 >"$tmp/summary"
equal "content in small batches" "$(content "$tmp/small")" "$(content "$out")"
equal "tokens scored and saved" "$(($(scored "$tmp/summary") + $(field tokens_saved <"$tmp/summary")))" "$(scored "$tmp/all")"
tweets_on 2 "$corpus" "$tmp/ranks" "${options[@]}" >"$tmp/summary"
equal "content of two ranks" "$(content "$tmp/ranks")" "$(content "$out")"
equal "rows of other languages of two ranks" "$(field rows_other_language <"$tmp/summary")" 5
finish
