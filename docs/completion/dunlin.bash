# bash completion for dunlin: subcommands, options, files, and properties for --set. What can be completed is asked of the
# program itself (its --help and its reference), so that nothing here grows old.
# shellcheck shell=bash

# _dunlin_pipelines JOB: names of its pipelines
_dunlin_pipelines() {
    awk '/^[a-z_]+:/ { inside = /^pipelines:/; next }
         inside && /^  [A-Za-z0-9_.-]+:/ { sub(/:.*/, ""); print $1 }' "$1" 2>/dev/null
}

# _dunlin_properties PROGRAM JOB: what --set takes, with the = behind it
_dunlin_properties() {
    "$1" describe --reference | awk -F'`' -v pipelines="$(_dunlin_pipelines "$2" | tr '\n' ' ')" -v job="$2" '
        BEGIN { n = split(pipelines, pipeline, " ")
                while ((getline line < job) > 0) text = text " " line }
        /^## /  { section = $0 }
        /^### / { part = $2; used = text ~ ("[^a-z_]" part "[^a-z_]") || part == "dead_letters" }
        /^\| `/ {
            if (part == "job") print $2 "="
            for (i = 1; i <= n; i++) {
                if (part == "pipelines.<name>") print pipeline[i] "." $2 "="
                else if (section != "## Job" && used) print pipeline[i] "." part "." $2 "="
            }
        }'
}

# _dunlin_job PROGRAM: the job file among the words, as the program would find it
_dunlin_job() {
    local word home
    for word in "${COMP_WORDS[@]:2}"; do
        case $word in
        *.yaml | *.yml)
            home=$("$1" --home 2>/dev/null)
            if [ -r "$word" ]; then echo "$word"; else echo "$home/$word"; fi
            return
            ;;
        esac
    done
}

_dunlin_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_dunlin_commands() { "$1" --help | sed -n '/^  [a-z]/{/^  dunlin/d;s/^  \([a-z]*\) .*/\1/p}'; }

_dunlin_value() {
    local program=$1 option=$2 cur=$3
    case $option in
    -b | --broker) _dunlin_words 'local none' "$cur" ;;
    --pace) _dunlin_words 'max recorded 8x' "$cur" ;;
    --until) _dunlin_words 'end forever' "$cur" ;;
    --output) _dunlin_words 'table json csv' "$cur" ;;
    --backend) _dunlin_words 'ref cpu' "$cur" ;;
    --partition-by) _dunlin_words 'language+text language hashtag author text' "$cur" ;;
    --only) _dunlin_words "$(_dunlin_pipelines "$(_dunlin_job "$program")")" "$cur" ;;
    -s | --set)
        _dunlin_words "$(_dunlin_properties "$program" "$(_dunlin_job "$program")")" "$cur"
        compopt -o nospace 2>/dev/null
        ;;
    --text | -t | --rows | --seed | --bad | --partitions | --field | -X) ;;
    -o | --replay | --truth | --site | =) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    *) return 1 ;;
    esac
}

# Files here, and the jobs and models beside the program.
_dunlin_files() {
    local home
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
    if [ "${#COMPREPLY[@]}" = 0 ] && home=$("$1" --home 2>/dev/null); then
        mapfile -t COMPREPLY < <(compgen -f -- "$home/$2" | sed "s#^$home/##")
    fi
    compopt -o filenames 2>/dev/null
}

_dunlin() {
    local program=$1 cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} help
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        _dunlin_words "$(_dunlin_commands "$program") help --help --version --errors --home" "$cur"
        return
    fi
    if [ "$command" = help ] || [ "$command" = --errors ]; then
        _dunlin_words "$(_dunlin_commands "$program") $("$program" --errors | sed -n 's/^\(E[0-9]*\).*/\1/p')" "$cur"
        return
    fi
    _dunlin_value "$program" "$before" "$cur" && return
    help=$("$program" help "$command" 2>/dev/null) || return
    if [[ $cur == -* ]]; then
        _dunlin_words "$(grep -Eo -e '(^| )--?[a-zA-Z][a-z-]*' <<<"$help" | sort -u) --help" "$cur"
    elif [ "$COMP_CWORD" = 2 ] && grep -q "^Usage: dunlin $command [a-z]" <<<"$help"; then
        _dunlin_words "$(sed -nE "/^Usage/,/^\$/s/.* dunlin $command ([a-z]+).*/\1/p" <<<"$help")" "$cur"
    else
        _dunlin_files "$program" "$cur"
    fi
}

complete -F _dunlin dunlin
