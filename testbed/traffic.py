"""Real traffic between namespaces: TCP and UDP at a known rate.

    with Flow(client, server, "10.0.0.1", 5001, rate=500_000, seconds=10) as flow:
        flow.sport, flow.pid               # of the sender
        sent = flow.wait()                 # Sent(packets, bytes, seconds), as conntrack counts them

A flow is two small processes (`python -m testbed.traffic`), a sink and a paced source, so that it has an
owner as in life. A rate is in bytes a second with IP and transport headers, which is what conntrack
counts. Everything is bounded: a source stops after its `seconds`, a sink after a minute more.
"""

import argparse
import contextlib
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from testbed.netns import Namespace, stop_process

ROOT: Final = Path(__file__).parent.parent
_STEP_S: Final = 0.02
"""A source sends this often; a burst of it is far below a tick."""
_LINGER_S: Final = 60.0
_UDP_BYTES: Final = 1_000
_TCP_HEADER: Final = 32  # with the timestamp option, which Linux always uses
_UDP_HEADER: Final = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """What a source has sent, headers included. TCP: data segments only, as handed to the kernel."""

    packets: int
    bytes: int
    seconds: float


class Flow:
    """One connection from `client` to `address`:`port` in `server`, sending `rate` bytes a second for `seconds`.

    `udp` picks UDP. `echo` makes the sink send everything back. Both ends are stopped on exit.
    """

    def __init__(
        self,
        client: Namespace,
        server: Namespace,
        address: str,
        port: int,
        *,
        rate: float = 100_000,
        seconds: float = 60,
        udp: bool = False,
        echo: bool = False,
    ) -> None:
        self._client = client
        self._server = server
        self._endpoint = [address, str(port)]
        self._sink_options = ["--udp"] * udp + ["--echo"] * echo + ["--seconds", str(seconds + _LINGER_S)]
        self._source_options = ["--udp"] * udp + ["--rate", str(rate), "--seconds", str(seconds)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.sport = 0

    def __enter__(self) -> Self:
        try:
            self._start(self._server, ["sink", *self._endpoint, *self._sink_options])
            self.sport = self._start(self._client, ["source", *self._endpoint, *self._source_options])["sport"]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, namespace: Namespace, argv: list[str]) -> dict[str, Any]:
        """Start one end and return its first line, which it prints when it is ready."""
        process = namespace.popen([sys.executable, "-m", "testbed.traffic", *argv], stdout=subprocess.PIPE, cwd=ROOT)
        self._processes.append(process)
        return _line(process)

    @property
    def pid(self) -> int:
        """Process id of the source."""
        return self._processes[1].pid

    @property
    def server_pid(self) -> int:
        """Process id of the sink."""
        return self._processes[0].pid

    def wait(self) -> Sent:
        """Wait until the source has sent all it should."""
        return Sent(**_line(self._processes[1]))

    def stop(self) -> None:
        """End both processes: the source first, so that TCP closes as in life."""
        for process in reversed(self._processes):
            stop_process(process)
        self._processes.clear()


def _line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait(5)}")
    decoded: dict[str, Any] = json.loads(line)
    return decoded


# What runs inside the processes


def _paced(rate: float, seconds: float, packet_bytes: int) -> Iterator[int]:
    """How many packets are due, whenever some are. What a late wake-up missed comes with the next."""
    start = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - start) < seconds:
        due = int((passed + _STEP_S) * rate / packet_bytes) - sent
        if due > 0:
            sent += due
            yield due
        time.sleep(max(0.0, start + sent * packet_bytes / rate - time.monotonic(), _STEP_S / 4))


def _source(address: str, port: int, *, udp: bool, rate: float, seconds: float) -> Sent:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    overhead = (40 if family == socket.AF_INET6 else 20) + (_UDP_HEADER if udp else _TCP_HEADER)
    packet_bytes = _UDP_BYTES if udp else max(overhead + 1, min(16_000, int(rate * _STEP_S)))
    payload = bytes(packet_bytes - overhead)
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds + _LINGER_S)
        sock.connect((address, port))
        if not udp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(json.dumps({"sport": sock.getsockname()[1]}), flush=True)
        start = time.monotonic()
        packets = 0
        for due in _paced(rate, seconds, packet_bytes):
            for _ in range(due):
                _send(sock, payload)
            packets += due
        return Sent(packets, packets * packet_bytes, time.monotonic() - start)


def _send(sock: socket.socket, payload: bytes) -> None:
    sock.sendall(payload)
    while select.select([sock], [], [], 0)[0]:  # what an echoing sink has sent back
        if not sock.recv(65_536):
            raise ConnectionResetError("the sink has gone")


def _sink(address: str, port: int, *, udp: bool, echo: bool, seconds: float) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    deadline = time.monotonic() + seconds
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.settimeout(seconds)
        if not udp:
            sock.listen()
        print(json.dumps({"port": port}), flush=True)
        peer = sock if udp else sock.accept()[0]
        with peer, contextlib.suppress(ConnectionResetError):  # by a source that was stopped before it read everything
            peer.settimeout(seconds)
            while time.monotonic() < deadline:
                data, sender = peer.recvfrom(65_536)
                if not data:
                    return
                if echo and udp:
                    peer.sendto(data, sender)
                elif echo:
                    peer.sendall(data)


def main() -> None:
    """Be one end of a Flow."""
    parser = argparse.ArgumentParser(prog="testbed.traffic")
    parser.add_argument("end", choices=("source", "sink"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--rate", type=float, default=100_000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.end == "sink":
        _sink(options.address, options.port, udp=options.udp, echo=options.echo, seconds=options.seconds)
        return
    sent = _source(options.address, options.port, udp=options.udp, rate=options.rate, seconds=options.seconds)
    print(json.dumps(asdict(sent)), flush=True)


if __name__ == "__main__":
    main()
