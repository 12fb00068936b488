# Completion of flowtop for bash; made by scripts/completions.py of the program's own options: make completions

# the fields of a view
_flowtop_fields() {
    case $1 in
        flows) echo 'rate bytes packets id family proto state status src sport dst dport reply_src reply_sport reply_dst reply_dport nat icmp_type icmp_code icmp_id orig_packets orig_bytes reply_packets reply_bytes orig_rate reply_rate start duration timeout mark zone src_name dst_name src_country dst_country src_city dst_city src_asn dst_asn src_org dst_org service service_port service_by process pid uid user unit container attribution device device_mac device_vendor direction closed' ;;
        processes) echo 'rate bytes key process pid command user unit container attribution flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        devices) echo 'rate bytes key device mac vendor address flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        hosts) echo 'rate bytes key address name country city asn org flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        countries) echo 'rate bytes key country flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        networks) echo 'rate bytes key asn org flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        services) echo 'rate bytes key service proto port flows orig_rate reply_rate orig_bytes reply_bytes' ;;
        containers) echo 'rate bytes key container unit flows orig_rate reply_rate orig_bytes reply_bytes' ;;
    esac
}

# what may follow a word of a filter
_flowtop_behind() {
    case $1 in
        '^') echo 'not host net port proto state status name country city asn org scope service service_port process pid uid user unit container attribution device mac vendor direction nat rate orig_rate reply_rate bytes orig_bytes reply_bytes packets orig_packets reply_packets duration timeout icmp_type icmp_code icmp_id mark zone id flows src dst local remote tcp udp udplite sctp dccp icmp icmp6 icmpv6 gre esp ip ipv4 ip6 ipv6 snat dnat assured offload outbound inbound forwarded loopback closed' ;;
        host | net | port | name | country | city | asn | org | service | service_port | process | pid | uid | user | unit | container | device | mac | vendor | rate | orig_rate | reply_rate | bytes | orig_bytes | reply_bytes | packets | orig_packets | reply_packets | duration | timeout | icmp_type | icmp_code | icmp_id | mark | zone | id | flows) echo '' ;;
        proto) echo 'gre icmp icmpv6 sctp tcp udp' ;;
        state) echo 'CLOSE CLOSE_WAIT ESTABLISHED FIN_WAIT LAST_ACK SYN_RECV SYN_SENT TIME_WAIT' ;;
        status) echo 'assured dnat dying helper hw_offload offload seen_reply snat' ;;
        scope) echo 'group host lan remote uplink' ;;
        attribution) echo 'cgroup exact exited forwarded kernel listener no-permission other-netns' ;;
        direction) echo 'forwarded inbound local outbound' ;;
        nat) echo 'both dnat none snat' ;;
        src | dst | local | remote) echo 'host net port name country city asn org scope' ;;
        *) echo 'and or not host net port proto state status name country city asn org scope service service_port process pid uid user unit container attribution device mac vendor direction nat rate orig_rate reply_rate bytes orig_bytes reply_bytes packets orig_packets reply_packets duration timeout icmp_type icmp_code icmp_id mark zone id flows src dst local remote tcp udp udplite sctp dccp icmp icmp6 icmpv6 gre esp ip ipv4 ip6 ipv6 snat dnat assured offload outbound inbound forwarded loopback closed' ;;
    esac
}

# the fields to sort by, or both orders behind one: $1 is what is begun, the others are the words of the line
_flowtop_sort() {
    local value=$1 view=flows
    shift
    while (($#)); do
        case $1 in
            --view) view=${2-} ;;
            --view=*) view=${1#*=} ;;
        esac
        shift
    done
    case $value in
        *:*) echo "${value%%:*}:asc ${value%%:*}:desc" ;;
        *) _flowtop_fields "$view" ;;
    esac
}

# what a filter may become, whole, for it is one word in quotes
_flowtop_filter() {
    local value=${1#[\'\"]} begun before last=^ word
    local -a tokens
    begun=${value##*[ ()!]}
    before=${value%"$begun"}
    read -ra tokens <<<"${before//[()!]/ }"
    ((${#tokens[@]})) && last=${tokens[-1]}
    case $last in
        = | '~' | '<' | '<=' | '>' | '>=') ((${#tokens[@]} > 1)) && last=${tokens[-2]} ;;
        and | or | not | '&&' | '||') last=^ ;;
    esac
    for word in $(_flowtop_behind "$last"); do
        [[ $word == "$begun"* ]] && COMPREPLY+=("$before$word")
    done
    # bash closes the quotes behind a single one, which is in the way where more has to follow: so it gets two
    if [[ ${#COMPREPLY[@]} == 1 && $1 == [\'\"]* ]]; then
        word=${COMPREPLY[0]#"$before"}
        case $word in
            and | or | not) COMPREPLY+=("${COMPREPLY[0]} ...") ;;
            *) [[ $(_flowtop_behind "$word") == "$(_flowtop_behind .)" ]] || COMPREPLY+=("${COMPREPLY[0]} ...") ;;
        esac
    fi
}

# the hosts that bash-completion has for ssh, where it is loaded (the first name is of 2.12), else those of /etc/hosts
_flowtop_host() {
    local host=${1##*@}
    if declare -F _comp_compgen_known_hosts >/dev/null; then
        _comp_compgen_known_hosts -a -- "$1"
    elif declare -F _known_hosts_real >/dev/null; then
        _known_hosts_real -a -- "$1"
    else
        mapfile -t COMPREPLY < <(compgen -A hostname -P "${1%"$host"}" -- "$host")
    fi
    # bash completes from the `@` on, unless bash-completion has told it to leave hosts alone
    [[ $1 == *@* && $COMP_WORDBREAKS == *@* ]] && COMPREPLY=("${COMPREPLY[@]#"${1%%@*}"}")
}

_flowtop() {
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
        -f | --filter | --exit-if)
            _flowtop_filter "$value"
            compopt -o nospace
            return
            ;;
        --mean)
            reply='2 10 40'
            ;;
        -t | --interval | --limit | --speed)
            reply=''
            ;;
        --view)
            reply='flows processes devices hosts countries networks services containers'
            ;;
        --sort)
            reply=$(_flowtop_sort "$value" "${words[@]}")
            ;;
        --theme)
            reply='dark light mono safe-dark safe-light'
            ;;
        --format)
            reply='json csv text openmetrics'
            ;;
        --record | --replay | --socket)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            return
            ;;
        -H | --host)
            _flowtop_host "$value"
            return
            ;;
        *) reply='-4 --ipv4 -6 --ipv6 -T --tcp -U --udp -D --dccp -I --icmp -S --sctp --all --loopback -f --filter -n --no-dns -G --no-geoip -s --show-src -b --bits --closed --mean -t --interval --view --sort --theme --no-mouse --json --csv --text --format --once --exit-if --limit --record --replay --demo --speed -H --host -u --update --socket --standalone --activate -v --version -h --help' value=${words[-1]} ;;
    esac
    # what stands before a `:` stays as it is
    [[ $value == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${value%:*}:
    for word in $reply; do
        [[ $word == "$value"* ]] && COMPREPLY+=("${word#"$kept"}")
    done
}
complete -F _flowtop flowtop
