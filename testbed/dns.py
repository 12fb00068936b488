"""DNS servers inside a namespace, and programs there that ask them.

    with Dnsmasq(host, directory, {"192.0.2.1": "web.example"}): ...    # real; what it does not know is NXDOMAIN
    with ScriptedServer(host, answer) as server: ...                    # hangs, lies, or answers when told
    host.popen(resolving(directory, argv))                              # a program whose resolver asks 127.0.0.1

`answer` is called with every Query and may reply at once, later from any thread, many times, or never:

    def answer(query: Query) -> None:
        query.reply(query.names([b"web", b"example"]))

Rules: only addresses of the namespace are listened on and asked; nothing of the machine's own configuration is changed,
since a program gets its /etc/resolv.conf, hosts and nsswitch.conf in a mount namespace of its own.
"""

import functools
import ipaddress
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, stop_process, wait_until

SERVER: Final = "127.0.0.1"
PORT: Final = 53

# RFC 1035, 4.1.1 and 3.2.2
_RESPONSE: Final = 0x8180
NO_ERROR: Final = 0
SERVER_FAILURE: Final = 2
NO_SUCH_NAME: Final = 3
REFUSED: Final = 5
TRUNCATED: Final = 0x200
"""Of the same 16 bits: what is missing is to be had by TCP."""
_PTR_IN: Final = struct.pack(">HH", 12, 1)

_HEADER: Final = struct.Struct(">HHHHHH")
_QUESTION_AT: Final = b"\xc0\x0c"
"""A pointer to the name in the question, which follows the header."""

_CONFIGURE: Final = """
for file in hosts nsswitch.conf resolv.conf; do
    mount --bind "$0/$file" "/etc/$file" || exit
done
exec "$@"
"""


def resolving(
    directory: Path, argv: Sequence[str], *, server: str = SERVER, options: str = "", hosts: bytes = b""
) -> list[str]:
    """The command line that runs `argv` with a resolver of its own: first `hosts`, then the DNS server.

    `directory` keeps its configuration. The program keeps the pid that was started.
    """
    (directory / "resolv.conf").write_text(f"nameserver {server}\noptions {options}\n", encoding="ascii")
    (directory / "hosts").write_bytes(hosts)
    (directory / "nsswitch.conf").write_text("hosts: files dns\n", encoding="ascii")
    return ["unshare", "--mount", "sh", "-c", _CONFIGURE, str(directory), *argv]


class Dnsmasq:
    """A server that knows `names`, by address, and nothing else. It listens on one address of its namespace."""

    def __init__(
        self, namespace: Namespace, directory: Path, names: Mapping[str, str], *, address: str = SERVER
    ) -> None:
        self._namespace = namespace
        self._log = directory / "dnsmasq.log"
        self._argv = [
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"),
            *("--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={address}", f"--port={PORT}"),
            *("--log-queries", f"--log-facility={self._log}", "--address=/#/"),
            *(f"--host-record={name},{address}" for address, name in names.items()),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log.unlink(missing_ok=True)
        self._process = self._namespace.popen(self._argv)
        try:
            wait_until(self._started)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _started(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"dnsmasq ended with {self._process.returncode}")
        return "started, version" in self._lines()

    def _lines(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def asked(self, address: str) -> int:
        """How often the name of an address was asked for."""
        return self._lines().count(f"query[PTR] {ipaddress.ip_address(address).reverse_pointer} ")

    def stop(self) -> None:
        """End it, and wait for its end."""
        if self._process is not None:
            stop_process(self._process)


def wire_name(labels: Sequence[bytes]) -> bytes:
    """A name as it is sent."""
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


@dataclass(frozen=True, slots=True)
class Query:
    """One question, and the way to answer it. The methods but `reply` make messages."""

    message: bytes
    address: str
    """The address whose name is asked for."""
    reply: Callable[[bytes], None] = field(repr=False)

    @property
    def number(self) -> int:
        """By which the answer is known."""
        return _HEADER.unpack_from(self.message)[0]  # type: ignore[no-any-return]

    def names(self, *names: Sequence[bytes]) -> bytes:
        """An answer with these names, each in labels."""
        return self.records(*map(wire_name, names))

    def records(self, *names: bytes, number: int | None = None) -> bytes:
        """An answer with these names, as they are sent: right or wrong."""
        records = [_QUESTION_AT + _PTR_IN + struct.pack(">IH", 60, len(name)) + name for name in names]
        return self._head(NO_ERROR, len(records), number) + b"".join(records)

    def nothing(self, code: int = NO_SUCH_NAME) -> bytes:
        """An answer without a name, by its response code."""
        return self._head(code, 0, None)

    def _head(self, code: int, records: int, number: int | None) -> bytes:
        number = self.number if number is None else number
        return _HEADER.pack(number, _RESPONSE | code, 1, records, 0, 0) + self.message[_HEADER.size :]


class ScriptedServer:
    """A server in a thread of this process, with its socket inside the namespace."""

    def __init__(self, namespace: Namespace, answer: Callable[[Query], None]) -> None:
        self._socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, name="scripted-dns", daemon=True)
        self.asked: list[str] = []
        """The addresses that were asked for, in order, as often as they were."""

    def __enter__(self) -> Self:
        try:
            self._socket.bind((SERVER, PORT))
        except BaseException:
            self._socket.close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._socket:
            self._socket.sendto(b"", (SERVER, PORT))  # wakes the thread, and is no question
            self._thread.join()

    def _serve(self) -> None:
        while True:
            message, client = self._socket.recvfrom(512)
            if not message:
                return
            address = _address_asked(message)
            self.asked.append(address)
            self._answer(Query(message, address, functools.partial(self._reply, client)))

    def _reply(self, client: tuple[str, int], message: bytes) -> None:
        self._socket.sendto(message, client)


def _address_asked(message: bytes) -> str:
    """The address whose reverse name is in the question."""
    labels, at = [], _HEADER.size
    while size := message[at]:
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    *parts, zone, _arpa = labels
    if zone == "in-addr":
        return ".".join(reversed(parts))
    return str(ipaddress.IPv6Address(int("".join(reversed(parts)), 16)))
