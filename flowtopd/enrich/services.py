"""Services: what ports are called, and which side of a flow is the service.

    /etc/flowtop/tcp.conf, else the packaged one ─▶ tcp
    /etc/flowtop/udp.conf, else the packaged one ─▶ udp, udplite
    /etc/services                                ─▶ behind these; sctp and dccp, and behind them the names of tcp

    # a comment                        443, https          the port, a comma, the name
    51820,wireguard  # another         8080 , my  proxy    blanks are free: this one is named my-proxy

Rules
1. The first line of a port counts. In a conf file another one is a mistake; in /etc/services it is usual.
2. A name has no blanks and nothing that does not print, and at most 30 characters: more is cut off.
3. A line that is none of these is named with file and line number, the first ten of a file; the rest is used.
4. A conf file that is there but cannot be read is named, and the packaged one is used.

Which side is the service is a guess, and says how it was made. The first of these that is so:

    the answers come from a port of this host that is listened on      dst's side is it        LISTENING
    the flow comes from a port of this host that is listened on        src's side              LISTENING
    only one of the two ports has a name                               that one's side         KNOWN
    both have one, or neither                                          the lower port's side   LOWER

Whoever opens a flow is its src, and the service its dst. But where tracking begins in the middle of a flow, or UDP was
silent for longer than its entry lives, the service seems to open it. The port is the one that the client used; behind
`dnat` the answers come from another one, and that is the one that must be listened on. Port 0 is nobody's. A protocol
without ports has no services: what GRE has in their place are keys.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.dimensions import ServiceBy
from flowtopd.flows.names import DCCP, SCTP, TCP, UDP
from flowtopd.netlink.ctrecord import Has, carries

DIRECTORY: Final = Path("/etc/flowtop")
PACKAGED: Final = Path(__file__).parents[1] / "etc"
SERVICES: Final = Path("/etc/services")

LONGEST_NAME: Final = 30
UDPLITE: Final = 136

_PORTS: Final = 1 << 16
_MOST_BYTES: Final = 1 << 22
"""Of a file. A line for every port, with a comment, fits in."""
_MOST_MISTAKES: Final = 10

_PORT: Final = re.compile("[0-9]{1,5}")
_UNDECODABLE: Final = re.compile("[\udc80-\udcff]")
"""What surrogateescape makes of bytes that are not UTF-8."""
_BY_NAME: Final = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "dccp": DCCP}

_TABLES: Final = np.zeros(256, np.int32)
"""Where the ports of a protocol begin in a table of all ports; at 0, with slots that stay empty, where it has none."""
_TABLES[[TCP, UDP, UDPLITE, SCTP, DCCP]] = np.arange(1, 6) * _PORTS
_SLOTS: Final = 6 * _PORTS

Port = int
PortNames = dict[Port, str]
Mask = NDArray[np.bool_]
Protocols = NDArray[np.uint8]
Ports = NDArray[np.uint16]

log = logging.getLogger(__name__)


# what ports are called


class Names:
    """The names of ports by protocol. Never changes."""

    def __init__(self, by_protocol: Mapping[int, Mapping[Port, str]]) -> None:
        different = dict.fromkeys(chain.from_iterable(names.values() for names in by_protocol.values()))
        self._texts = (None, *different)
        ids = {text: number for number, text in enumerate(self._texts)}
        self._table = np.zeros(_SLOTS, np.min_scalar_type(len(self._texts)))  # two bytes hold the ids of most hosts
        for protocol, names in by_protocol.items():
            _put(self._table, protocol, names, [ids[name] for name in names.values()])

    @property
    def texts(self) -> Sequence[str | None]:
        """The names by id; id 0 is no name."""
        return self._texts

    def ids(self, proto: Protocols, port: Ports) -> NDArray[np.int32]:
        """Return the id of the name of every port; 0 where it has none, or its protocol has no ports."""
        return self._table[_slots(proto, port)].astype(np.int32)


def _slots(proto: Protocols, port: Ports) -> NDArray[np.int32]:
    return _TABLES[proto] + port


def _put(table: NDArray[Any], protocol: int, ports: Iterable[Port], values: Any) -> None:
    if first := _TABLES[protocol]:
        table[first + np.fromiter(ports, np.int32)] = values


def load(directories: Sequence[Path] = (DIRECTORY, PACKAGED), services: Path = SERVICES) -> Names:
    """Read the names of this host. A conf file is taken from the first directory that has it."""
    system = _read_services(services)
    tcp = system[TCP] | _read_conf(directories, "tcp.conf")
    udp = system[UDP] | _read_conf(directories, "udp.conf")
    return Names({TCP: tcp, UDP: udp, UDPLITE: udp, SCTP: tcp | system[SCTP], DCCP: tcp | system[DCCP]})


def _read_conf(directories: Sequence[Path], name: str) -> PortNames:
    for directory in directories:
        path = directory / name
        if (text := _read(path)) is not None:
            names, mistakes = parse_conf(text, path)
            _complain(mistakes)
            return names
    return {}


def _read_services(path: Path) -> dict[int, PortNames]:
    names, mistakes = parse_services(_read(path) or "", path)
    _complain(mistakes)
    return names


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: %s; it is not used", path, error.strerror)
        return None
    if len(data) > _MOST_BYTES:
        log.warning("%s: longer than %d bytes; the rest is not used", path, _MOST_BYTES)
        data = data[: data.rfind(b"\n", 0, _MOST_BYTES) + 1]
    return data.decode("utf-8-sig", errors="surrogateescape")


def _complain(mistakes: Iterable[str]) -> None:
    for mistake in mistakes:
        log.warning("%s", mistake)


def parse_conf(text: str, path: Path) -> tuple[PortNames, list[str]]:
    """Return the names in a conf file, and its mistakes; `path` is only for these."""
    names: PortNames = {}

    def take(entry: str) -> None:
        number, comma, name = entry.partition(",")
        if not comma or "," in name:
            raise ValueError("wants a port, a comma and a name")
        port = _port(number.rstrip())
        if port in names:
            raise ValueError("wants each port once")
        names[port] = _name(name)

    return names, _parse(text, path, take)


def parse_services(text: str, path: Path) -> tuple[dict[int, PortNames], list[str]]:
    """Return the names in a file like /etc/services by protocol, and its mistakes; `path` is only for these."""
    names: dict[int, PortNames] = {protocol: {} for protocol in _BY_NAME.values()}

    def take(entry: str) -> None:
        name, port, *_aliases = (*entry.split(maxsplit=2), "")
        number, slash, protocol = port.partition("/")
        if not slash:
            raise ValueError("wants a name and PORT/PROTOCOL")
        if protocol in _BY_NAME:  # there are others, of long ago
            names[_BY_NAME[protocol]].setdefault(_port(number), _name(name))

    return names, _parse(text, path, take)


def _parse(text: str, path: Path, take: Callable[[str], None]) -> list[str]:
    """Hand every line that says something to `take`; return what that raised, with file and line."""
    mistakes = []
    wrong = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if entry := line.partition("#")[0].strip():
            try:
                take(entry)
            except ValueError as error:
                wrong += 1
                if wrong <= _MOST_MISTAKES:
                    mistakes.append(f"{path}:{number}: {error}, got {entry[:60]!a}")
    if wrong > _MOST_MISTAKES:
        mistakes.append(f"{path}: {wrong - _MOST_MISTAKES} more lines are not used")
    return mistakes


def _port(text: str) -> Port:
    port = int(text) if _PORT.fullmatch(text) else 0
    if not 0 < port < _PORTS:
        raise ValueError(f"wants a port from 1 to {_PORTS - 1}")
    return port


def _name(text: str) -> str:
    name = "-".join(text.split())
    if not name.isprintable():
        if _UNDECODABLE.search(name):
            raise ValueError("wants a name in UTF-8")
        name = "".join(filter(str.isprintable, name))
    if not name:
        raise ValueError("wants a name")
    return name[:LONGEST_NAME]


# which side is the service


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The service of every flow: the id of its name, its port, and how it was told (`ServiceBy`). All 0 where none."""

    service: NDArray[np.int32]
    port: Ports
    by: NDArray[np.uint8]


