#!/usr/bin/env bash
# systemd understands every line of the unit of a live job.     unit.sh
. tests/jobs/lib.sh
command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
sed "s#^ExecStart=dunlin #ExecStart=$(realpath "$DUNLIN") #" deploy/systemd/dunlin@.service >"$tmp/dunlin@.service"
systemd-analyze verify --man=no "$tmp/dunlin@.service" >"$tmp/out" 2>&1 || fail "the unit is refused"
[ ! -s "$tmp/out" ] || fail "$(cat "$tmp/out")"
finish
