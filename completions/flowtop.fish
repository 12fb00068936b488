# Completion of flowtop for fish; made by scripts/completions.py of the program's own options: make completions

function __flowtop_fields
    switch $argv[1]
        case 'flows'
            echo 'rate bytes packets id family proto state status src sport dst dport reply_src reply_sport reply_dst reply_dport nat icmp_type icmp_code icmp_id orig_packets orig_bytes reply_packets reply_bytes orig_rate reply_rate start duration timeout mark zone src_name dst_name src_country dst_country src_city dst_city src_asn dst_asn src_org dst_org service service_port service_by process pid uid user unit container attribution device device_mac device_vendor direction closed'
        case 'processes'
            echo 'rate bytes key process pid command user unit container attribution flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'devices'
            echo 'rate bytes key device mac vendor address flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'hosts'
            echo 'rate bytes key address name country city asn org flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'countries'
            echo 'rate bytes key country flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'networks'
            echo 'rate bytes key asn org flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'services'
            echo 'rate bytes key service proto port flows orig_rate reply_rate orig_bytes reply_bytes'
        case 'containers'
            echo 'rate bytes key container unit flows orig_rate reply_rate orig_bytes reply_bytes'
    end
end

function __flowtop_sort
    set -l view flows
    set -l words (commandline -opc)
    for at in (seq (count $words))
        switch $words[$at]
            case '--view=*'
                set view (string replace -- --view= '' $words[$at])
            case --view
                test $at -lt (count $words); and set view $words[(math $at + 1)]
        end
    end
    for field in (string split ' ' (__flowtop_fields $view))
        printf '%s\tfield\n' $field $field:asc $field:desc
    end
end

function __flowtop_behind
    switch $argv[1]
        case '^'
            echo 'not host net port proto state status name country city asn org scope service service_port process pid uid user unit container attribution device mac vendor direction nat rate orig_rate reply_rate bytes orig_bytes reply_bytes packets orig_packets reply_packets duration timeout icmp_type icmp_code icmp_id mark zone id flows src dst local remote tcp udp udplite sctp dccp icmp icmp6 icmpv6 gre esp ip ipv4 ip6 ipv6 snat dnat assured offload outbound inbound forwarded loopback closed'
        case 'host' 'net' 'port' 'name' 'country' 'city' 'asn' 'org' 'service' 'service_port' 'process' 'pid' 'uid' 'user' 'unit' 'container' 'device' 'mac' 'vendor' 'rate' 'orig_rate' 'reply_rate' 'bytes' 'orig_bytes' 'reply_bytes' 'packets' 'orig_packets' 'reply_packets' 'duration' 'timeout' 'icmp_type' 'icmp_code' 'icmp_id' 'mark' 'zone' 'id' 'flows'
            echo ''
        case 'proto'
            echo 'gre icmp icmpv6 sctp tcp udp'
        case 'state'
            echo 'CLOSE CLOSE_WAIT ESTABLISHED FIN_WAIT LAST_ACK SYN_RECV SYN_SENT TIME_WAIT'
        case 'status'
            echo 'assured dnat dying helper hw_offload offload seen_reply snat'
        case 'scope'
            echo 'group host lan remote uplink'
        case 'attribution'
            echo 'cgroup exact exited forwarded kernel listener no-permission other-netns'
        case 'direction'
            echo 'forwarded inbound local outbound'
        case 'nat'
            echo 'both dnat none snat'
        case 'src' 'dst' 'local' 'remote'
            echo 'host net port name country city asn org scope'
        case '*'
            echo 'and or not host net port proto state status name country city asn org scope service service_port process pid uid user unit container attribution device mac vendor direction nat rate orig_rate reply_rate bytes orig_bytes reply_bytes packets orig_packets reply_packets duration timeout icmp_type icmp_code icmp_id mark zone id flows src dst local remote tcp udp udplite sctp dccp icmp icmp6 icmpv6 gre esp ip ipv4 ip6 ipv6 snat dnat assured offload outbound inbound forwarded loopback closed'
    end
end

