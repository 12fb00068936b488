"""flowtopd.enrich.lan.leases.kea."""

import pytest

from flowtopd.enrich.lan.leases.kea import read
from flowtopd.enrich.lan.leases.lease import ENDED, NEVER, Lease, address_in

V4 = """\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
192.168.1.17,00:1e:c2:9e:28:6b,01:00:1e,3600,1735689600,1,0,0,laptop.lan.,0,
192.168.1.18,52:54:00:11:22:33,,4294967295,1735689600,1,0,0,,0,
192.168.1.19,52:54:00:11:22:34,,3600,1735689600,1,0,0,a&#x2cb,0,{ "a": 1 }
192.168.1.17,00:1e:c2:9e:28:6b,01:00:1e,3600,1735689600,1,0,0,laptop.lan.,2,
192.168.1.18,52:54:00:11:22:33,,0,1735689600,1,0,0,,0,
"""
V6 = """\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,\
hwaddr,state,user_context,hwtype,hwaddr_source,pool_id
fd00:1::17,00:01:00:01,3600,1735689600,1,1800,0,7,128,0,0,laptop,00:1e:c2:9e:28:6b,0,,1,2,0
fd00:2::,00:01:00:02,3600,1735689600,1,1800,2,7,56,0,0,router,,0,,,,0
fd00:1::18,00:01:00:03,3600,1735689600,1,1800,0,7,128,0,0,phone,,0,,,,0
"""


def lease(address: str, mac: str | None, name: str | None, expires_s: float) -> Lease:
    halves = address_in(address)
    assert halves is not None
    return Lease(halves, mac, name, expires_s)


LEASES4 = [
    lease("192.168.1.17", "00:1e:c2:9e:28:6b", "laptop.lan", 1735689600),
    lease("192.168.1.18", "52:54:00:11:22:33", None, NEVER),
    lease("192.168.1.19", "52:54:00:11:22:34", "a,b", 1735689600),
    lease("192.168.1.17", "00:1e:c2:9e:28:6b", "laptop.lan", ENDED),
    lease("192.168.1.18", "52:54:00:11:22:33", None, ENDED),
]
LEASES6 = [
    lease("fd00:1::17", "00:1e:c2:9e:28:6b", "laptop", 1735689600),
    lease("fd00:1::18", None, "phone", 1735689600),
]


@pytest.mark.parametrize(("text", "leases"), [(V4, LEASES4), (V6, LEASES6)])
def test_a_line_is_a_lease_but_a_prefix_is_none(text: str, leases: list[Lease]) -> None:
    assert list(read(text)) == leases


@pytest.mark.parametrize(("text", "leases"), [(V4, LEASES4), (V6, LEASES6)])
def test_of_a_file_that_is_cut_the_whole_lines_are_used(text: str, leases: list[Lease]) -> None:
    for length in range(len(text)):
        found = list(read(text[:length]))
        assert found == leases[: len(found)]
        assert len(found) >= text[:length].count("\n") - 2


def test_columns_are_found_by_their_names() -> None:
    assert list(read("hostname,expire,address\nlaptop,1735689600,192.168.1.17\n")) == [
        lease("192.168.1.17", None, "laptop", 1735689600)
    ]
    assert list(read("a,b\n1,2\n")) == list(read("\n\n")) == []


def test_a_line_with_other_columns_is_passed_over() -> None:
    assert list(read(V4.replace("laptop.lan.,0,", "laptop.lan.,0"))) == LEASES4[1:]


@pytest.mark.parametrize("expire", ["", "soon", "-1", "1e9"])
def test_an_end_that_is_not_understood_is_one(expire: str) -> None:
    (found,) = read(f"address,expire\n192.168.1.17,{expire}\n")
    assert found.expires_s == ENDED
