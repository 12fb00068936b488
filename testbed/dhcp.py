"""A real DHCP server, dnsmasq, on a link of a namespace, and a client in four packets.

    with Dnsmasq(router.router, "lan0", "192.168.1.100,192.168.1.199", directory) as server:
        address = lease(router.lan[0], "eth0", "laptop")      # 192.168.1.1xx, and a line in server.leases

The client is this process, on a socket inside the namespace. It asks again every 50 ms, so that nobody has to know
when the server is ready. It does not configure the address that it got.
"""

import random
import socket
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, stop_process

_DISCOVER, _OFFER, _REQUEST, _ACK, _RELEASE = 1, 2, 3, 5, 7  # RFC 2132 9.6
_ANSWERS: Final = {_DISCOVER: _OFFER, _REQUEST: _ACK}
_MAGIC: Final = bytes((99, 130, 83, 99))
_BROADCAST_FLAG: Final = 0x8000
_HEADER: Final = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s")  # RFC 2131 2
_MESSAGE_TYPE, _REQUESTED, _SERVER, _HOST_NAME = 53, 50, 54, 12


class Dnsmasq:
    """The server: gives out `addresses` (first,last) on `device`, for two minutes, and keeps its leases in a file."""

    def __init__(self, namespace: Namespace, device: str, addresses: str, directory: Path) -> None:
        self._namespace = namespace
        self._options = [f"--interface={device}", f"--dhcp-range={addresses},2m"]
        self.leases = directory / "dnsmasq.leases"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--no-ping"]
        argv += ["--bind-interfaces", "--dhcp-authoritative", "--pid-file=", "--log-facility=/dev/null"]
        self._process = self._namespace.popen([*argv, *self._options, f"--dhcp-leasefile={self.leases}"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            stop_process(self._process)


def lease(namespace: Namespace, device: str, name: str, timeout: float = 10.0) -> str:
    """Get an address for `device`, under a host name; return it."""
    with _client(namespace, device) as sock:
        mac = _mac(namespace, device)
        offered, server = _exchange(sock, mac, _DISCOVER, {_HOST_NAME: name.encode()}, timeout)
        wish = {_REQUESTED: offered, _SERVER: server, _HOST_NAME: name.encode()}
        granted, _server = _exchange(sock, mac, _REQUEST, wish, timeout)
        return socket.inet_ntoa(granted)


def release(namespace: Namespace, device: str, address: str, server: str) -> None:
    """Give an address back. Nobody answers."""
    with _client(namespace, device) as sock:
        packet = _packet(_mac(namespace, device), 0, _RELEASE, {_SERVER: socket.inet_aton(server)}, address)
        sock.sendto(packet, (server, 67))


def _client(namespace: Namespace, device: str) -> socket.socket:
    sock = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.bind(("", 68))
        sock.settimeout(0.05)
    except BaseException:
        sock.close()
        raise
    return sock


def _mac(namespace: Namespace, device: str) -> bytes:
    text = namespace.run(["cat", f"/sys/class/net/{device}/address"])
    return bytes.fromhex(text.strip().replace(":", ""))


def _packet(mac: bytes, xid: int, kind: int, options: dict[int, bytes], address: str = "0.0.0.0") -> bytes:  # noqa: S104
    nobody = bytes(4)
    addresses = (socket.inet_aton(address), nobody, nobody, nobody)
    head = _HEADER.pack(1, 1, 6, 0, xid, 0, _BROADCAST_FLAG, *addresses, mac, b"", b"")
    body = b"".join(
        bytes((code, len(value))) + value for code, value in {_MESSAGE_TYPE: bytes((kind,)), **options}.items()
    )
    return head + _MAGIC + body + b"\xff"


def _exchange(
    sock: socket.socket, mac: bytes, kind: int, options: dict[int, bytes], timeout: float
) -> tuple[bytes, bytes]:
    """Ask until the answer to this kind comes; return the address in it, and the server's."""
    xid = random.getrandbits(32)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        sock.sendto(_packet(mac, xid, kind, options), ("255.255.255.255", 67))
        try:
            answer = sock.recv(2048)
        except TimeoutError:
            continue
        if len(answer) < _HEADER.size + len(_MAGIC) or _HEADER.unpack_from(answer)[4] != xid:
            continue
        found = _options(answer[_HEADER.size + len(_MAGIC) :])
        if found.get(_MESSAGE_TYPE) == bytes((_ANSWERS[kind],)):
            return _HEADER.unpack_from(answer)[8], found[_SERVER]
    raise TimeoutError(f"no DHCP answer to message {kind} after {timeout} s")


def _options(data: bytes) -> dict[int, bytes]:
    options, at = {}, 0
    while at + 1 < len(data) and data[at] != 0xFF:
        if data[at] == 0:  # padding
            at += 1
            continue
        length = data[at + 1]
        options[data[at]] = data[at + 2 : at + 2 + length]
        at += 2 + length
    return options
