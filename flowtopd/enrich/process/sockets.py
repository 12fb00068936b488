"""The sockets of this network namespace, read when asked for: exact questions, whole tables, listening ports.

    exact      one question for each flow and each of its ends that is here, 64 in one call
    table      one dump a family and protocol; ping sockets from /proc/net/icmp, which sock_diag does not have
    raw        /proc/net/raw, the same

IPv4 flows need both families: an AF_INET6 socket may serve IPv4. A protocol that this kernel has no sockets for is
asked for once. Everything else that goes wrong raises NetlinkError or MalformedMessage.
"""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.enrich.process import nettables
from flowtopd.enrich.process.match import ICMP, ICMPV6, UDPLITE, WITH_SOCKETS, has_peer
from flowtopd.flows.names import TCP, UDP
from flowtopd.netlink import uapi
from flowtopd.netlink.datagrams import QUESTIONS, Questioner
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket, open_sock_diag
from flowtopd.netlink.sock_diag import (
    LIVE,
    Columns,
    Question,
    decode,
    decode_dump,
    dump_request,
    empty,
    exact_request,
    joined,
)

Port = int

NET: Final = Path("/proc/thread-self/net")
"""/proc/net is that of the main thread, whatever namespace this one is in."""

ASKED_EXACTLY: Final = (TCP, UDP, UDPLITE)
"""Protocols of exact questions."""

_PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PING_TABLES: Final = {ICMP: "icmp", ICMPV6: "icmp6"}
_RAW_TABLES: Final = {"raw": "icmp", "raw6": "icmp6"}
_NOT_HERE: Final = frozenset((errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT))


class Sockets:
    """Reads sockets. For one thread at a time, in the network namespace of the thread that uses it first."""

    def __init__(self, open_socket: Callable[[], socket.socket] = open_sock_diag, net: Path = NET) -> None:
        self._net = net
        self._netlink = NetlinkSocket(open_socket)
        self._questioner = Questioner(open_socket)
        self._missing: set[tuple[int, int]] = set()

    def close(self) -> None:
        """Close the sockets; the next question opens others."""
        self._netlink.close()
        self._questioner.close()

    def exact(self, questions: Iterable[Question]) -> Columns:
        """Ask for these connections; return the connected sockets that the kernel names. Check their tuples."""
        by_protocol: dict[int, list[Question]] = {}
        for question in questions:
            by_protocol.setdefault(question.protocol, []).append(question)
        sockets = joined(part for protocol, asked in by_protocol.items() for part in self._ask(protocol, asked))
        connected = has_peer(sockets)
        return {name: column[connected] for name, column in sockets.items()}

    def _ask(self, protocol: int, questions: list[Question]) -> Iterator[Columns]:
        for first in range(0, len(questions), QUESTIONS):
            requests = [partial(exact_request, question) for question in questions[first : first + QUESTIONS]]
            view, found = self._questioner.ask(requests, uapi.SOCK_DIAG_BY_FAMILY)
            yield decode(view, found, protocol)

    def table(self, wanted: Iterable[tuple[int, int]]) -> Columns:
        """Return the sockets that may have flows of these families and protocols."""
        tables = {
            (family, protocol)
            for flow_family, protocol in wanted
            for family in ((uapi.AF_INET6,) if flow_family == uapi.AF_INET6 else (uapi.AF_INET, uapi.AF_INET6))
        }
        parts = [self._dump(family, protocol, LIVE) for family, protocol in tables if protocol in WITH_SOCKETS]
        # the names are also those of their formats
        texts = {
            name: self._text(name) for protocol, name in _PING_TABLES.items() if any(protocol == p for _, p in tables)
        }
        return joined([*parts, nettables.parse(texts)])

    def raw(self) -> Columns:
        """Return the raw sockets. Their protocol is printed in the place of a local port."""
        raw = joined(nettables.parse({like: self._text(name)}) for name, like in _RAW_TABLES.items())
        raw["protocol"] = raw["local_port"].astype(np.uint8)
        raw["local_port"] = np.zeros_like(raw["local_port"])
        return raw

    def listening(self) -> dict[int, frozenset[Port]]:
        """Return by protocol the ports on which somebody waits for others to begin.

        UDP does not tell who waits from who has sent something and waits for the answer; the ports that the kernel
        gives to the latter do.
        """
        tcp = self._dump_both(TCP, 1 << uapi.TCP_LISTEN)["local_port"]
        udp = self._dump_both(UDP, 1 << uapi.TCP_CLOSE)["local_port"]
        return {TCP: frozenset(tcp.tolist()), UDP: frozenset(udp[~self.is_ephemeral(udp)].tolist())}

    def is_ephemeral(self, ports: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Tell which ports the kernel gives to whoever does not ask for one."""
        first, last = self._ephemeral()
        ephemeral: NDArray[np.bool_] = (ports >= first) & (ports <= last)
        return ephemeral

    def _dump_both(self, protocol: int, states: int) -> Columns:
        return joined(self._dump(family, protocol, states) for family in (uapi.AF_INET, uapi.AF_INET6))

    def _dump(self, family: int, protocol: int, states: int) -> Columns:
        if (family, protocol) in self._missing:
            return empty()
        try:
            blocks = self._netlink.dump(partial(dump_request, family, protocol, states))
            return joined(decode_dump(block.data, block.seq, protocol) for block in blocks)
        except NetlinkError as error:
            if error.errno not in _NOT_HERE:
                raise
            self._missing.add((family, protocol))
            return empty()

    def _text(self, name: str) -> bytes:
        with contextlib.suppress(OSError):
            return (self._net / name).read_bytes()
        return b""

    def _ephemeral(self) -> tuple[Port, Port]:
        with contextlib.suppress(OSError, ValueError):
            first, last = map(int, _PORT_RANGE.read_text(encoding="ascii").split())
            return first, last
        return 32768, 60999
