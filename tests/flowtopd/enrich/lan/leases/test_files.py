"""flowtopd.enrich.lan.leases.files: all leases of several servers."""

from pathlib import Path

import pytest

from flowtopd.enrich.lan.leases import dhcpd, dnsmasq, kea, networkd
from flowtopd.enrich.lan.leases.files import SERVERS, LeaseFiles, Server
from flowtopd.enrich.lan.leases.lease import address_in

NOW = 1_735_000_000.0


def line(address: str, name: str, expires_s: float = NOW + 60) -> str:
    return f"{expires_s:.0f} 00:1e:c2:9e:28:6b {address} {name} *\n"


def names(files: LeaseFiles, now_s: float = NOW) -> dict[str, str | None]:
    standing = files.standing(now_s)
    return {address: standing[halves].name for address in ADDRESSES if (halves := address_in(address)) in standing}


ADDRESSES = [f"192.168.1.{number}" for number in range(17, 30)]


def test_a_lease_stands_until_it_expires_or_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.leases"
    files = LeaseFiles([Server(dnsmasq.read, (path,))])
    assert names(files) == {}
    path.write_text(line("192.168.1.17", "laptop") + line("192.168.1.18", "phone", NOW + 9))
    assert names(files) == {"192.168.1.17": "laptop", "192.168.1.18": "phone"}
    assert names(files, NOW + 9) == {"192.168.1.17": "laptop"}
    path.write_text(line("192.168.1.17", "tablet"))
    assert names(files) == {"192.168.1.17": "tablet"}
    path.unlink()
    assert names(files) == {}


def test_what_kea_has_put_aside_counts_until_it_says_otherwise(tmp_path: Path) -> None:
    head, paths = "address,expire,hostname,state\n", tuple(tmp_path / f"leases.csv{end}" for end in (".2", ".1", ""))
    row = "192.168.1.{},{:.0f},{},{}\n".format
    paths[0].write_text(head + row(17, NOW + 60, "old", 0) + row(18, NOW + 60, "kept", 0))
    paths[1].write_text(head + row(19, NOW + 60, "between", 0))
    paths[2].write_text(head + row(17, NOW + 90, "new", 0) + row(19, NOW + 60, "between", 2))
    assert names(LeaseFiles([Server(kea.read, paths)])) == {"192.168.1.17": "new", "192.168.1.18": "kept"}


def test_a_later_entry_that_ended_takes_back_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "dhcpd.leases"
    entry = 'lease 192.168.1.17 {{\n  ends never;\n  binding state {};\n  client-hostname "laptop";\n}}\n'.format
    files = LeaseFiles([Server(dhcpd.read, (path,))])
    path.write_text(entry("free") + entry("active"))
    assert names(files) == {"192.168.1.17": "laptop"}
    path.write_text(entry("active") + entry("free"))
    assert names(files) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_servers_the_lease_that_lasts_longer_counts(tmp_path: Path, order: int) -> None:
    for name, seconds in (("gone", 30), ("here", 60)):
        (tmp_path / name).write_text(line("192.168.1.17", name, NOW + seconds))
    servers = [Server(dnsmasq.read, (tmp_path / name,)) for name in ("gone", "here")]
    assert names(LeaseFiles(servers[::order])) == {"192.168.1.17": "here"}


def test_a_directory_stands_for_its_files_but_those_being_written(tmp_path: Path) -> None:
    files = LeaseFiles([Server(networkd.read, folder=tmp_path)])
    lease = '[{{"Address": [192, 168, 1, {}], "ClientId": [], "Hostname": "{}"}}]'.format
    assert names(files) == {}
    (tmp_path / "lan0").write_text(lease(17, "laptop"))
    (tmp_path / ".#lan1abc").write_text(lease(18, "half"))
    assert names(files) == {"192.168.1.17": "laptop"}
    (tmp_path / "lan1").write_text(lease(18, "phone"))
    assert names(files) == {"192.168.1.17": "laptop", "192.168.1.18": "phone"}
    (tmp_path / "lan0").unlink()
    assert names(files) == {"192.168.1.18": "phone"}


def test_of_a_directory_full_of_files_some_are_read(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / str(number)).write_text("[]")
    files = LeaseFiles([Server(networkd.read, folder=tmp_path)])
    files.standing(NOW)
    assert len(files._files) == 64


def test_every_known_place_is_an_absolute_path() -> None:
    paths = [str(path) for server in SERVERS for path in (*server.paths, *filter(None, (server.folder,)))]
    assert len(set(paths)) == len(paths) == 12
    assert all(path.startswith("/") for path in paths)


def test_a_directory_in_the_place_of_a_file_is_no_lease(tmp_path: Path) -> None:
    folder = tmp_path / "dhcp.leases"
    folder.mkdir()
    (folder / "any").write_text(line("192.168.1.17", "laptop"))
    assert names(LeaseFiles([Server(dnsmasq.read, (folder,))])) == {}
