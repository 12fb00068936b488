"""The local network at one look, and the same object again while nothing has changed.

    kernel ─ links, addresses, routes ─▶ Networks ─┐
           ─ neighbours ─────────────────────────┐ ├─▶ Neighbourhood
    DHCP leases, /etc/ethers, vendors ───────────┴─┘

A look costs four small dumps and a few stat calls: 0.5 ms on an end host. What fails is named once, and what was known
before stands until it works again.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flowtopd.enrich.lan import ethers, vendors
from flowtopd.enrich.lan.devices import Names, devices
from flowtopd.enrich.lan.kernel import Kernel, Wiring
from flowtopd.enrich.lan.leases.files import SERVERS, LeaseFiles, Server
from flowtopd.enrich.lan.networks import Networks
from flowtopd.enrich.lan.vendors import Vendors
from flowtopd.enrich.lan.watched import Watched
from flowtopd.flows.dimensions import Device
from flowtopd.netlink.nlmsg import MalformedMessage
from flowtopd.netlink.nlsocket import open_route
from flowtopd.netlink.rtnetlink import Address, Neighbour

ETHERS: Final = Path("/etc/ethers")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """What one look found. `devices`: by the halves of an address, IPv4 mapped."""

    networks: Networks = field(default_factory=lambda: Networks.of((), (), ()))
    devices: Mapping[Address, Device] = field(default_factory=dict)


class Lan:
    """Looks around. For one thread at a time, in whose network namespace it looks."""

    def __init__(
        self,
        open_socket: Callable[[], socket.socket] = open_route,
        *,
        servers: Sequence[Server] = SERVERS,
        ethers_file: Path = ETHERS,
        vendor_directories: Sequence[Path] = vendors.DIRECTORIES,
        host_name: Callable[[], str] = socket.gethostname,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kernel = Kernel(open_socket)
        self._leases = LeaseFiles(servers)
        self._ethers = Watched(ethers_file, ethers.read, may_link=True)
        self._vendors = Vendors(vendor_directories)
        self._host_name = host_name
        self._clock = clock
        self._wiring = Wiring()
        self._neighbours: list[Neighbour] = []
        self._found = Neighbourhood()
        self._said = ""

    def close(self) -> None:
        """Close the socket; the next look opens another."""
        self._kernel.close()

    def glance(self) -> Neighbourhood:
        """Return what the kernel alone tells, in a millisecond: no device, for that takes names and vendors."""
        self._ask_the_kernel()
        self._found = Neighbourhood(Networks.of(self._wiring.links, self._wiring.addresses, self._wiring.routes))
        return self._found

    def look(self) -> Neighbourhood:
        """Return what there is now: the very object of the last look, if it has not changed."""
        wiring, last = self._wiring, self._found
        self._ask_the_kernel()
        networks = last.networks
        if self._wiring != wiring:
            made = Networks.of(self._wiring.links, self._wiring.addresses, self._wiring.routes)
            networks = networks if made == networks else made
        found = devices(
            self._wiring,
            networks,
            self._neighbours,
            Names(self._leases.standing(self._clock()), self._ethers.read()),
            host_name=self._host_name(),
            vendors_of=self._vendors.of,
        )
        if networks is not last.networks or found != last.devices:
            self._found = Neighbourhood(networks, MappingProxyType(found))
        return self._found

    def _ask_the_kernel(self) -> None:
        try:
            self._wiring, self._neighbours = self._kernel.wiring(), self._kernel.neighbours()
            self._said = ""
        except (OSError, MalformedMessage) as error:
            self._kernel.close()
            if str(error) != self._said:
                self._said = str(error)
                log.warning("the local network cannot be read: %s", error)
