#!/usr/bin/env python3
"""Record the demonstration that `flowtop --demo` shows: a minute in a house with a router, some devices, some servers.

    scripts/record_demo.py FILE         as root; FILE is new

The router laboratory of the test bed has the traffic, and the real flowtopd on the router records it, with names of a
real DNS server and devices of a real DHCP server. Then what belongs to this machine is replaced: its name, the time,
who runs the traffic. Servers are at 1.1.1.1 and 8.8.8.8, as in life, or at addresses for documentation (RFC 5737, 3849)
with places that are made up.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowtopd.wire.recording import About
from flowtopd.wire.recording_file import RecordingFile, open_recording
from flowtopd.wire.samples import Sample
from flowtopd.wire.version import VERSION
from testbed import dhcp
from testbed.daemon import Daemon
from testbed.dns import Dnsmasq, resolving
from testbed.netns import Namespace
from testbed.packets import ping
from testbed.programs import Program
from testbed.router import ROUTER_V4, Router

SECONDS: Final = 60
UNSETTLED_S: Final = 4
"""The first seconds, in which names are still being looked up, are left out."""
START: Final = 1_767_268_800.0  # 2026-01-01 12:00 UTC

DEVICES: Final = (
    ("laptop", "3c:22:fb:12:34:56", "Apple, Inc."),
    ("living-room-tv", "a4:77:33:00:11:22", "Google, Inc."),
    ("phone", "8c:f5:a3:21:43:65", "Samsung Electronics Co.,Ltd"),
    ("doorbell", "24:0a:c4:5e:10:07", "Espressif Inc."),
)
MACS: Final = {mac: (name, vendor) for name, mac, vendor in DEVICES}

VIDEO, VIDEO6, CODE, SHOP, GAME, CLOUD, MAIL, NTP, MIRROR = (
    *("198.51.100.20", "2001:db8:20::7", "198.51.100.34", "192.0.2.80", "192.0.2.130"),
    *("198.51.100.99", "192.0.2.25", "192.0.2.123", "198.51.100.200"),
)
SERVERS: Final = {
    # address: name, country, city, AS, organisation
    "1.1.1.1": ("one.one.one.one", "AU", None, 13335, "CLOUDFLARENET"),
    "8.8.8.8": ("dns.google", "US", None, 15169, "GOOGLE"),
    VIDEO: ("cache7.video.example", "DE", "Frankfurt am Main", 64500, "Example Video AG"),
    VIDEO6: ("cache7.video.example", "DE", "Frankfurt am Main", 64500, "Example Video AG"),
    CODE: ("git.code.example", "US", "Seattle", 64501, "Example Code Inc."),
    SHOP: ("www.shop.example", "NL", "Amsterdam", 64502, "Example Hosting B.V."),
    GAME: ("eu3.game.example", "SE", "Stockholm", 64503, "Example Games AB"),
    CLOUD: ("doorbell.cloud.example", "SG", "Singapore", 64504, "Example Cloud Pte"),
    MAIL: ("imap.mail.example", "CH", "Zurich", 64505, "Example Mail GmbH"),
    NTP: ("ntp1.time.example", "FR", "Paris", 64506, "Example Time"),
    MIRROR: ("mirror.debian.example", "DE", "Leipzig", 64502, "Example Hosting B.V."),
}
TCP_PORTS: Final = (22, 80, 443, 853, 993)
UDP_ENDS: Final = (("1.1.1.1", 53), ("8.8.8.8", 53), (GAME, 27015), (NTP, 123), (VIDEO, 443))

ROUTERS_OWN: Final = {53: ("unbound", "unbound.service", "unbound"), 853: ("unbound", "unbound.service", "unbound")} | {
    123: ("chronyd", "chrony.service", "_chrony"),
    80: ("http", "apt-daily.service", "_apt"),
}
"""What runs on the router, by port: process, unit, user."""

Visit = tuple[float, float, str, int, bool, float, float]
"""From when on and for how long; address, port, whether UDP; bytes/s up and down."""


def plans() -> list[list[Visit]]:
    """What each device does, and the router itself at last."""
    laptop: list[Visit] = [
        (0, 70, CODE, 22, False, 900, 2_500),
        (0, 70, MAIL, 993, False, 40, 120),
        (8, 14, CODE, 443, False, 20_000, 1_800_000),
        *((at + step / 5, 3, SHOP, 443, False, 1_500, 90_000) for at in (3, 26, 44) for step in range(5)),
        *((at, 0.2, "1.1.1.1", 53, True, 80, 200) for at in range(2, 60, 6)),
    ]
    tv: list[Visit] = [
        (0, 70, VIDEO6, 443, False, 9_000, 900_000),
        (0, 70, VIDEO, 443, True, 3_000, 240_000),
        *((at, 4, VIDEO, 443, False, 2_000, 700_000) for at in range(5, 60, 9)),
        *((at, 0.2, "8.8.8.8", 53, True, 80, 200) for at in range(1, 60, 10)),
    ]
    phone: list[Visit] = [
        (12, 40, GAME, 27015, True, 12_000, 24_000),
        (0, 70, "1.1.1.1", 443, False, 300, 700),
        *((at, 2, SHOP, 443, False, 800, 60_000) for at in range(15, 60, 12)),
    ]
    doorbell: list[Visit] = [(0, 70, CLOUD, 443, False, 30, 30), (33, 20, CLOUD, 443, False, 450_000, 4_000)]
    router: list[Visit] = [
        (0, 70, "1.1.1.1", 853, False, 150, 400),
        *((at, 0.2, NTP, 123, True, 90, 90) for at in (4, 20, 36, 52)),
        (18, 16, MIRROR, 80, False, 6_000, 1_200_000),
    ]
    return [laptop, tv, phone, doorbell, router]


SERVE: Final = """
import threading, select
def send(sock, rate, until):
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) < until:
        due = int((now - began) * rate) - sent
        if due > 0:
            sock.sendall(bytes(due))
            sent += due
        while select.select([sock], [], [], 0.05)[0]:
            if not sock.recv(65536):
                return
