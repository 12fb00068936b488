"""Record dumps of real tables, as the kernel wrote them: `python -m testbed.record DIRECTORY`, as root.

Each file holds the messages of one dump, byte for byte, without NLMSG_DONE; decoders are tested on them on machines
that have no such kernel. `router`: real traffic through NAT. `special`: one of every rare entry. `mix`: a
router's table, made.
"""

import sys
from pathlib import Path

from flowtopd.netlink.ctnetlink import dump_request
from flowtopd.netlink.nlsocket import NetlinkSocket
from testbed import packets
from testbed.entries import HELPER_RULE, LABEL_RULE, SPECIAL, mix
from testbed.inject import inject
from testbed.netns import Namespace
from testbed.router import WAN_ADDRESSES, Router
from testbed.traffic import Flow


def dump(namespace: Namespace) -> bytes:
    """All messages of one dump."""
    with namespace.entered(), NetlinkSocket() as netlink:
        return b"".join(bytes(block.data) for block in netlink.dump(dump_request))


def _special() -> bytes:
    with Namespace() as host:
        host.account()
        host.track()
        host.nft(LABEL_RULE)
        host.nft(HELPER_RULE)
        inject(host, SPECIAL.values())
        return dump(host)


def _mix() -> bytes:
    with Namespace() as host:
        host.track()
        inject(host, mix(120))
        return dump(host)


def _router() -> bytes:
    with Router() as network:
        lan, wan = network.lan[0], network.wan
        flows = [
            Flow(lan, wan, address, 4000 + number, udp=udp, echo=True, seconds=2)
            for number, address in enumerate(WAN_ADDRESSES)
            for udp in (False, True)
        ]
        for flow in flows:
            with flow:
                flow.wait()
        for host in network.lan:
            for address in WAN_ADDRESSES:
                packets.ping(host, address)
            packets.gre(host, "1.1.1.1", call_id=7)
            packets.sctp_init(host, "8.8.8.8", 5000, 5001)
        return dump(network.router)


def main() -> None:
    """Write the three dumps."""
    directory = Path(sys.argv[1])
    directory.mkdir(exist_ok=True)
    for name, record in (("special", _special), ("mix", _mix), ("router", _router)):
        messages = record()
        (directory / f"{name}.bin").write_bytes(messages)
        print(f"{name}: {len(messages)} bytes")


if __name__ == "__main__":
    main()
