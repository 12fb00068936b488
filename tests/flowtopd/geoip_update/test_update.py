"""Whole updates with the real child, from mirrors on loopback into a directory."""

import gzip
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowtopd.config import Geoip, Secret
from flowtopd.enrich.geoip.places import Places
from flowtopd.flows.dimensions import Place
from flowtopd.geoip_update.update import Elsewhere, Update
from flowtopd.wire.messages import Progress
from testbed.netns import wait_until
from tests.flowtopd.enrich.geoip.databases import address
from tests.flowtopd.geoip_update.conftest import Make
from tests.flowtopd.geoip_update.mirror import Mirror, Reply, checksum


class Host:
    """A directory of databases, a geoip.conf, and what was told."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "lib"
        self.conf = root / "geoip.conf"
        self.maxmind_conf = root / "GeoIP.conf"
        self.maxmind = "http://127.0.0.1:1"
        self.account: dict[str, Any] = {}
        self.told: list[Progress] = []
        self.deadline_s = 30.0
        self.patience_s = 30.0

    def update(self, *lines: str) -> Update:
        if lines:
            self.conf.write_text("\n".join(lines))
        self.told.clear()
        config = Geoip(directory=self.directory, mirrors=self.conf, **self.account)
        return Update(config, self.told.append, self.elsewhere)

    @property
    def elsewhere(self) -> Elsewhere:
        return Elsewhere(self.maxmind, self.maxmind_conf, self.deadline_s, self.patience_s)

    def run(self, *lines: str) -> bool:
        well = self.update(*lines).run()
        assert self.told[-1] == Progress(good=well, ended=well)
        assert [told.ended for told in self.told[:-1]] == [None] * (len(self.told) - 1)
        return well

    @property
    def news(self) -> list[str]:
        return [told.text for told in self.told if told.text]

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.glob("*.mmdb")}

    def leftovers(self) -> list[str]:
        return sorted({path.name for path in self.directory.iterdir()} - {"updates.json", *self.files()})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_directory_is_made_and_filled(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/country.mmdb": Reply(make("country")), "/asn.mmdb": Reply(make("asn"))}
    assert host.run(f"{mirror.url}/country.mmdb", f"{mirror.url}/asn.mmdb")
    assert host.files() == {"country.mmdb": make("country"), "asn.mmdb": make("asn")}
    assert host.news == [f"{kind}: 0.0 MB of 2023-11-14 from {mirror.host}" for kind in ("country", "asn")]
    assert host.leftovers() == []
    assert (host.directory / "asn.mmdb").stat().st_mode & 0o777 == 0o644
    amounts = [told for told in host.told if told.done]
    assert {told.what for told in amounts} == {"country", "asn"}
    assert all(told.done <= (told.total or 0) for told in amounts)


def test_what_is_waited_for_is_said_where_it_takes_long(host: Host, mirror: Mirror, make: Make) -> None:
    host.patience_s = 0.0
    mirror.replies = {"/country.mmdb": Reply(make("country")), "/asn.mmdb": Reply(make("asn"))}
    assert host.run(f"{mirror.url}/country.mmdb")
    assert host.news == [
        f"country: waiting for {mirror.host}",
        f"country: 0.0 MB of 2023-11-14 from {mirror.host}",
    ]


def test_what_was_updated_is_asked_without_a_restart(host: Host, mirror: Mirror, make: Make) -> None:
    places = Places((), (host.directory,))
    assert places.place(address("1.1.1.1")) == Place("US")
    mirror.replies = {"/city.mmdb": Reply(make("city"))}
    assert host.run(f"{mirror.url}/city.mmdb")
    assert places.refresh()
    assert places.place(address("1.1.1.1")) == Place("AU", "Sydney")
    places.close()


def test_the_second_time_nothing_is_newer(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/asn.mmdb": Reply(make("asn"), headers={"ETag": '"1"'})}
    assert host.run(f"{mirror.url}/asn.mmdb")
    inode = (host.directory / "asn.mmdb").stat().st_ino
    assert host.run()
    assert host.news == ["asn: up to date"]
    assert (host.directory / "asn.mmdb").stat().st_ino == inode
    mirror.replies = {"/asn.mmdb": Reply(make("asn:1800000000"), headers={"ETag": '"2"'})}
    assert host.run()
    assert host.news == [f"asn: 0.0 MB of 2027-01-15 from {mirror.host}"]
    assert host.files() == {"asn.mmdb": make("asn:1800000000")}


def test_a_file_that_somebody_has_changed_is_fetched_again(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/asn.mmdb": Reply(make("asn"), headers={"ETag": '"1"'})}
    host.run(f"{mirror.url}/asn.mmdb")
    (host.directory / "asn.mmdb").write_bytes(b"oops")
    assert host.run()
    assert host.files() == {"asn.mmdb": make("asn")}


BAD: dict[str, tuple[dict[str, Reply], str]] = {
    "missing": ({}, "the server says 404 Not Found"),
    "truncated": ({"/asn.mmdb": Reply(b"x" * 100, announced=1000)}, "cut off after 100 of 1000 bytes"),
    "garbage": ({"/asn.mmdb": Reply(b"<html>" * 100)}, "what came is no good: not a MaxMind DB file, or a damaged one"),
    "failing": ({"/asn.mmdb": Reply(status=503)}, "the server says 503 Service Unavailable"),
    "checksum": (
        {"/asn.mmdb": Reply(b"x"), "/asn.mmdb.sha256": checksum(b"y")},
        "the checksum does not match",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_failure_leaves_the_old_file_and_says_why(host: Host, mirror: Mirror, make: Make, bad: str) -> None:
    mirror.replies = {"/asn.mmdb": Reply(make("asn"))}
    assert host.run(f"{mirror.url}/asn.mmdb")
    mirror.replies, says = BAD[bad]
    assert not host.run()
    assert host.news == [f"asn: {mirror.host}: {says}"]
    assert host.files() == {"asn.mmdb": make("asn")}
    assert host.leftovers() == []


@pytest.mark.parametrize("bad", BAD)
def test_where_the_first_mirror_fails_the_second_is_asked(host: Host, mirror: Mirror, make: Make, bad: str) -> None:
    with Mirror().serving() as second:
        mirror.replies, says = BAD[bad]
        second.replies = {"/asn.mmdb": Reply(make("asn"))}
        assert host.run(f"{mirror.url}/asn.mmdb", f"{second.url}/asn.mmdb")
    assert host.news == [f"asn: {mirror.host}: {says}", f"asn: 0.0 MB of 2023-11-14 from {second.host}"]
    assert host.files() == {"asn.mmdb": make("asn")}


def test_the_second_mirror_is_not_asked_where_the_first_is_good(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/1/asn.mmdb": Reply(make("asn")), "/2/asn.mmdb": Reply(make("asn"))}
    assert host.run(f"{mirror.url}/1/asn.mmdb", f"{mirror.url}/2/asn.mmdb")
    assert mirror.paths == ["/1/asn.mmdb"]


def test_a_directory_need_not_have_all_but_what_it_has_must_be_good(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/g/asn.mmdb": Reply(make("asn")), "/g/country.mmdb": Reply(make("country"))}
    assert host.run(f"{mirror.url}/g/")
    assert set(host.files()) == {"asn.mmdb", "country.mmdb"}
    mirror.replies["/g/country.mmdb"] = Reply(b"rubbish")
    assert not host.run()
    assert host.news[0].startswith(f"country: {mirror.host}: what came is no good")
    mirror.replies = {}
    assert not host.run()
    assert host.news == ["no mirror has a database"]


def test_a_country_is_not_fetched_where_a_city_database_is(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {f"/{kind}.mmdb": Reply(make(kind)) for kind in ("city", "country", "asn")}
    assert host.run(mirror.url)
    assert mirror.paths == ["/city.mmdb", "/asn.mmdb"]


def test_a_host_that_is_not_there_is_asked_once_and_another_does(host: Host, mirror: Mirror, make: Make) -> None:
    with Mirror().serving() as gone:
        pass
    mirror.replies = {"/country.mmdb": Reply(make("country"))}
    assert host.run(f"{gone.url}/", f"{mirror.url}/country.mmdb")
    assert host.news[0] == f"city: {gone.host}: Connection refused"
    assert len(host.news) == 2
    assert not host.run(f"{gone.url}/country.mmdb", f"{gone.url}/asn.mmdb")


def test_a_url_that_says_nothing_is_what_comes(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/latest.gz": Reply(gzip.compress(make("city")))}
    assert host.run("http://127.0.0.1:1/latest.gz", f"{mirror.url}/latest.gz")
    assert host.files() == {"city.mmdb": make("city")}


def test_mistakes_in_the_list_are_said_and_the_rest_is_used(host: Host, mirror: Mirror, make: Make) -> None:
    mirror.replies = {"/asn.mmdb": Reply(make("asn"))}
    assert host.run("# mirrors", "gopher://old", f"{mirror.url}/asn.mmdb")
    assert host.news[0].startswith(f"{host.conf}:2: wants a URL that begins with https:// or http://")
    assert host.told[0].good is False


def test_an_empty_list_and_a_missing_one_fail(host: Host) -> None:
    assert not host.run("# nothing")
    assert host.news == ["no mirror to fetch from"]
    host.conf.unlink()
    assert not host.run()
    assert host.news == [f"{host.conf}: No such file or directory", "no mirror to fetch from"]


def test_a_directory_that_cannot_be_made_is_named(host: Host, mirror: Mirror) -> None:
    host.directory.write_text("a file")
    assert not host.run(f"{mirror.url}/asn.mmdb")
    assert host.news == [f"{host.directory}: File exists"]


@pytest.mark.parametrize("where", ["GeoIP.conf", "flowtopd.toml"])
def test_maxmind_comes_first_with_the_account(host: Host, mirror: Mirror, make: Make, where: str) -> None:
    packed = gzip.compress(make("city"))
    path = "/geoip/databases/GeoLite2-City/download?suffix=tar.gz"
    mirror.replies = {path: Reply(packed), f"{path}.sha256": checksum(packed), "/asn.mmdb": Reply(make("asn"))}
    host.maxmind = mirror.url
    if where == "GeoIP.conf":
        host.maxmind_conf.write_text("AccountID 42\nLicenseKey key\nEditionIDs GeoLite2-City\n")
    else:
        host.maxmind_conf.write_text("AccountID oops\nLicenseKey key\n")
        host.account = {"account_id": 42, "license_key": Secret("key")}
    assert host.run(f"{mirror.url}/city.mmdb", f"{mirror.url}/asn.mmdb")
    assert host.files() == {"city.mmdb": make("city"), "asn.mmdb": make("asn")}
    secrets = {path: headers.get("Authorization") for path, headers in mirror.requests}
    assert secrets[path] == secrets[f"{path}.sha256"] == "Basic NDI6a2V5"
    assert secrets["/asn.mmdb"] is None
    assert not any("key" in text for text in host.news)
    mirror.requests.clear()
    assert host.run()
    assert host.news[0] == "city: up to date"
    assert path not in mirror.paths, "a download a day is limited there: the checksum told that nothing is newer"


def test_where_maxmind_refuses_the_mirrors_are_asked(host: Host, mirror: Mirror, make: Make) -> None:
    host.maxmind = mirror.url
    host.account = {"account_id": 1, "license_key": Secret("wrong")}
    mirror.replies = {
        "/geoip/databases/GeoLite2-City/download?suffix=tar.gz": Reply(status=401),
        "/geoip/databases/GeoLite2-ASN/download?suffix=tar.gz": Reply(status=401),
        "/city.mmdb": Reply(make("city")),
        "/asn.mmdb": Reply(make("asn")),
    }
    assert host.run(f"{mirror.url}/")
    assert host.news[0] == f"city: {mirror.host}: the server says 401 Unauthorized"
    assert set(host.files()) == {"city.mmdb", "asn.mmdb"}


@pytest.fixture
def slow(host: Host, mirror: Mirror, make: Make) -> Iterator[tuple[Update, threading.Thread, threading.Event]]:
    """An update in a thread, in the middle of a download."""
    held = threading.Event()
    mirror.replies = {"/asn.mmdb": Reply(make("asn"), held=held)}
    update = host.update(f"{mirror.url}/asn.mmdb")
    thread = threading.Thread(target=update.run)
    thread.start()
    wait_until(lambda: any(told.done for told in host.told))
    yield update, thread, held
    held.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_cancelled_update_leaves_nothing(host: Host, slow: tuple[Update, threading.Thread, threading.Event]) -> None:
    update, thread, _held = slow
    update.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert host.told[-1].ended is False
    assert host.files() == {}
    assert host.leftovers() == []


def test_there_is_one_update_at_a_time(
    tmp_path: Path, host: Host, slow: tuple[Update, threading.Thread, threading.Event], mirror: Mirror
) -> None:
    _update, thread, held = slow
    leftovers = host.leftovers()
    assert len(leftovers) == 1, "the file that is being written"
    second = Host(tmp_path)
    assert not second.run(f"{mirror.url}/asn.mmdb")
    assert second.news == ["another update is running"]
    assert host.leftovers() == leftovers
    held.set()
    thread.join(10)
    assert host.told[-1].ended is True


def test_a_mirror_that_takes_for_ever_is_left(host: Host, mirror: Mirror, make: Make) -> None:
    host.deadline_s = 0.8
    mirror.replies = {"/1/asn.mmdb": Reply(b"x" * 1000, held=threading.Event()), "/2/asn.mmdb": Reply(make("asn"))}
    assert not host.run(f"{mirror.url}/1/asn.mmdb")
    assert host.news == [f"asn: {mirror.host}: took longer than 0.8 s"]


def test_what_a_killed_update_left_is_removed(host: Host, mirror: Mirror, make: Make) -> None:
    host.directory.mkdir()
    (host.directory / ".update-killed").write_bytes(b"half")
    mirror.replies = {"/asn.mmdb": Reply(make("asn"))}
    assert host.run(f"{mirror.url}/asn.mmdb")
    assert host.leftovers() == []


@pytest.mark.kernel
def test_https_works_for_nobody_and_a_certificate_of_a_stranger_does_not(
    host: Host, mirror: Mirror, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of certificates may be for root alone: it is read before the rights are given up."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    request += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    tmp_path.chmod(0o700)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    mirror.wrap(context)
    mirror.replies = {"/asn.mmdb": Reply(make("asn"))}
    line = f"https://{mirror.host}/asn.mmdb"
    assert not host.run(line)
    assert "the certificate of the server is not good: self-signed certificate" in host.news[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert host.run(line)
    assert host.files() == {"asn.mmdb": make("asn")}