def sides(
    flows: Mapping[str, NDArray[Any]],
    src_here: Mask,
    dst_here: Mask,
    listening: Mapping[int, frozenset[Port]],
    names: Names,
) -> Sides:
    """Tell the service of every flow.

    `flows` has `proto`, `sport`, `dport`, `reply_sport` and `has`. `src_here`, `dst_here`: whether the source, and the
    source of the answers, is an address of this host. `listening`: ports by protocol.
    """
    sport, dport = flows["sport"], flows["dport"]
    # without ports it is like a protocol that has none: nothing is listened on, nothing has a name
    proto = np.where(carries(flows["has"], Has.PORTS), flows["proto"], np.uint8(0))
    heard = _heard(listening)
    dst_listens = dst_here & heard[_slots(proto, flows["reply_sport"])]
    src_listens = src_here & heard[_slots(proto, sport)]
    src_name, dst_name = names.ids(proto, sport), names.ids(proto, dport)
    known = (src_name == 0) != (dst_name == 0)
    lower = sport - np.uint16(1) < dport - np.uint16(1)  # port 0 becomes the highest

    is_src = ~dst_listens & (src_listens | np.where(known, src_name != 0, lower))
    by = np.where(known, np.uint8(ServiceBy.KNOWN), np.uint8(ServiceBy.LOWER))
    by[dst_listens | src_listens] = ServiceBy.LISTENING
    port = np.where(is_src, sport, dport)
    none = (port == 0) | (_TABLES[proto] == 0)
    port[none] = 0
    by[none] = ServiceBy.NONE
    return Sides(np.where(is_src, src_name, dst_name), port, by)


def _heard(listening: Mapping[int, frozenset[Port]]) -> Mask:
    """A table of all ports: which are listened on."""
    table = np.zeros(_SLOTS, np.bool_)
    for protocol, ports in listening.items():
        _put(table, protocol, ports, values=True)
    return table
