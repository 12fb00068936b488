"""flowtopd.enrich.process.match: which sockets may have a flow, and above all which may not."""

import ipaddress
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from flowtopd.enrich.process.match import ICMP, ICMPV6, IPPROTO_RAW, UDPLITE, Matches, match
from flowtopd.flows.dimensions import Attribution
from flowtopd.flows.names import GRE, SCTP, TCP, UDP
from flowtopd.netlink import uapi
from flowtopd.netlink.sock_diag import Columns, decode_dump, empty, joined
from tests.flowtopd.batches import Flow, batch
from tests.flowtopd.netlink.diagmessages import SEQ, Sock, v6only

HERE, HERE6, THERE, THERE6 = "192.0.2.1", "2001:db8::1", "198.51.100.7", "2001:db8::7"
ALSO_HERE = "192.0.2.2"
LISTEN, CLOSE = uapi.TCP_LISTEN, uapi.TCP_CLOSE
EXACT, LISTENER, EXITED, KERNEL = Attribution.EXACT, Attribution.LISTENER, Attribution.EXITED, Attribution.KERNEL


def halves(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    number = int(parsed) if parsed.version == 6 else 0xFFFF << 32 | int(parsed)
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Natted:
    """A flow whose replies come from and go to other ends than it was sent to and from."""

    flow: Flow
    reply_src: tuple[str, int]
    reply_dst: tuple[str, int]


def flow_columns(flow: Flow | Natted) -> Columns:
    if isinstance(flow, Flow):
        return batch(flow).columns
    columns = batch(flow.flow).columns
    for name, (address, port) in (("src", flow.reply_src), ("dst", flow.reply_dst)):
        columns[f"reply_{name}"] = np.array([halves(address)], np.uint64)
        columns[f"reply_{name[0]}port"] = np.array([port], np.uint16)
    return columns


def sockets_of(protocol: int, *socks: Sock) -> Columns:
    return decode_dump(b"".join(sock.message() for sock in socks), SEQ, protocol)


def is_here(addresses: Any) -> Any:
    ours = [halves(address) for address in (HERE, HERE6, ALSO_HERE, "127.0.0.1", "::1")]
    return np.array([tuple(address) in ours for address in addresses.tolist()], np.bool_)


def matched(flow: Flow | Natted, sockets: Columns, raw: Columns | None = None) -> tuple[Attribution, list[int]]:
    """How a flow is matched, and the inodes of its candidates."""
    flows = flow_columns(flow)
    raw = empty() if raw is None else raw
    found = match(flows, sockets, raw, is_here(flows["src"]), is_here(flows["reply_src"]))
    rows = found.candidates(int(found.sets[0]))
    return Attribution(int(found.how[0])), joined([sockets, raw])["inode"][rows].tolist()


OUT = Flow(HERE, THERE, 40000, 443)
OUT6 = Flow(HERE6, THERE6, 40000, 443)
IN = Flow(THERE, HERE, 50000, 80)
IN6 = Flow(THERE6, HERE6, 50000, 80)
UDP_OUT = Flow(HERE, THERE, 40000, 53, proto=UDP)
UDP_IN = Flow(THERE, HERE, 50000, 53, proto=UDP)


def connected(
    local: str = HERE, port: int = 40000, remote: str = THERE, remote_port: int = 443, inode: int = 7
) -> Sock:
    return Sock(local, port, remote, remote_port, inode=inode)


def bound(local: str, port: int, state: int = CLOSE, inode: int = 7, *, only: bool = False) -> Sock:
    wildcard = "::" if ":" in local else "0.0.0.0"
    return Sock(local, port, wildcard, 0, state=state, inode=inode, attributes=(v6only(only),))


class TestConnected:
    def test_the_very_tuple_outbound(self) -> None:
        assert matched(OUT, sockets_of(TCP, connected(inode=1), connected(port=40001, inode=2))) == (EXACT, [1])

    def test_the_very_tuple_inbound(self) -> None:
        assert matched(IN, sockets_of(TCP, connected(HERE, 80, THERE, 50000))) == (EXACT, [7])

    def test_ipv6(self) -> None:
        assert matched(OUT6, sockets_of(TCP, connected(HERE6, remote=THERE6))) == (EXACT, [7])

    @pytest.mark.parametrize("protocol", [TCP, UDP])
    def test_an_ipv6_socket_that_serves_ipv4(self, protocol: int) -> None:
        flow = Flow(HERE, THERE, 40000, 443, proto=protocol)
        sockets = sockets_of(protocol, connected(f"::ffff:{HERE}", remote=f"::ffff:{THERE}"))
        assert matched(flow, sockets) == (EXACT, [7])

    @pytest.mark.parametrize(
        "other",
        [
            connected(ALSO_HERE),
            connected(port=40001),
            connected(remote="198.51.100.8"),
            connected(remote_port=444),
            connected(THERE, 443, HERE, 40000),
            connected(HERE6, remote=THERE6),
        ],
        ids=["local address", "local port", "remote address", "remote port", "the other way round", "family"],
    )
    def test_nothing_less_than_the_whole_tuple(self, other: Sock) -> None:
        assert matched(OUT, sockets_of(TCP, other)) == (EXITED, [])

    def test_the_protocol_belongs_to_the_tuple(self) -> None:
        assert matched(OUT, sockets_of(UDP, connected())) == (EXITED, [])

    def test_a_socket_without_a_file_is_none(self) -> None:
        """TIME_WAIT, or orphaned by the exit of its process."""
        assert matched(OUT, sockets_of(TCP, connected(inode=0))) == (EXITED, [])

    def test_sockets_that_share_a_tuple_are_all_candidates(self) -> None:
        sockets = sockets_of(UDP, connected(remote_port=53, inode=1), connected(remote_port=53, inode=2))
        how, inodes = matched(UDP_OUT, sockets)
        assert (how, sorted(inodes)) == (EXACT, [1, 2])

    def test_nat_is_seen_through_at_either_end(self) -> None:
        out = Natted(OUT, ("10.9.9.9", 8443), ("203.0.113.1", 1024))
        assert matched(out, sockets_of(TCP, connected())) == (EXACT, [7])
        redirected = Natted(Flow(THERE, "203.0.113.9", 50000, 80), (HERE, 8080), (THERE, 50000))
        assert matched(redirected, sockets_of(TCP, connected(HERE, 8080, THERE, 50000))) == (EXACT, [7])

    def test_a_flow_between_two_local_sockets_belongs_to_who_opened_it(self) -> None:
        flow = Flow("127.0.0.1", "127.0.0.1", 40000, 80)
        opener, opened = (
            connected("127.0.0.1", 40000, "127.0.0.1", 80, inode=1),
            connected("127.0.0.1", 80, "127.0.0.1", 40000, inode=2),
        )
        assert matched(flow, sockets_of(TCP, opener, opened)) == (EXACT, [1])
        assert matched(flow, sockets_of(TCP, opened, bound("127.0.0.1", 80, LISTEN, 3))) == (EXITED, [])

    def test_a_server_that_was_picked_up_in_the_middle_has_the_flow_that_seems_to_come_from_it(self) -> None:
        flow = Flow(HERE, THERE, 80, 50000)
        assert matched(flow, sockets_of(TCP, connected(HERE, 80, THERE, 50000))) == (EXACT, [7])


class TestListening:
    @pytest.mark.parametrize("local", [HERE, "0.0.0.0", "::"], ids=["address", "all of IPv4", "all of both"])
    def test_a_connection_that_nobody_has_accepted_belongs_to_who_listens(self, local: str) -> None:
        waiting = connected(HERE, 80, THERE, 50000, inode=0)
        assert matched(IN, sockets_of(TCP, waiting, bound(local, 80, LISTEN))) == (LISTENER, [7])

    @pytest.mark.parametrize("local", [HERE6, "::"])
    def test_ipv6(self, local: str) -> None:
        assert matched(IN6, sockets_of(TCP, bound(local, 80, LISTEN))) == (LISTENER, [7])

    def test_one_that_accepted_it_goes_before_who_listens(self) -> None:
        accepted = connected(HERE, 80, THERE, 50000, inode=1)
        assert matched(IN, sockets_of(TCP, bound("0.0.0.0", 80, LISTEN, 2), accepted)) == (EXACT, [1])

    @pytest.mark.parametrize(
        "other",
        [
            bound(ALSO_HERE, 80, LISTEN),
            bound("0.0.0.0", 81, LISTEN),
            bound("0.0.0.0", 80, CLOSE),
            bound("::", 80, LISTEN, only=True),
            bound(HERE6, 80, LISTEN),
            bound("0.0.0.0", 80, LISTEN, inode=0),
        ],
        ids=["another address", "another port", "does not listen", "leaves IPv4 alone", "other family", "no file"],
    )
    def test_who_could_not_accept_it_is_none(self, other: Sock) -> None:
        assert matched(IN, sockets_of(TCP, other)) == (EXITED, [])

    def test_who_serves_ipv4_alone_could_not_accept_ipv6(self) -> None:
        assert matched(IN6, sockets_of(TCP, bound("0.0.0.0", 80, LISTEN))) == (EXITED, [])

    def test_who_listens_says_nothing_of_what_goes_out_from_its_port(self) -> None:
        flow = Flow(HERE, THERE, 80, 443)
        assert matched(flow, sockets_of(TCP, bound("0.0.0.0", 80, LISTEN))) == (EXITED, [])

    def test_nor_of_what_goes_to_the_same_port_elsewhere(self) -> None:
        flow = Flow(HERE, THERE, 50000, 80)
        assert matched(flow, sockets_of(TCP, bound("0.0.0.0", 80, LISTEN))) == (EXITED, [])

    def test_the_address_goes_before_all_addresses(self) -> None:
        sockets = sockets_of(TCP, bound("0.0.0.0", 80, LISTEN, 1), bound(HERE, 80, LISTEN, 2))
        assert matched(IN, sockets) == (LISTENER, [2])

    def test_those_that_share_a_port_are_all_candidates(self) -> None:
        sockets = sockets_of(
            TCP, *(bound(local, 80, LISTEN, inode) for inode, local in enumerate(("::", "0.0.0.0"), 1))
        )
        assert matched(IN, sockets) == (LISTENER, [1, 2])


class TestDatagrams:
    @pytest.mark.parametrize("flow", [UDP_OUT, UDP_IN], ids=["outbound", "inbound"])
    @pytest.mark.parametrize("local", [HERE, "0.0.0.0", "::"], ids=["address", "all of IPv4", "all of both"])
    @pytest.mark.parametrize("protocol", [UDP, UDPLITE])
    def test_a_socket_without_a_peer_has_what_comes_and_goes(self, flow: Flow, local: str, protocol: int) -> None:
        port = flow.sport if flow is UDP_OUT else flow.dport
        flow = Flow(flow.src, flow.dst, flow.sport, flow.dport, proto=protocol)
        assert matched(flow, sockets_of(protocol, bound(local, port or 0))) == (LISTENER, [7])

    def test_one_with_this_peer_goes_before_one_without(self) -> None:
        sockets = sockets_of(UDP, bound("0.0.0.0", 40000, inode=1), connected(remote_port=53, inode=2))
        assert matched(UDP_OUT, sockets) == (EXACT, [2])

    def test_one_with_another_peer_is_none(self) -> None:
        assert matched(UDP_OUT, sockets_of(UDP, connected(remote="198.51.100.8", remote_port=53))) == (EXITED, [])

    def test_what_arrives_goes_to_the_address_and_what_is_sent_may_be_of_both(self) -> None:
        sockets = sockets_of(UDP, *(bound(local, 53, inode=at) for at, local in enumerate((HERE, "0.0.0.0", "::"), 1)))
        assert matched(UDP_IN, sockets) == (LISTENER, [1])
        assert matched(Flow(HERE, THERE, 53, 50000, proto=UDP), sockets) == (LISTENER, [1, 2, 3])

    def test_who_leaves_ipv4_alone_is_none(self) -> None:
        assert matched(UDP_OUT, sockets_of(UDP, bound("::", 40000, only=True))) == (EXITED, [])


def ping(src: str, dst: str, number: int = 55, kind: int = 8, proto: int = ICMP) -> Flow:
    return Flow(src, dst, None, None, proto=proto, state=None, icmp=(kind, 0, number))


def raw_of(protocol: int, *socks: Sock) -> Columns:
    return sockets_of(protocol, *socks)


class TestIcmp:
    def test_a_ping_socket_has_the_id_of_its_echoes(self) -> None:
        sockets = sockets_of(ICMP, bound("0.0.0.0", 55, inode=1), bound("0.0.0.0", 56, inode=2))
        assert matched(ping(HERE, THERE), sockets) == (LISTENER, [1])

    def test_ipv6(self) -> None:
        flow = ping(HERE6, THERE6, kind=128, proto=ICMPV6)
        assert matched(flow, sockets_of(ICMPV6, bound("::", 55))) == (LISTENER, [7])

    def test_a_connected_one_is_exact_and_has_nothing_else(self) -> None:
        sockets = sockets_of(ICMP, Sock(HERE, 55, THERE, 0, inode=7))
        assert matched(ping(HERE, THERE), sockets) == (EXACT, [7])
        assert matched(ping(HERE, "198.51.100.8"), sockets) == (EXITED, [])

    def test_the_kernel_answers_who_pings_us(self) -> None:
        sockets = sockets_of(ICMP, bound("0.0.0.0", 55))
        assert matched(ping(THERE, HERE), sockets, raw_of(ICMP, bound("0.0.0.0", 0))) == (KERNEL, [])

    def test_without_a_ping_socket_all_raw_ones_of_the_protocol_may_have_sent_it(self) -> None:
        raw = joined(
            [
                raw_of(ICMP, bound("0.0.0.0", 0, inode=1), bound(HERE, 0, inode=2), bound(ALSO_HERE, 0, inode=3)),
                raw_of(ICMPV6, bound("::", 0, inode=4)),
                raw_of(IPPROTO_RAW, bound("0.0.0.0", 0, inode=5)),
                raw_of(ICMP, Sock("0.0.0.0", 0, "198.51.100.8", 0, inode=6)),
            ]
        )
        assert matched(ping(HERE, THERE), empty(), raw) == (LISTENER, [1, 2, 5])
        assert matched(ping(HERE, "198.51.100.8"), empty(), raw) == (LISTENER, [1, 2, 5, 6])
        assert matched(ping(HERE6, THERE6, kind=128, proto=ICMPV6), empty(), raw) == (LISTENER, [4])

    def test_with_neither_it_has_lost_its_process(self) -> None:
        assert matched(ping(HERE, THERE), empty()) == (EXITED, [])


class TestOthers:
    @pytest.mark.parametrize(("src", "dst"), [(HERE, THERE), (THERE, HERE)], ids=["outbound", "inbound"])
    def test_a_tunnel_is_the_kernels(self, src: str, dst: str) -> None:
        assert matched(Flow(src, dst, 1, 2, proto=GRE), empty()) == (KERNEL, [])

    def test_but_not_where_somebody_has_a_raw_socket_for_it(self) -> None:
        assert matched(Flow(HERE, THERE, 1, 2, proto=GRE), empty(), raw_of(GRE, bound(HERE, 0))) == (LISTENER, [7])

    def test_raw_sockets_never_have_tcp_or_udp(self) -> None:
        raw = joined(raw_of(protocol, bound("0.0.0.0", 0)) for protocol in (TCP, UDP, IPPROTO_RAW))
        assert matched(OUT, empty(), raw) == (EXITED, [])
        assert matched(UDP_OUT, empty(), raw) == (EXITED, [])

    def test_sctp_has_sockets_where_the_kernel_has_them(self) -> None:
        flow = Flow(HERE, THERE, 40000, 443, proto=SCTP)
        assert matched(flow, sockets_of(SCTP, connected())) == (EXACT, [7])
        assert matched(flow, empty()) == (EXITED, [])

    def test_what_is_forwarded_is_nobodys_here(self) -> None:
        flow = Flow("10.0.0.5", THERE, 40000, 443)
        sockets = sockets_of(TCP, connected("10.0.0.5"), bound("0.0.0.0", 443, LISTEN))
        assert matched(flow, sockets) == (Attribution.FORWARDED, [])

    def test_no_flows_and_no_sockets(self) -> None:
        flows = {name: column[:0] for name, column in batch(OUT).columns.items()}
        nothing = np.zeros(0, np.bool_)
        assert len(match(flows, empty(), empty(), nothing, nothing).how) == 0
        assert len(match(flows, sockets_of(TCP, connected()), empty(), nothing, nothing).how) == 0


def slow(flow: Flow, socks: list[Sock]) -> set[int]:
    """What the connected sockets say, read one by one."""
    ends = (flow.src, flow.sport, flow.dst, flow.dport)
    return {sock.inode for sock in socks if (sock.local, sock.local_port, sock.remote, sock.remote_port) == ends}


def test_many_flows_and_many_sockets_are_matched_as_one_by_one() -> None:
    socks = [connected(port=40000 + n % 97, remote=f"198.51.100.{n % 89}", inode=n + 1) for n in range(3_000)]
    flows = [Flow(HERE, f"198.51.100.{n % 91}", 40000 + n % 101, 443) for n in range(3_000)]
    columns, sockets = batch(*flows).columns, sockets_of(TCP, *socks)
    here = np.ones(len(flows), np.bool_)
    found = match(columns, sockets, empty(), here, ~here)
    by_end: dict[tuple[str, int], list[Sock]] = {}
    for sock in socks:
        by_end.setdefault((sock.remote, sock.local_port), []).append(sock)
    for row, flow in enumerate(flows):
        inodes = set(sockets["inode"][found.candidates(int(found.sets[row]))].tolist())
        assert inodes == slow(flow, by_end.get((flow.dst, flow.sport or 0), []))
        assert found.how[row] == (EXACT if inodes else EXITED)


def many(count: int) -> tuple[Columns, Columns]:
    chance = np.random.default_rng(1)
    ports = chance.integers(1024, 65_536, count).astype(np.uint16)
    remote = np.stack((np.zeros(count, np.uint64), chance.integers(1 << 24, 1 << 31, count, np.uint64)), axis=1)
    remote[:, 1] |= np.uint64(0xFFFF << 32)
    one = sockets_of(TCP, connected())
    sockets = {name: np.repeat(column, count, axis=0) for name, column in one.items()}
    sockets |= {"local_port": ports, "remote": remote, "inode": np.arange(1, count + 1, dtype=np.uint32)}
    flows = {name: np.repeat(column, count, axis=0) for name, column in batch(OUT).columns.items()}
    return flows | {"sport": ports, "dst": remote}, sockets


def fastest(run: Any) -> tuple[float, Matches]:
    best_s = np.inf
    for _ in range(5):
        began_s = time.thread_time()
        found = run()
        best_s = min(best_s, time.thread_time() - began_s)
    return float(best_s), found


def test_twenty_thousand_flows_and_sockets_take_some_milliseconds() -> None:
    """9 ms here; it may take five times as long elsewhere."""
    flows, sockets = many(20_000)
    here = np.ones(20_000, np.bool_)
    seconds, found = fastest(lambda: match(flows, sockets, empty(), here, ~here))
    assert (found.how == EXACT).all()
    assert seconds < 0.05
