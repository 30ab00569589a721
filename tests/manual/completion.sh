#!/usr/bin/env bash
# What bash offers when somebody types dunlin and TAB.     completion.sh
. tests/jobs/lib.sh
# shellcheck source=docs/completion/dunlin.bash
. docs/completion/dunlin.bash
compopt() { :; } # there is no line being edited here

# offers WORD WORDS...: what is offered for the last of the words holds WORD
offered() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _dunlin "$DUNLIN"
}
offers() {
    local wanted=$1
    shift
    offered "$@"
    case " ${COMPREPLY[*]} " in
    *" $wanted "*) ;;
    *) fail "'$*' offers '${COMPREPLY[*]}' and not '$wanted'" ;;
    esac
}
refuses() {
    local unwanted=$1
    shift
    offered "$@"
    case " ${COMPREPLY[*]} " in
    *" $unwanted "*) fail "'$*' offers '$unwanted'" ;;
    esac
}

offers run dunlin ru
offers verify dunlin ''
offers help dunlin ''
refuses run dunlin ver
offers E2001 dunlin help E20
offers check dunlin help ''
offers --replay dunlin run --re
offers --set dunlin run -
refuses --replay dunlin verify --
offers none dunlin run jobs/tweets.yaml --broker ''
offers recorded dunlin run jobs/tweets.yaml --pace r
offers enrich dunlin run jobs/tweets.yaml --only ''
offers output= dunlin run jobs/tweets.yaml --set ou
offers ingest.corpus.limit= dunlin run jobs/tweets.yaml --set ingest.corpus.l
offers enrich.rows_h5.rows= dunlin check jobs/tweets.yaml -s enrich.rows
offers enrich.model.path= dunlin run jobs/tweets.yaml --set enrich.model.
refuses enrich.generator.rows= dunlin run jobs/tweets.yaml --set enrich.
offers jobs/tweets.yaml dunlin run jobs/tw
offers score dunlin model ''
offers generate dunlin corpus g
offers export dunlin trace ''
offers README.md dunlin run jobs/tweets.yaml --set output = READ
finish