def tcp(sock):
    with sock:
        try:
            rate, seconds = struct.unpack("!dd", sock.recv(16, socket.MSG_WAITALL))
            send(sock, rate, time.monotonic() + seconds)
        except (OSError, struct.error):
            pass
def accept(listener):
    while True:
        threading.Thread(target=tcp, args=(listener.accept()[0],), daemon=True).start()
def udp(sock):
    while True:
        data, sender = sock.recvfrom(2048)
        (size,) = struct.unpack("!d", data[:8])
        for _ in range(max(1, round(size / 1200))):
            sock.sendto(bytes(min(1200, int(size) or 1)), sender)
for port in TCP_PORTS:
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
for end in UDP_ENDS:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(tuple(end))
    threading.Thread(target=udp, args=(sock,), daemon=True).start()
say()
"""

VISIT: Final = """
import threading, select
def tcp(address, port, seconds, up, down):
    with socket.create_connection((address, port)) as sock:
        sock.sendall(struct.pack("!dd", down, seconds))
        began, sent = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * up) - sent
            if due > 0:
                sock.sendall(bytes(due))
                sent += due
            while select.select([sock], [], [], 0.05)[0]:
                if not sock.recv(65536):
                    return
def udp(address, port, seconds, up, down):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            sock.send(struct.pack("!d", down / 5) + bytes(max(0, int(up / 5) - 8)))
            while select.select([sock], [], [], 0.05)[0]:
                sock.recv(2048)
            time.sleep(0.15)
def visit(at, seconds, address, port, is_udp, up, down):
    time.sleep(max(0.0, began + at - time.monotonic()))
    try:
        (udp if is_udp else tcp)(address, port, seconds, up, down)
    except OSError:
        pass
sys.stdin.readline()
began = time.monotonic()
for each in PLAN:
    threading.Thread(target=visit, args=each, daemon=True).start()
"""


class RouterDaemon(Daemon):
    """The daemon on the router: it asks the WAN's DNS server, and finds the leases where dnsmasq has them."""

    @property
    def argv(self) -> list[str]:
        """The daemon's command line."""
        directory = self.runtime_dir.parent
        script = 'mount --bind "$0" /var/lib/misc && exec "$@"'
        mounted = ["unshare", "--mount", "sh", "-c", script, str(directory), *super().argv]
        return resolving(directory / "resolver", mounted, server="203.0.113.2")


