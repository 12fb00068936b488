"""flowtopd.enrich.process.net_addresses: every address of a namespace, and none that it only has a route to."""

import ipaddress
from pathlib import Path

import pytest

from flowtopd.enrich.process.net_addresses import Address, in_fib_trie, in_if_inet6
from testbed.netns import Namespace

FIB_TRIE = b"""\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 172.17.0.0/16 2 0 2
        +-- 172.17.0.0/30 2 0 2
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.2
              /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
     |-- 169.254.1.1
        /32 link UNICAST
        /32 host LOCAL
     |-- 10.8.0.1
        /32 universe UNICAST
Local:
     |-- 172.17.0.2
        /32 host LOCAL
"""


def address(text: str) -> Address:
    value = ipaddress.ip_address(text)
    if value.version == 4:
        return 0, 0xFFFF_0000_0000 | int(value)
    return int(value) >> 64, int(value) & (1 << 64) - 1


def test_only_own_addresses_that_tell_namespaces_apart_are_taken() -> None:
    assert set(in_fib_trie(FIB_TRIE)) == {address("172.17.0.2")}


@pytest.mark.parametrize("cut", range(0, len(FIB_TRIE), 7))
def test_a_part_of_the_table_gives_a_part_of_the_addresses(cut: int) -> None:
    assert set(in_fib_trie(FIB_TRIE[: FIB_TRIE.rfind(b"\n", 0, cut) + 1])) <= {address("172.17.0.2")}


def test_ipv6_addresses_are_those_that_are_neither_loopback_nor_link_local() -> None:
    lines = (
        b"00000000000000000000000000000001 01 80 10 80       lo\n"
        b"fd000000000000000000000000000002 04 40 00 82     eth0\n"
        b"fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"
    )
    assert list(in_if_inet6(lines)) == [address("fd00::2")]


def test_empty_tables_have_no_addresses() -> None:
    assert list(in_fib_trie(b"")) == list(in_if_inet6(b"")) == []


@pytest.mark.kernel
def test_all_addresses_of_a_real_namespace_are_found() -> None:
    ipv4 = [f"10.{a}.{b}.{1 + b}" for a in (0, 9, 255) for b in (0, 128, 253)]
    ipv6 = ["fd00::1", "2001:db8:0:1:ffff::", "2606:4700::1111"]
    with Namespace() as host:
        commands = [f"address add {each} dev lo" for each in (*(f"{each}/24" for each in ipv4), *ipv6)]
        host.run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")
        with host.entered():
            fib_trie = Path("/proc/thread-self/net/fib_trie").read_bytes()
            if_inet6 = Path("/proc/thread-self/net/if_inet6").read_bytes()
    assert set(in_fib_trie(fib_trie)) == set(map(address, ipv4))
    assert set(in_if_inet6(if_inet6)) == set(map(address, ipv6))