function __flowtop_filter
    # the whole filter is one word here, in quotes: what is begun, and the word before it
    set -l value (commandline -ct | string replace -r '^(-f|--[a-z-]+=)' '' | string replace -r '^["\']' '')
    set -l begun (string match -r '[^ ()!]*$' -- "$value")
    set -l before (string replace -r '[^ ()!]*$' '' -- "$value")
    set -l tokens (string match -ra '[^ ()!]+|!=|!~' -- "$before")
    set -l last '^'
    test (count $tokens) -gt 0; and set last $tokens[-1]
    if contains -- $last = != '~' '!~' '<' '<=' '>' '>='; and test (count $tokens) -gt 1
        set last $tokens[-2]
    else if contains -- $last and or not '&&' '||'
        set last '^'
    end
    for word in (string split ' ' (__flowtop_behind $last))
        printf '%s\tfilter\n' "$before$word"
    end
end

complete -c flowtop -f
complete -c flowtop -s 4 -l ipv4 -d 'IPv4 only (default: both)'
complete -c flowtop -s 6 -l ipv6 -d 'IPv6 only (default: both)'
complete -c flowtop -s T -l tcp -d 'TCP flows (the default)'
complete -c flowtop -s U -l udp -d 'UDP and UDP-lite flows'
complete -c flowtop -s D -l dccp -d 'DCCP flows'
complete -c flowtop -s I -l icmp -d 'ICMP and ICMPv6 flows'
complete -c flowtop -s S -l sctp -d 'SCTP flows'
complete -c flowtop -l all -d 'every protocol, GRE and the rest too'
complete -c flowtop -l loopback -d 'also flows within this host'
complete -c flowtop -s f -l filter -x -a '(__flowtop_filter)' -d 'flows that match; ? has the language'
complete -c flowtop -s n -l no-dns -d 'addresses, no names'
complete -c flowtop -s G -l no-geoip -d 'no countries and networks'
complete -c flowtop -s s -l show-src -d 'also the source side'
complete -c flowtop -s b -l bits -d 'rates in bits/s instead of bytes/s'
complete -c flowtop -l closed -d 'also flows that have closed in the last minute'
complete -c flowtop -l mean -x -a '2\tmean 10\tmean 40\tmean' -d 'rates over 2, 10 or 40 seconds'
complete -c flowtop -s t -l interval -x -d 'from 0.1 to 3600 (default: 1)'
complete -c flowtop -l view -x -a 'flows\tview processes\tview devices\tview hosts\tview countries\tview networks\tview services\tview containers\tview' -d 'flows, processes, devices, hosts, countries, networks, services, containers (default: flows)'
complete -c flowtop -l sort -x -a '(__flowtop_sort)' -d 'a column or a JSON key (default: rate:desc)'
complete -c flowtop -l theme -x -a 'dark\ttheme light\ttheme mono\ttheme safe-dark\ttheme safe-light\ttheme' -d 'dark, light, mono, safe-dark, safe-light (default: dark)'
complete -c flowtop -l no-mouse -d 'leave the mouse to the terminal'
complete -c flowtop -l json -d 'JSON Lines: a snapshot a line'
complete -c flowtop -l csv -d 'a header, then a line a row'
complete -c flowtop -l text -d 'the table'
complete -c flowtop -l format -x -a 'json\tformat csv\tformat text\tformat openmetrics\tformat' -d 'json, csv, text, or openmetrics for Prometheus'
complete -c flowtop -l once -d 'one snapshot with rates (two samples), then exit'
complete -c flowtop -l exit-if -x -a '(__flowtop_filter)' -d 'write nothing until a flow, or a group of the view, fits; then that, and exit 3 (with --once: or exit 0)'
complete -c flowtop -l limit -x -d 'at most N rows (default: all)'
complete -c flowtop -l record -r -F -d 'write the flows into a new file until Ctrl-C'
complete -c flowtop -l replay -r -F -d 'show a recording; needs no root and no daemon'
complete -c flowtop -l demo -d 'show a recorded home network, again and again'
complete -c flowtop -l speed -x -d 'of a recording: from 0.1 to 100 (default: 1)'
complete -c flowtop -s H -l host -x -a '(__fish_complete_user_at_hosts)' -d 'the daemon of another host, over ssh; several times: of all of them together'
complete -c flowtop -s u -l update -d 'update the GeoIP databases through the daemon'
complete -c flowtop -l socket -r -F -d 'the daemon\'s socket (default: $FLOWTOP_SOCKET, else /run/flowtop/flowtop.sock); with --host, there'
complete -c flowtop -l standalone -d 'run a private daemon for this viewer (needs root)'
complete -c flowtop -l activate -d 'the same, and have the kernel track connections where no rule asks for it'
complete -c flowtop -s v -l version -d 'show the version and exit'
complete -c flowtop -s h -l help -d 'show this help and exit'
