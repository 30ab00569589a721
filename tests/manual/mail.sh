#!/usr/bin/env bash
# Runs the blocks of docs/mail.md one after the other in one shell, as a reader would, and looks at what jobs/mail.yaml made:
# every mail is acknowledged once, stands in the topic of its label and in no other, and a second run adds nothing.
. tests/jobs/lib.sh
page=$PWD/docs/mail.md
mkdir -p "$tmp/bin" "$tmp/mail/models"
ln -s "$(realpath "$DUNLIN")" "$tmp/bin/dunlin"
[ -e models/tweets/model.safetensors ] || skip "models/tweets has no weights"
awk '/^```sh$/ { inside = 1; next } /^```/ { if (inside) print "echo ==="; inside = 0; next } inside { print }' "$page" >"$tmp/commands"
(cd "$tmp/mail" && PATH=$tmp/bin:$PATH bash -euo pipefail "$tmp/commands") >"$tmp/log" 2>&1 || fail "a block ends badly: $(tail -n 5 "$tmp/log")"
equal "blocks" "$(grep -c '^===' "$tmp/log")" 4
grep -q '^30 examples with 3 labels$' "$tmp/log" || fail "examples: $(cat "$tmp/log")"
grep -q '^und below 0\.[0-9]*: 95 % of the examples would keep a label$' "$tmp/log" || fail "no threshold: $(cat "$tmp/log")"
grep -qE '^team .* 2 +[0-9.]+ .* AUROC$' "$tmp/log" || fail "no AUROC: $(cat "$tmp/log")"
cd "$tmp/mail"

# lines TOPIC : its records
lines() { cat out/mail/topics/"$1"/*.jsonl; }

mails=$(wc -l <"$OLDPWD/datasets/samples/mail.jsonl")
equal "mails acknowledged" "$(lines mail.ack | grep -o '"id":[0-9]*' | sort -u | wc -l) of $(lines mail.ack | wc -l)" "$mails of $mails"
equal "subjects in the acknowledgements" "$(lines mail.ack | grep -c '"mail.subject":"')" "$mails"
sum=0
for team in billing delivery account und; do
    n=$(lines mail.$team | wc -l)
    equal "mails of $team that are labelled so" "$(lines mail.$team | grep -c "\"labels\":{.*\"team\":\"$team\"" || true)" "$n"
    [ "$team" = und ] || [ "$n" -gt 0 ] || fail "nothing in mail.$team"
    sum=$((sum + n))
done
equal "mails in the topics of teams" "$sum" "$mails"
grep -q '^  cut ' "$tmp/log" && fail "a mail was cut: $(grep '^  cut ' "$tmp/log")"
sed 's/"windows": 8/"windows": 1/' models/mail/config.json >short.json
cp -r models/mail models/short
mv short.json models/short/config.json
"$tmp/bin/dunlin" run jobs/mail.yaml --broker none -q --set output=out/short --set processor.model.path=models/short \
    --set processor.tokenise.vocabulary=models/short >"$tmp/out" 2>&1 || fail "without windows: $(tail -n 3 "$tmp/out")"
grep -q '^  cut  *1 texts were longer' "$tmp/out" || fail "nothing was cut without windows: $(cat "$tmp/out")"
lines mail.ack >acks
"$tmp/bin/dunlin" run jobs/mail.yaml --broker none -q >"$tmp/out" 2>&1 || fail "the second run: $(tail -n 3 "$tmp/out")"
equal "acknowledgements after a second run" "$(lines mail.ack | cmp - acks && echo same)" same

# refused STATUS WORDS OPTION...
refused() {
    local want=$1 words=$2 status=0
    shift 2
    "$tmp/bin/dunlin" check jobs/mail.yaml --broker none "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
    equal "status of '$words'" "$status" "$want"
    grep -qF -- "$words" "$tmp/out" "$tmp/err" || fail "no '$words' in: $(cat "$tmp/out" "$tmp/err")"
}
sed 's/team=billing/team=sales/' "$OLDPWD/jobs/mail.yaml" >sales.yaml
sed 's/team=billing/billing/' "$OLDPWD/jobs/mail.yaml" >word.yaml
sed 's/team=billing/mood=good/' "$OLDPWD/jobs/mail.yaml" >mood.yaml
for job in "sales:'sales' is no label of label.team, which has 4: account, billing, delivery, und" \
    "word:'billing' is not written as HEAD=LABEL" "mood:label.mood"; do
    status=0
    "$tmp/bin/dunlin" run "${job%%:*}.yaml" --broker none --set output=out/bad >"$tmp/out" 2>"$tmp/err" || status=$?
    equal "status of ${job%%:*}" "$status" 78
    grep -qF -- "${job#*:}" "$tmp/err" || fail "no '${job#*:}' in: $(cat "$tmp/err")"
done
refused 66 "models/nowhere" --set processor.model.path=models/nowhere --set processor.tokenise.vocabulary=models/nowhere
status=0
"$tmp/bin/dunlin" model fit models/mail --head team --examples labelled.csv --text mail --label team --out again 2>"$tmp/err" >"$tmp/out" || status=$?
equal "status of a name that is taken" "$status" 78
[ -e again ] && fail "something was written"
for keep in 0 100 most; do
    "$tmp/bin/dunlin" model fit models/tweets --head x --examples labelled.csv --text mail --label team --keep $keep >"$tmp/out" 2>"$tmp/err" && fail "--keep $keep"
    grep -q -- "--keep $keep: is not a whole number from 1 to 99" "$tmp/err" || fail "no usage: $(cat "$tmp/err")"
done
finish