def settle(network: Router, directory: Path) -> None:
    """Give the devices their MACs and leases, and the WAN host its servers."""
    for address in SERVERS:
        if address not in {"1.1.1.1", "8.8.8.8"}:
            network.wan.run(["ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo"])
    with dhcp.Dnsmasq(network.router, "lan0", "192.168.1.100,192.168.1.150", directory):
        for host, (name, mac, _) in zip(network.lan, DEVICES, strict=True):
            host.run(["ip", "link", "set", "eth0", "address", mac])
            host.run(["ip", "route", "replace", "default", "via", "192.168.1.1"])
            ping(host, "1.1.1.1")
            dhcp.lease(host, "eth0", name)


@contextlib.contextmanager
def traffic(network: Router) -> Iterator[Callable[[], None]]:
    """Have everything ready; the function that begins it."""
    serve = f"TCP_PORTS = {TCP_PORTS!r}\nUDP_ENDS = {UDP_ENDS!r}\n{SERVE}"
    with contextlib.ExitStack() as running:
        running.enter_context(Program(network.wan, serve))
        hosts: list[Namespace] = [*network.lan, network.router]
        programs = [
            running.enter_context(Program(host, f"say()\nPLAN = json.loads({json.dumps(plan)!r})\n{VISIT}"))
            for host, plan in zip(hosts, plans(), strict=True)
        ]

        def begin() -> None:
            for program in programs:
                program.tell()

        yield begin


def record(path: Path, directory: Path) -> None:
    """Record the minute as it is."""
    (directory / "resolver").mkdir()
    names = {address: name for address, (name, *_) in SERVERS.items()}
    with Router(lan_hosts=len(DEVICES)) as network, contextlib.ExitStack() as running:
        settle(network, directory)
        running.enter_context(Dnsmasq(network.wan, directory, names, address="203.0.113.2"))
        begin = running.enter_context(traffic(network))
        daemon = RouterDaemon(network.router, directory, "--record", str(path))
        running.enter_context(daemon)
        # somebody who looks, so that names are asked for
        with subprocess.Popen(daemon.viewer_argv("--json", "--all"), stdout=subprocess.DEVNULL) as viewer:  # noqa: S603
            begin()
            time.sleep(UNSETTLED_S + SECONDS)
            viewer.terminate()
        daemon.stop()


def edited(sample: Sample, shift_s: float, at_s: float) -> Sample:
    """The sample without what belongs to this machine, and with the places of the servers."""
    rows = [dict(zip(sample.columns, row, strict=True)) for row in zip(*sample.columns.values(), strict=True)]
    kept = [_edited(row, shift_s) for row in rows if row["dst"] in SERVERS and row["proto"] in {"tcp", "udp"}]
    columns = {name: [row[name] for row in kept] for name in sample.columns}
    status = sample.status | {"flows": len(kept), "max": 65_536, "events_lost": 0, "tick_seconds": 0.004}
    return replace(sample, at_s=at_s, time=sample.time + shift_s, status=status, columns=columns)


def _edited(row: dict[str, Any], shift_s: float) -> dict[str, Any]:
    for name in ("start", "first_seen"):
        row[name] = None if row[name] is None else row[name] + shift_s
    for end in ("src", "dst"):
        place = SERVERS.get(row[end], (None,) * 5)[1:]
        row |= dict(zip((f"{end}_country", f"{end}_city", f"{end}_asn", f"{end}_org"), place, strict=True))
    nobody = dict.fromkeys(("process", "pid", "uid", "user", "unit", "container", "command"))
    if row["src"] == ROUTER_V4:
        process, unit, user = ROUTERS_OWN[row["dport"]]
        pid = 600 + row["dport"]
        owner = {"process": process, "pid": pid, "uid": 100, "user": user, "unit": unit, "command": process}
        return row | nobody | owner | {"device": "router", "attribution": "exact"}
    device, vendor = MACS.get(row["device_mac"], (None, None))
    return row | nobody | {"device": device, "device_vendor": vendor, "attribution": "forwarded"}


def main() -> None:
    """Record, edit, write."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory) / "raw.flowtop"
        record(raw, Path(directory))
        about = About("router", f"flowtopd {VERSION}", START)
        with open_recording(raw) as recording, RecordingFile(target, about) as file:
            begin = next(number for number, at_s in enumerate(recording.times) if at_s >= UNSETTLED_S)
            first = recording.sample(begin)[1]
            for number in range(begin, len(recording)):
                sample = recording.sample(number)[1]
                file.add(edited(sample, START - first.time, sample.at_s - first.at_s))
            print(f"{target}: {file.samples} samples, {file.size} bytes")
    target.chmod(0o644)


if __name__ == "__main__":
    main()
