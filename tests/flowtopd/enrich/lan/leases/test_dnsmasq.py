"""flowtopd.enrich.lan.leases.dnsmasq."""

from flowtopd.enrich.lan.leases.dnsmasq import read
from flowtopd.enrich.lan.leases.lease import NEVER, Lease, address_in

FILE = """\
1735689600 00:1e:c2:9e:28:6b 192.168.1.17 laptop 01:00:1e:c2:9e:28:6b
0 52:54:00:11:22:33 192.168.1.18 printer *
3600 52:54:00:11:22:34 192.168.1.19 * *
1735689601 06-00:01:02:03:04:05 192.168.1.20 wire *
duid 00:01:00:01:2c:9f:aa:bb:00:1e:c2:9e:28:6b
1735689602 8246123 fd00:1::17 laptop 00:01:00:01:2c:9f:aa:bb:00:1e:c2:9e:28:6b
1735689603 T8246124 fd00:1::18 * 00:01:00:01
"""


def lease(address: str, mac: str | None, name: str | None, expires_s: float) -> Lease:
    halves = address_in(address)
    assert halves is not None
    return Lease(halves, mac, name, expires_s)


LEASES = [
    lease("192.168.1.17", "00:1e:c2:9e:28:6b", "laptop", 1735689600),
    lease("192.168.1.18", "52:54:00:11:22:33", "printer", NEVER),
    lease("192.168.1.19", "52:54:00:11:22:34", None, NEVER),
    lease("192.168.1.20", None, "wire", 1735689601),
    lease("fd00:1::17", None, "laptop", 1735689602),
    lease("fd00:1::18", None, None, 1735689603),
]


def test_a_line_is_a_lease() -> None:
    assert list(read(FILE)) == LEASES


def test_of_a_file_that_is_cut_the_whole_lines_are_used() -> None:
    lines = FILE.splitlines(keepends=True)
    for whole in range(len(lines)):
        text = "".join(lines[:whole])
        for length in range(0, len(lines[whole]), 3):
            found = list(read(text + lines[whole][:length]))
            leases = [one for one in LEASES if one in list(read(text))]
            # a part of a line may look whole but for its client id, which is not used
            assert found[: len(leases)] == leases == LEASES[: len(leases)]
            assert len(found) <= len(leases) + 1


def test_a_line_that_is_not_understood_is_passed_over() -> None:
    for line in ("", "#", "x y z", "-1 a b c d", "99 52:54:00:11:22:33 nowhere printer *", "9" * 9999 + " a b c d"):
        assert list(read(f"{line}\n{FILE}")) == LEASES


def test_a_number_that_is_absurd_is_a_long_time() -> None:
    (found,) = read("9" * 9999 + " 52:54:00:11:22:33 192.168.1.18 printer *")
    assert found.expires_s == NEVER
