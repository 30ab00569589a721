# What the drivers of tests/report share. Sourced after tests/jobs/lib.sh.
# shellcheck shell=bash

: "${tmp:?made by tests/jobs/lib.sh}"
python=$(python_with_h5py)
[ -n "$python" ] || skip "no Python with h5py"
python=$(command -v "$python")
export DUNLIN_PYTHON=$python

# nasty_corpus FILE: records whose every field would do harm on a page that does not escape it, or that shows texts
nasty_corpus() {
    make_corpus "$1"
    printf '\n' >>"$1"
    # The first is frequent enough to be shown apart.
    for language in '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '<b>x</b>' '"><script>' '<script>alert(1)</script>' '"><img src=x onerror=alert(1)>' "'};alert(1)//" '</script>' en de; do
        "$python" -c 'import json, sys; print(json.dumps({"text": "SECRET-TEXT <b onclick=alert(2)>" + sys.argv[1],
            "user": "SECRET-USER", "lang": sys.argv[1], "created_at": "2026-01-01T00:00:00Z"}))' "$language" >>"$1"
    done
}

# small_run OUT [OPTION ...]: the tiny model on two ranks over that corpus; its summary in OUT.json
small_run() {
    local out=$1 options
    shift
    nasty_corpus "$tmp/<b>&corpus.jsonl"
    mapfile -t options < <(model_options tiny)
    tweets_on 2 "$tmp/<b>&corpus.jsonl" "$out" "${options[@]}" "$@" >"$out.json" || fail "the run: $?"
}
