"""Where DHCP servers keep their leases, and all leases that stand now.

    dnsmasq     /var/lib/misc, /var/lib/dnsmasq; OpenWrt: /tmp/dhcp.leases
    ISC dhcpd   /var/lib/dhcp/dhcpd.leases; elsewhere /var/lib/dhcpd/dhcpd.leases
    Kea         /var/lib/kea/kea-leases[46].csv; what its cleaner has put aside is in .2, what it works on in .1
    networkd    /var/lib/systemd/network/dhcp-server-lease/INTERFACE

Of two entries for an address the later one of a server counts, ended or not; of two servers (one was there before) the
one whose lease lasts longer.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtopd.enrich.lan.leases import dhcpd, dnsmasq, kea, networkd
from flowtopd.enrich.lan.leases.lease import Address, Lease
from flowtopd.enrich.lan.watched import Watched

Leases = tuple[Lease, ...]
"""In the order of the file."""

_MOST_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class Server:
    """One server's format and files, the older before the newer; or a `folder`, all files of which are its."""

    read: Callable[[str], Iterator[Lease]]
    paths: tuple[Path, ...] = ()
    folder: Path | None = None


def _server(read: Callable[[str], Iterator[Lease]], *paths: str) -> Server:
    return Server(read, tuple(map(Path, paths)))


SERVERS: Final = (
    _server(dnsmasq.read, "/var/lib/misc/dnsmasq.leases"),
    _server(dnsmasq.read, "/var/lib/dnsmasq/dnsmasq.leases"),
    _server(dnsmasq.read, "/tmp/dhcp.leases"),  # noqa: S108  OpenWrt's place; see `watched`, rule 3
    _server(dhcpd.read, "/var/lib/dhcp/dhcpd.leases"),
    _server(dhcpd.read, "/var/lib/dhcpd/dhcpd.leases"),
    *(
        _server(kea.read, *(f"/var/lib/kea/kea-leases{family}.csv{suffix}" for suffix in (".2", ".1", "")))
        for family in (4, 6)
    ),
    Server(networkd.read, folder=Path("/var/lib/systemd/network/dhcp-server-lease")),
)


class LeaseFiles:
    """Reads what has changed. For one thread at a time."""

    def __init__(self, servers: Sequence[Server] = SERVERS) -> None:
        self._servers = servers
        self._files: dict[Path, Watched[Leases]] = {}

    def standing(self, now_s: float) -> dict[Address, Lease]:
        """The leases that have not expired, by address."""
        files: dict[Path, Watched[Leases]] = {}
        standing: dict[Address, Lease] = {}
        for server in self._servers:
            latest: dict[Address, Lease] = {}
            for path in _files(server):
                files[path] = self._files.get(path) or Watched(path, _parser(server))
                latest.update((lease.address, lease) for lease in files[path].read())
            for address, lease in latest.items():
                other = standing.get(address)
                if lease.expires_s > now_s and (other is None or lease.expires_s > other.expires_s):
                    standing[address] = lease
        self._files = files
        return standing


def _parser(server: Server) -> Callable[[str], Leases]:
    return lambda text: tuple(server.read(text))


def _files(server: Server) -> Iterator[Path]:
    yield from server.paths
    if server.folder is not None:
        with contextlib.suppress(OSError):  # not there, or not ours to list
            yield from sorted(itertools.islice(server.folder.glob("[!.]*"), _MOST_FILES))
