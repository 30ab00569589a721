#!/usr/bin/env bash
# A manual page from its prose and what the program says of itself.     make_man.sh DUNLIN PAGE.in > PAGE
#
# PAGE.in is roff (man macros). A line `@word@` alone is replaced: @commands@ (each --help), @errors@ (codes with
# causes and what to do), @error_table@ (the codes in brief), @properties@ (every property of every part). @version@ is
# replaced anywhere.
set -euo pipefail
dunlin=$1 page=$2

# Text as it is: no line begins a request, hyphens stay hyphens.
as_is() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"; }

commands() {
    local name
    for name in $("$dunlin" --help | sed -n '/^  [a-z]/{/^  dunlin/d;s/^  \([a-z]*\) .*/\1/p}'); do
        printf '.SS dunlin %s\n' "$name"
        "$dunlin" help "$name" | sed -n '1s/^[^:]*: //p' | sed 's/^./\u&/; s/$/./' | as_is
        printf '.PP\n.nf\n'
        "$dunlin" help "$name" | tail -n +3 | as_is | sed 's/^$/.sp/'
        printf '.fi\n'
    done
}

errors() {
    local number status sentence
    "$dunlin" --errors | tail -n +2 | while read -r number status sentence; do
        printf '.TP\n.BR %s " (exit status %s)"\n' "$number" "$status"
        printf '%s\n' "$sentence" | as_is
        "$dunlin" help "$number" | sed -n '/^typical/{n;s/^  //p}' | as_is | sed 's/^/Typical causes: /'
        "$dunlin" help "$number" | sed -n '/^what to do/{n;s/^  //p}' | as_is | sed 's/^/What to do: /'
    done
}

# The Markdown of the reference: ### `part`, its sentence, | `name` | type | default | meaning |.
properties() {
    "$dunlin" describe --reference | tail -n +4 | as_is | sed 's/`//g' | awk -F' *[|] *' '
        /^## /  { sub(/^## /, ""); printf ".SH %s\n", toupper($0); next }
        /^### / { sub(/^### /, ""); printf ".SS %s\n", $0; next }
        /^\| property/ || /^\|\\-/ { next }
        /^\|/   { printf ".TP\n.BR %s \" (%s; %s)\"\n%s\n", $2, $3, $4 == "required" || $4 == "empty" ? $4 : "default " $4, $5; next }
        NF      { print }'
}

while IFS= read -r line; do
    case $line in
    @commands@) commands ;;
    @errors@) errors ;;
    @error_table@) "$dunlin" --errors | as_is ;;
    @properties@) properties ;;
    *) printf '%s\n' "$line" ;;
    esac
done < <(sed "s/@version@/$("$dunlin" --version | sed -n 's/^dunlin //p')/" "$page")
