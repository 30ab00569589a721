#!/usr/bin/env bash
# The same records give the same content however they come: packed, compressed, at a recorded pace that is a million times
# too fast, with other sizes of batches, threads and files, as CSV and as JSON Lines. forms.sh null|tiny
. tests/jobs/lib.sh
mapfile -t options < <(model_options "$1")
corpus=$tmp/corpus.jsonl
make_corpus "$corpus"
tweets "$corpus" "$tmp/plain" --set ingest.corpus.name=c "${options[@]}" >"$tmp/summary"
rows=$(content "$tmp/plain")

# same NAME CORPUS [OPTION ...]
same() {
    local name=$1 from=$2
    shift 2
    tweets "$from" "$tmp/$name" --set ingest.corpus.name=c "${options[@]}" "$@" >"$tmp/summary" || fail "$name: status $?"
    equal "content of $name" "$(content "$tmp/$name")" "$rows"
    rm -rf "${tmp:?}/$name"
}

"$DUNLIN" corpus pack "$corpus" -o "$tmp/packed.h5" >"$tmp/pack"
same packed "$tmp/packed.h5"
gzip -k "$corpus" && same gzip "$corpus.gz"
if command -v xz >/dev/null; then xz -k "$corpus" && same xz "$corpus.xz"; fi
if command -v zstd >/dev/null; then zstd -q "$corpus" && same zstd "$corpus.zst"; fi
same paced "$corpus" --pace 1000000x
same small_parts "$corpus" --set enrich.rows_h5.rows=7 --set enrich.text_threads=3 --set enrich.model_threads=3 \
    --set enrich.chunks=5
[ "$1" = null ] || same small_batches "$corpus" --set enrich.model.tokens=64 --set enrich.model.reuse=0

# The same records as CSV and as JSON Lines: quotes, commas, line ends, tabs, backslashes, other scripts, empty fields.
texts=('plain' 'a, b and "c"' $'two\nlines' $'tab\there' 'back\slash' 'größer als 日本 😂' '  outer  ' "it's" '#tag @user'
    'https://example.org/?a=1&b=2' '""' ',')
echo 'id,created_at,user,text,lang' >"$tmp/r.csv"
: >"$tmp/r.jsonl"
for i in "${!texts[@]}"; do
    text=${texts[i]}
    printf '%d,%d,user%d,"%s",en\n' "$i" $((1483228800000 + i * 1000)) $((i % 3)) "${text//\"/\"\"}" >>"$tmp/r.csv"
    text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\t'/\\t}
    printf '{"id":%d,"created_at":%d,"user":"user%d","text":"%s","lang":"en"}\n' "$i" $((1483228800000 + i * 1000)) \
        $((i % 3)) "$text" >>"$tmp/r.jsonl"
done
for form in csv jsonl; do
    tweets "$tmp/r.$form" "$tmp/$form" "${options[@]}" >"$tmp/summary" || fail "$form: status $?"
    equal "records of $form" "$(field records_in <"$tmp/summary")" "${#texts[@]}"
done
equal "content of JSON Lines against CSV" "$(content "$tmp/jsonl")" "$(content "$tmp/csv")"
equal "topic of JSON Lines against CSV" "$(topic_hash "$tmp/jsonl")" "$(topic_hash "$tmp/csv")"
finish
