# Completion of flowtopd for bash; made by scripts/completions.py of the program's own options: make completions

_flowtopd() {
    local IFS=$' \t\n' line=$COMP_LINE word option='' value kept='' reply='' at
    local -a words=()
    # bash splits words at `:` and `=` too; those that have no blank between them are one
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if ((at)) && [[ $line != [[:blank:]]* ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#*"$word"}
    done
    value=${words[-1]}
    if [[ $value == --*=* ]]; then
        option=${value%%=*} value=${value#*=}
    elif ((${#words[@]} > 2)); then
        option=${words[-2]}
    fi
    COMPREPLY=()
    case $option in
        --config | --socket | --record | --replay)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            return
            ;;
        --runtime-dir)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$value")
            return
            ;;
        --log-level)
            reply='debug info warning error'
            ;;
        --speed | --viewer-fd)
            reply=''
            ;;
        *) reply='-h --help --config --runtime-dir --socket --activate --log-level --check-config --restore --update --record --replay --speed --loop --viewer-fd --version' value=${words[-1]} ;;
    esac
    # what stands before a `:` stays as it is
    [[ $value == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${value%:*}:
    for word in $reply; do
        [[ $word == "$value"* ]] && COMPREPLY+=("${word#"$kept"}")
    done
}
complete -F _flowtopd flowtopd
