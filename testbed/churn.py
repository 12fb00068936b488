"""New flows at a known rate through a router: real TCP packets, so many SYNs a second, each taken back soon after.

    with Churn(network.lan[0], rate=1_000) as churn:
        ...                              # 1 000 new forwarded flows a second, each in the table for LIFE_S
        begun = churn.stop()             # how many there were

A flow is a SYN to an address nobody has and, LIFE_S later, a RST of the same tuple: conntrack drops an entry without an
answer at once when it is reset (nf_conntrack_proto_tcp.c), so the table holds rate * LIFE_S of them and needs
no time-out. `number` says which flow a tuple is, so that whoever listens can say which ones were missed.

The source is one small process (`python -m testbed.churn`) with a raw socket. It sends in steps of 4 ms and ends by
itself after ten minutes.
"""

import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, stop_process

ADDRESS: Final = "8.8.4.4"
"""Where the packets go: the router forwards them, nobody answers."""
LIFE_S: Final = 0.4

_ROOT: Final = Path(__file__).parent.parent
_END_S: Final = 600.0
_STEP_S: Final = 0.004
_CATCH_UP_S: Final = 0.05
"""What a step may make up for. A source that was kept waiting for longer begins fewer flows, and no flood of them."""
_FIRST_SPORT: Final = 2_000
_FIRST_DPORT: Final = 10_000
_SPORTS: Final = 50_000
_DPORTS: Final = 50_000
_SYN: Final = 0x02
_RST: Final = 0x04
_IP: Final = struct.Struct("!BBHHHBBH4s4s")
_TCP: Final = struct.Struct("!HHIIBBHHH")
_IP_PROTO_TCP: Final = 6


def number(sport: int, dport: int) -> int:
    """Which flow, counted from 0, has these ports. Raises ValueError for those of another flow."""
    if not 0 <= sport - _FIRST_SPORT < _SPORTS or not 0 <= dport - _FIRST_DPORT < _DPORTS:
        raise ValueError(f"no flow of churn: {sport}, {dport}")
    return (dport - _FIRST_DPORT) * _SPORTS + sport - _FIRST_SPORT


def ports(flow: int) -> tuple[int, int]:
    """Source and destination port of a flow."""
    return _FIRST_SPORT + flow % _SPORTS, _FIRST_DPORT + flow // _SPORTS % _DPORTS


class Churn:
    """A source of `rate` flows a second in `client`, a LAN host of the router."""

    def __init__(self, client: Namespace, rate: int) -> None:
        self._client = client
        self._rate = rate
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: int | None = None
        self._started_s = self._ended_s = 0.0

    def __enter__(self) -> Self:
        argv = [sys.executable, "-m", "testbed.churn", str(self._rate)]
        self._process = self._client.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
        if self._said() != "started":
            raise RuntimeError("the source of flows does not start")
        self._started_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            try:
                if self._process.poll() is None:
                    self.stop()  # what it has begun would stay in the table for two minutes
            finally:
                stop_process(self._process)

    @property
    def pid(self) -> int:
        """Process id of the source."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """Begin no more flows, take back the last ones, say how many there were in all."""
        assert self._process is not None
        assert self._process.stdin is not None
        if self._begun is None:
            self._ended_s = time.monotonic()
            self._process.stdin.close()
            self._begun = int(self._said())
        return self._begun

    @property
    def reached(self) -> float:
        """Flows a second there have been, after `stop`."""
        return (self._begun or 0) / (self._ended_s - self._started_s)

    def _said(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the source of flows ended with {self._process.wait(5)}")
        return str(json.loads(line))


# What runs inside the process


def _sum(data: bytes) -> int:
    """The 16-bit words of a header, added up (RFC 1071)."""
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


class Packets:
    """Packets without payload between two addresses; only ports and flags change from one to the next."""

    def __init__(self, src: str, dst: str) -> None:
        ends = IPv4Address(src).packed, IPv4Address(dst).packed
        # the kernel fills in length, identification and checksum of the IP header (raw(7), IP_HDRINCL)
        self._ip = _IP.pack(0x45, 0, 0, 0, 0, 64, _IP_PROTO_TCP, 0, *ends)
        self._pseudo = _sum(ends[0] + ends[1]) + _IP_PROTO_TCP + _TCP.size

    def packet(self, flow: int, flags: int) -> bytes:
        """One packet of a flow. A RST carries the number that follows the SYN's."""
        sport, dport = ports(flow)
        seq = 1 if flags == _RST else 0
        checksum = _folded(self._pseudo + sport + dport + seq + (5 << 12 | flags) + 0xFFFF)
        return self._ip + _TCP.pack(sport, dport, seq, 0, 5 << 4, flags, 0xFFFF, checksum, 0)


def _run(rate: int) -> int:
    """Send until standard input is closed; how many flows there were."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.connect((ADDRESS, 0))
        packets = Packets(sock.getsockname()[0], ADDRESS)
        print(json.dumps("started"), flush=True)
        begun = ended = scheduled = 0
        taken_back: deque[tuple[float, int]] = deque()  # when to reset all flows below a number
        start_s = time.monotonic()
        while (now_s := time.monotonic()) - start_s < _END_S and not _closed(sys.stdin.fileno()):
            due = begun + min(int((now_s - start_s) * rate) - scheduled, int(rate * _CATCH_UP_S))
            scheduled = int((now_s - start_s) * rate)
            for flow in range(begun, due):
                sock.send(packets.packet(flow, _SYN))
            begun = due
            taken_back.append((now_s + LIFE_S, begun))
            while taken_back[0][0] <= now_s:
                _, below = taken_back.popleft()
                for flow in range(ended, below):
                    sock.send(packets.packet(flow, _RST))
                ended = below
            time.sleep(max(0.0, now_s + _STEP_S - time.monotonic()))
        for flow in range(ended, begun):
            sock.send(packets.packet(flow, _RST))
        return begun


def _closed(descriptor: int) -> bool:
    """Whether nobody has the other end any more."""
    return bool(select.select([descriptor], [], [], 0)[0])


if __name__ == "__main__":
    print(json.dumps(_run(int(sys.argv[1]))), flush=True)
