"""A home network on one machine: LAN hosts, a router that masquerades, and a piece of the Internet.

    lan[0] 192.168.1.11 ──┐ lan0                wan0 │
           fd00:1::11     ├ router ──────────────────┤ wan 203.0.113.2, 2001:db8::2
    lan[1] 192.168.1.12 ──┘ 192.168.1.1  203.0.113.1 │     and, on its loopback:
           fd00:1::12       fd00:1::1    2001:db8::1       1.1.1.1  8.8.8.8  2606:4700::1111

Up in about a second and warm: every LAN host has reached the WAN in both families, so the first packet of a
test does not wait for a neighbour. The router tracks connections, counts them, and its table is empty.
"""

import contextlib
from types import TracebackType
from typing import Final, Self

from testbed import conntrack
from testbed.netns import Namespace
from testbed.packets import ping

WAN_ADDRESSES: Final = ("1.1.1.1", "8.8.8.8", "2606:4700::1111")
"""Public addresses that the WAN host owns, so that GeoIP has something to say."""

ROUTER_V4: Final = "203.0.113.1"
"""What the world sees of the LAN."""

_NO_DAD: Final = "net.ipv6.conf.{}.accept_dad"  # duplicate address detection holds an address back for a second
_BRIDGE: Final = "link add lan0 type bridge mcast_snooping 0"
"""Snooping has the bridge join 224.0.0.106 (net/bridge/br_multicast.c): IGMP reports in the table, at random times."""

_FORWARD: Final = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
_MASQUERADE: Final = (
    'table inet router { chain postrouting { type nat hook postrouting priority 100; oifname "wan0" masquerade; }; }'
)


def _addresses(device: str, *addresses: str) -> list[str]:
    return [f"link set {device} up", *(f"address add {address} dev {device}" for address in addresses)]


def _ip(namespace: Namespace, commands: list[str]) -> None:
    """Run `ip` commands inside, in one process."""
    namespace.run(["ip", "-force", "-batch", "-"], stdin="\n".join(commands) + "\n")


class Router:
    """The whole network: `lan` (list of hosts), `router` and `wan` are namespaces."""

    def __init__(self, lan_hosts: int = 2) -> None:
        self.lan = [Namespace() for _ in range(lan_hosts)]
        self.router = Namespace()
        self.wan = Namespace()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for host in (*self.lan, self.router, self.wan):
                stack.enter_context(host)
                for which in ("all", "default"):
                    host.sysctl(_NO_DAD.format(which), 0)
            self._connect()
            self._warm()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _connect(self) -> None:
        router, wan = self.router, self.wan
        for name in _FORWARD:
            router.sysctl(name, 1)
        commands = [_BRIDGE, f"link add wan0 type veth peer name eth0 netns {wan.name}"]
        commands += _addresses("lan0", "192.168.1.1/24", "fd00:1::1/64")
        commands += _addresses("wan0", "203.0.113.1/24", "2001:db8::1/64")
        for number, host in enumerate(self.lan, 1):
            port = f"lan0p{number}"
            commands += [
                f"link add {port} type veth peer name eth0 netns {host.name}",
                f"link set {port} master lan0 up",
            ]
        _ip(router, [*commands, "route add default via 203.0.113.2", "route add ::/0 via 2001:db8::2"])
        _ip(
            wan,
            _addresses("eth0", "203.0.113.2/24", "2001:db8::2/64")
            + _addresses("lo", *(f"{address}/{128 if ':' in address else 32}" for address in WAN_ADDRESSES)),
        )
        for number, host in enumerate(self.lan, 1):
            commands = _addresses("eth0", f"192.168.1.{10 + number}/24", f"fd00:1::{10 + number}/64")
            _ip(host, [*commands, "route add default via 192.168.1.1", "route add ::/0 via fd00:1::1"])
        router.account()
        router.nft(_MASQUERADE)
        router.track()

    def _warm(self) -> None:
        for host in self.lan:
            for address in WAN_ADDRESSES:
                ping(host, address)
        conntrack.flush(self.router)
