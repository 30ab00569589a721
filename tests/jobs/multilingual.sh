#!/usr/bin/env bash
# jobs/multilingual.yaml with a small encoder that models/multilingual/assemble.py puts together: weights, pieces and characters
# are what was asked for, and two encoders with vocabularies of their own fill one column, each in its languages.
. tests/jobs/lib.sh
job_file=jobs/multilingual.yaml
python=$(python_with_h5py)
if [ -z "$python" ]; then
    skip "no Python with numpy: scripts/python"
fi
if [ ! -s models/languages/model.safetensors ]; then
    skip "models/languages has no weights"
fi
small=$tmp/small
"$python" tests/jobs/small_e5.py make "$tmp"
"$python" models/multilingual/assemble.py "$tmp/base.bin" "$tmp/changes.safetensors" "$small"
"$python" tests/jobs/small_e5.py check "$tmp" "$small" || fail "the model is not what base and changes make"
"$DUNLIN" model check "$small" >"$tmp/checked" || fail "the program does not take it: $(cat "$tmp/checked")"

# wide letters, a soft hyphen and a zero-width space become what they are for the base; a Cyrillic word has no pieces left
ids() { "$DUNLIN" model tokenize "$small" | sed 's/.*\[\(.*\)\].*/\1/'; }
equal "GOOD in wide letters" "$(echo 'ＧＯＯＤ!' | ids)" 0,8,9,2
equal "GOOD with a soft hyphen" "$(printf 'GO\xc2\xadOD!\n' | ids)" 0,8,9,2
equal "a zero-width space" "$(printf 'gut\xe2\x80\x8bma\n' | ids)" 0,4,5,2
equal "a Cyrillic word" "$(echo 'да' | ids)" 0,10,3,2

# a file that is none, or cut, makes nothing
head -c 3000 "$tmp/base.bin" >"$tmp/cut.bin"
for wrong_base in "$tmp/changes.safetensors" "$tmp/cut.bin"; do
    "$python" models/multilingual/assemble.py "$wrong_base" "$tmp/changes.safetensors" "$tmp/none" 2>"$tmp/err" && fail "$wrong_base was taken"
    grep -q "$wrong_base: " "$tmp/err" || fail "$wrong_base is not named in: $(cat "$tmp/err")"
    [ ! -e "$tmp/none" ] || fail "$wrong_base left a directory"
done

cat >"$tmp/corpus.jsonl" <<'END'
{"id": 0, "text": "I love this wonderful day, thank you all so much!"}
{"id": 1, "text": "Das ist wirklich furchtbar, ich bin sehr traurig und enttäuscht von euch"}
{"id": 2, "text": "¡Qué alegría más grande, muchas gracias a todos por venir hoy!"}
{"id": 3, "text": "Сегодня очень хорошая погода, мы идём гулять в парк"}
END
tweets "$tmp/corpus.jsonl" "$tmp/out" --set enrich.multilingual.path="$small" --set enrich.english.path=tests/data/tiny >"$tmp/summary"
labels() { cat "$tmp/out"/topics/tweets.enriched/*.jsonl | grep "\"id\":$1," | grep -o '"labels":{[^}]*}'; }
labels 0 | grep -q '"mood":' || fail "English did not reach the model for it: $(labels 0)"
labels 0 | grep -q '"sentiment":' && fail "English reached the model for other languages: $(labels 0)"
for id in 1 2; do
    labels "$id" | grep -q '"sentiment":' || fail "record $id has no sentiment: $(labels "$id")"
    labels "$id" | grep -q '"mood":' && fail "record $id reached the model for English: $(labels "$id")"
    text=$(sed -n "$((id + 1))p" "$tmp/corpus.jsonl" | sed 's/.*"text": "\(.*\)"}/\1/')
    alone=$("$DUNLIN" model score "$small" <<<"$text" | grep -o '"scores":.*' | tr -d ' ')
    grep -hF "${alone%\}}" "$tmp/out"/topics/tweets.enriched/*.jsonl | grep -q "\"id\":$id," || fail "record $id is scored otherwise than alone: $alone"
done
equal "Russian" "$(labels 3)" '"labels":{"language":"ru"}'
finish
