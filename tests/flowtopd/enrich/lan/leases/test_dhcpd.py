"""flowtopd.enrich.lan.leases.dhcpd."""

import pytest

from flowtopd.enrich.lan.leases.dhcpd import read
from flowtopd.enrich.lan.leases.lease import ENDED, NEVER, Lease, address_in

FILE = r"""# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;
server-duid "\000\001\000\001%>\347\000";

lease 192.168.1.17 {
  starts 2 2024/12/31 23:50:00;
  ends 3 2025/01/01 00:00:00;
  cltt 2 2024/12/31 23:50:00;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 00:1e:c2:9e:28:6b;
  uid "\001\000\036}\302\236(k";
  set vendor-class-identifier = "MSFT 5.0 }";
  client-hostname "K\303\274che \"1\"";
}
lease 192.168.1.18 {
  ends never;
  binding state active;
  hardware ethernet 52:54:00:11:22:33;
}
lease 192.168.1.19 {
  ends epoch 1735689600; # Wed Jan  1 01:00:00 2025
  hardware ethernet 52:54:00:11:22:34;
  client-hostname "\033[31mred";
}
lease 192.168.1.18 {
  ends 3 2025/01/01 00:00:00;
  binding state free;
  hardware ethernet 52:54:00:11:22:33;
}
host fixed {
  dynamic;
  hardware ethernet 52:54:00:11:22:35;
  fixed-address 192.168.1.20;
}
"""


def lease(address: str, mac: str | None, name: str | None, expires_s: float) -> Lease:
    halves = address_in(address)
    assert halves is not None
    return Lease(halves, mac, name, expires_s)


LEASES = [
    lease("192.168.1.17", "00:1e:c2:9e:28:6b", 'Küche "1"', 1735689600.0),
    lease("192.168.1.18", "52:54:00:11:22:33", None, NEVER),
    lease("192.168.1.19", "52:54:00:11:22:34", "[31mred", 1735689600.0),
    lease("192.168.1.18", "52:54:00:11:22:33", None, ENDED),
]


def test_an_entry_is_a_lease_and_nothing_else_is() -> None:
    assert list(read(FILE)) == LEASES


def test_of_a_file_that_is_cut_the_closed_entries_are_used() -> None:
    for length in range(len(FILE)):
        closed = min(FILE[:length].count("\n}"), len(LEASES))
        assert list(read(FILE[:length])) == LEASES[:closed]


@pytest.mark.parametrize(
    "ends", ["", "ends;", "ends 3;", "ends 3 2025/13/01 00:00:00;", "ends 3 0000/00/00 00:00:00;", "ends epoch x;"]
)
def test_an_end_that_is_not_understood_is_one(ends: str) -> None:
    (found,) = read(f"lease 192.168.1.17 {{\n  {ends}\n  binding state active;\n}}\n")
    assert found.expires_s == ENDED


@pytest.mark.parametrize("state", ["free", "expired", "released", "abandoned", "backup", "reset"])
def test_only_an_active_lease_stands(state: str) -> None:
    (found,) = read(f"lease 192.168.1.17 {{\n  ends never;\n  binding state {state};\n}}\n")
    assert found.expires_s == ENDED
