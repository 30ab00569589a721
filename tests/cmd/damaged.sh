#!/usr/bin/env bash
# Damaged input: a corpus cut in the middle ends with 65 and all its whole records are in the output; bad records become
# dead letters and the run goes on; too many of them end it with 65, their letters readable.
. tests/jobs/lib.sh
mapfile -t options < <(model_options null)
records=1500
"$DUNLIN" corpus generate -n $records --seed 3 --bad 0 -o "$tmp/c.jsonl"

# cut_run NAME WHOLE: runs c.jsonl.NAME, which is cut behind that many whole lines
cut_run() {
    local name=$1 file=$tmp/c.jsonl.$1 status=0
    tweets "$file" "$tmp/$name" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
    equal "status of $name cut" "$status" 65
    grep -q "c.jsonl.$name: .*at byte [0-9]" "$tmp/err" || fail "$name: no file and place in: $(cat "$tmp/err")"
    equal "whole records of $name" "$(verified "$tmp/$name" | field records_in)" "$2"
}

pack() {
    case $1 in
    gz) gzip -c "$tmp/c.jsonl" ;;
    xz) xz -c --block-size=65536 "$tmp/c.jsonl" ;;
    zst) zstd -q -c "$tmp/c.jsonl" ;;
    esac
}
unpack() {
    case $1 in
    gz) gzip -dc "$2" ;;
    xz) xz -dc "$2" ;;
    zst) zstd -dc "$2" ;;
    esac
}
for form in gz:gzip xz:xz zst:zstd; do
    if command -v "${form#*:}" >/dev/null; then
        name=${form%:*}
        pack "$name" >"$tmp/c.jsonl.$name"
        truncate -s $(($(wc -c <"$tmp/c.jsonl.$name") / 2)) "$tmp/c.jsonl.$name"
        cut_run "$name" "$(unpack "$name" "$tmp/c.jsonl.$name" 2>/dev/null | wc -l)"
    fi
done
cp "$tmp/c.jsonl" "$tmp/c.jsonl.cut"
truncate -s 100000 "$tmp/c.jsonl.cut"
cut_run cut "$(wc -l <"$tmp/c.jsonl.cut")"
"$DUNLIN" corpus pack "$tmp/c.jsonl" -o "$tmp/packed.h5" >"$tmp/pack.out"
truncate -s -3000 "$tmp/packed.h5"
status=0
tweets "$tmp/packed.h5" "$tmp/packed" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status of a packed corpus cut" "$status" 65
grep -q 'packed.h5' "$tmp/err" || fail "packed: $(cat "$tmp/err")"

# The same on two ranks: each commits what it has.
status=0
tweets_on 2 "$tmp/c.jsonl.gz" "$tmp/two" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status of two ranks" "$status" 65
equal "content of two ranks" "$(content "$tmp/two")" "$(content "$tmp/gz")"

# The whole corpus in place of the cut one: the same command goes on where it stopped.
"$DUNLIN" run jobs/tweets.yaml --broker none --replay "$tmp/c.jsonl" --set output="$tmp/gz" -q "${options[@]}" \
    --set ingest.corpus.name=tweets >"$tmp/summary" || fail "the whole corpus: status $?"
tweets "$tmp/c.jsonl" "$tmp/whole" "${options[@]}" >"$tmp/summary"
equal "content after the repair" "$(content "$tmp/gz")" "$(content "$tmp/whole")"

# Bad records: 7 of the corpus, and one larger than a record may be.
make_corpus "$tmp/b.jsonl"
{
    printf '\n{"text": "'
    head -c 3000000 /dev/zero | tr '\0' 'a'
    printf '"}\n{"text": "after it"}\n'
} >>"$tmp/b.jsonl"
tweets "$tmp/b.jsonl" "$tmp/bad" "${options[@]}" >"$tmp/summary" || fail "bad records ended the run: $?"
equal "rows beside bad records" "$(field records_in <"$tmp/summary")" $(($(cat "$tmp/b.jsonl.good") + 1))
equal "dead letters" "$(verified "$tmp/bad" | field dead_letter_records)" $(($(cat "$tmp/b.jsonl.bad") + 1))
find "$tmp/bad/dead" -name '*.h5' -exec "$DUNLIN" inspect {} \; >"$tmp/letters"
for reason in 'bad JSON' 'bad UTF-8' NUL 'no text' oversize; do
    grep -q "reason .*$reason" "$tmp/letters" || fail "no dead letter says '$reason'"
done

# Too many of them
"$DUNLIN" corpus generate -n 3000 --seed 4 --bad 30% -o "$tmp/many.jsonl"
status=0
tweets "$tmp/many.jsonl" "$tmp/many" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status with 30 % bad" "$status" 65
grep -q 'pipeline ingest: [0-9]* of the first [0-9]* records are bad.*max_bad.*raise max_bad' "$tmp/err" ||
    fail "too many bad: $(cat "$tmp/err")"
[ "$(verified "$tmp/many" | field dead_letter_records)" -gt 200 ] || fail "the letters are not there"
tweets "$tmp/many.jsonl" "$tmp/many" "${options[@]}" --set max_bad=50% >"$tmp/summary" || fail "max_bad=50%: $?"
tweets "$tmp/many.jsonl" "$tmp/at_once" "${options[@]}" --set max_bad=50% >"$tmp/summary" || fail "max_bad=50%: $?"
equal "content with max_bad raised" "$(content "$tmp/many")" "$(content "$tmp/at_once")"
finish
