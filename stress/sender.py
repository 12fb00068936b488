"""New flows at a known rate: UDP packets, each to another address and port, in few system calls.

    python -m stress.sender RATE SECONDS [PORT]

Runs inside a namespace in which `road` was called. One sendmmsg(2) sends up to BURST packets out of an array that
numpy has filled: 20 000 flows a second take 10 % of a core, most of it the kernel's work, so that the load measured is
that of the daemon. It prints a JSON line when it begins, and one at the end: `sent`, `failed`, `seconds`.

Packets go to a tun device that nobody has opened, behind the hooks of conntrack; nobody answers.
"""

import ctypes
import errno
import json
import socket
import sys
import time
from typing import Any, Final

import numpy as np

from testbed.netns import Namespace

BURST: Final = 256
_STEP_S: Final = 0.01
_SOURCE: Final = "198.51.100.1"
_NETWORK: Final = "198.18.0.0/15"
"""RFC 2544: for benchmarks of network devices."""
_FIRST: Final = int.from_bytes(socket.inet_aton("198.18.0.0"))
_ADDRESSES: Final = 1 << 17
_SOCKADDR: Final = np.dtype([("family", "=u2"), ("port", ">u2"), ("address", ">u4"), ("zero", "V8")])  # linux/in.h


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))  # type: ignore[mutable-override]


class _Msghdr(ctypes.Structure):
    _fields_ = (  # type: ignore[mutable-override]
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_int),
        ("vectors", ctypes.POINTER(_Iovec)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_uint),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("sent", ctypes.c_uint))  # type: ignore[mutable-override]


_sendmmsg: Final = ctypes.CDLL(None, use_errno=True).sendmmsg


def road(namespace: Namespace, timeout_s: int) -> None:
    """Make a way on which packets are lost, and have the kernel forget a flow `timeout_s` after its last packet."""
    for command in (
        "tuntap add lost mode tun",
        f"address add {_SOURCE}/32 dev lost",
        "link set lost up",
        f"route add {_NETWORK} dev lost src {_SOURCE}",
    ):
        namespace.run(["ip", *command.split()])
    forget_after(namespace, timeout_s)


def forget_after(namespace: Namespace, timeout_s: int) -> None:
    """Have the kernel forget flows that begin from now on so long after their last packet."""
    namespace.sysctl("net.netfilter.nf_conntrack_udp_timeout", timeout_s)


class Burst:
    """An array of messages, one byte each, and the places that they go to."""

    def __init__(self) -> None:
        self._places: Any = np.zeros(BURST, _SOCKADDR)
        self._places["family"] = socket.AF_INET
        self._payload = ctypes.create_string_buffer(b"x", 1)
        self._vector = _Iovec(ctypes.addressof(self._payload), 1)
        self._messages = (_Mmsghdr * BURST)()
        for index in range(BURST):
            header = self._messages[index].header
            header.name = self._places.ctypes.data + index * _SOCKADDR.itemsize
            header.name_length = _SOCKADDR.itemsize
            header.vectors = ctypes.pointer(self._vector)
            header.vector_count = 1

    def send(self, sock: socket.socket, first: int, count: int) -> int:
        """Send to the places with these numbers; return how many went. No two numbers are the same flow."""
        numbers = np.arange(first, first + count)
        self._places["address"][:count] = _FIRST + numbers % _ADDRESSES
        self._places["port"][:count] = 1024 + numbers // _ADDRESSES % 60_000
        sent: int = _sendmmsg(sock.fileno(), self._messages, count, 0)
        if sent < 0 and (number := ctypes.get_errno()) not in {errno.ENOBUFS, errno.EPERM, errno.EAGAIN}:
            raise OSError(number, "sendmmsg")
        return max(0, sent)


def run(rate: float, seconds: float, port: int) -> dict[str, float]:
    """Send at this rate. EPERM is a full table: the packet is dropped, and counted."""
    burst, sent, failed, tried = Burst(), 0, 0, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((_SOURCE, port))
        print(json.dumps({"rate": rate}), flush=True)
        began = time.monotonic()
        while tried < round(rate * seconds):
            due = min(round(rate * seconds), int((time.monotonic() - began) * rate)) - tried
            while due > 0:
                count = min(due, BURST)
                went = burst.send(sock, tried, count)
                sent += went
                failed += 0 if went else 1
                tried += went or 1
                due -= went or 1
            time.sleep(_STEP_S)
        return {"sent": sent, "failed": failed, "seconds": time.monotonic() - began}


def main() -> None:
    """Send, and say what was sent."""
    rate, seconds, *port = map(float, sys.argv[1:])
    print(json.dumps(run(rate, seconds, int(port[0]) if port else 40_000)), flush=True)


if __name__ == "__main__":
    main()
