"""What comes from a mirror, good and bad. In this process; the child around it is tested in test_child.py."""

import base64
import gzip
import io
import lzma
import ssl
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.fetch import MAX_DOWNLOAD, FetchError, Http, fetch, unpack, verify
from flowtopd.geoip_update.job import Answer, Done, Got, Job, Receipt
from tests.flowtopd.enrich.geoip.databases import USELESS, write
from tests.flowtopd.geoip_update.conftest import Make
from tests.flowtopd.geoip_update.mirror import Mirror, Reply, checksum

HTTP = Http(ssl.create_default_context())


class Fetched:
    """Fetches a path of the mirror into files of its own."""

    def __init__(self, mirror: Mirror, raw: BinaryIO, out: BinaryIO) -> None:
        self.mirror = mirror
        self.raw = raw
        self.out = out
        self.said: list[Answer] = []

    def __call__(self, path: str, kind: Kind | None = None, before: Receipt | None = None, user: str = "") -> Done:
        url = self.mirror.url + path
        for file in (self.raw, self.out):
            file.seek(0)
            file.truncate()
        job = Job(url, url + ".sha256", kind, user, "secret", before)
        return fetch(job, HTTP, self.raw, self.out, self.said.append)

    def content(self) -> bytes:
        self.out.seek(0)
        return self.out.read()


@pytest.fixture
def fetched(mirror: Mirror, tmp_path: Path) -> Iterator[Fetched]:
    with tempfile.TemporaryFile(dir=tmp_path) as raw, tempfile.TemporaryFile(dir=tmp_path) as out:
        yield Fetched(mirror, raw, out)


def tar(name: str, body: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        directory = tarfile.TarInfo("GeoLite2_20261124")
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for member, content in (("LICENSE.txt", b"text"), (name, body)):
            info = tarfile.TarInfo(f"GeoLite2_20261124/{member}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "tar": lambda body: tar("x.mmdb", body),
    "tar.gz": lambda body: gzip.compress(tar("x.mmdb", body)),
    "tar.xz": lambda body: lzma.compress(tar("x.mmdb", body)),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_database_comes_out_of_every_packing(fetched: Fetched, make: Make, packing: str) -> None:
    body = make("asn:1234")
    packed = PACKINGS[packing](body)
    fetched.mirror.replies = {"/x": Reply(packed), "/x.sha256": checksum(packed)}
    done = fetched("/x")
    assert (done.kind, done.built_s, done.size) == (Kind.ASN, 1234, len(body))
    assert fetched.content() == body
    assert fetched.said[-1] == Got(len(packed), len(packed))


def test_the_length_need_not_be_announced(fetched: Fetched, make: Make) -> None:
    body = make("asn")
    fetched.mirror.replies = {"/x": Reply(body, announced=-1)}
    assert fetched("/x").kind is Kind.ASN
    assert fetched.said[-1] == Got(len(body), None)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(b"", 404), "the server says 404 Not Found"),
        (Reply(b"", 500), "the server says 500 Internal Server Error"),
        (Reply(b"", 401), "the server says 401 Unauthorized"),
        (Reply(b"", 200), "what came is no good: not a MaxMind DB file"),
        (Reply(b"<html>Sign in to this network</html>", 200), "what came is no good: not a MaxMind DB file"),
        (Reply(b"", 200, announced=MAX_DOWNLOAD + 1), "too large: 256 MiB, the limit is 256"),
        (Reply(b"half", 200, announced=1000), "cut off after 4 of 1000 bytes"),
        (Reply(b"half", 200, chunks=True), "cut off, after 4 bytes"),
        (Reply(b"", 302, {"Location": "file:///etc/passwd"}), "the server says 302 Found - Redirection to url"),
        (Reply(b"", 302, {"Location": "ftp://127.0.0.1/x"}), "the server redirects to what is not https"),
        (Reply(b"", 302, {"Location": "/x"}), "the server says 302 The HTTP server returned a redirect error"),
    ],
)
def test_what_is_no_database_is_refused_with_its_reason(fetched: Fetched, reply: Reply, says: str) -> None:
    fetched.mirror.replies = {"/x": reply}
    with pytest.raises(FetchError) as caught:
        fetched("/x")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert caught.value.absent == (reply.status == 404)
    assert not caught.value.unreachable


def test_a_server_that_is_not_there(fetched: Fetched) -> None:
    with Mirror().serving() as gone:
        url = gone.url
    with pytest.raises(FetchError, match="Connection refused") as caught:
        fetch(Job(url, url), HTTP, fetched.raw, fetched.out, fetched.said.append)
    assert caught.value.unreachable


def test_a_server_that_cannot_be_reached_is_asked_once(fetched: Fetched) -> None:
    """A dead name server takes twenty seconds to find out about, a host that drops packets thirty."""

    class Dead(Http):
        asked = 0

        def get(self, _job: Job, _url: str, _conditions: dict[str, str]) -> NoReturn:
            self.asked += 1
            raise FetchError("the name of the server is not known", unreachable=True)

    dead = Dead(ssl.create_default_context())
    with pytest.raises(FetchError, match="not known"):
        fetch(Job("https://x/y", "https://x/y.sha256"), dead, fetched.raw, fetched.out, fetched.said.append)
    assert dead.asked == 1


@pytest.mark.parametrize("packing", ["plain", "gz", "xz", "tar.gz"])
def test_a_truncated_file_is_refused_also_where_the_server_calls_it_whole(
    fetched: Fetched, make: Make, packing: str
) -> None:
    packed = PACKINGS[packing](make("asn"))
    for length in (1, 10, 100, len(packed) // 2, len(packed) - 1):
        fetched.mirror.replies = {"/x": Reply(packed[:length])}
        with pytest.raises(FetchError):
            fetched("/x")


def test_a_checksum_that_does_not_match(fetched: Fetched, make: Make) -> None:
    fetched.mirror.replies = {"/x": Reply(make("asn")), "/x.sha256": checksum(b"another")}
    with pytest.raises(FetchError, match="the checksum does not match"):
        fetched("/x")


@pytest.mark.parametrize("text", [b"<html>not found</html>", b"", b"ab" * 31, b"ab" * 40, b"\xff" * 5000])
def test_what_is_no_checksum_is_none(fetched: Fetched, make: Make, text: bytes) -> None:
    """Some servers answer everything with a page."""
    fetched.mirror.replies = {"/x": Reply(make("asn")), "/x.sha256": Reply(text)}
    assert fetched("/x").kind is Kind.ASN


def test_nothing_newer_is_told_by_the_checksum_without_a_download(fetched: Fetched, make: Make) -> None:
    body = make("asn")
    fetched.mirror.replies = {"/x": Reply(body), "/x.sha256": checksum(body)}
    receipt = fetched("/x").receipt
    assert fetched("/x", before=receipt) == Done(None, None)
    assert fetched.mirror.paths == ["/x"]


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {}])
def test_nothing_newer_is_told_by_the_server_or_by_the_same_bytes(
    fetched: Fetched, make: Make, headers: dict[str, str]
) -> None:
    fetched.mirror.replies = {"/x": Reply(make("asn"), headers=headers)}
    receipt = fetched("/x").receipt
    assert fetched("/x", before=receipt) == Done(None, None)
    fetched.mirror.replies = {"/x": Reply(make("asn:5"), headers={"ETag": '"2"'} if headers else {})}
    assert fetched("/x", before=receipt).built_s == 5


def test_the_date_is_asked_for_where_the_server_has_one(fetched: Fetched, make: Make) -> None:
    fetched.mirror.replies = {"/x": Reply(make("asn"), headers={"Last-Modified": "yesterday"})}
    receipt = fetched("/x").receipt
    fetched("/x", before=receipt)
    assert fetched.mirror.requests[-1][1]["If-Modified-Since"] == "yesterday"


def test_a_redirect_is_followed_but_not_with_the_password(fetched: Fetched, make: Make) -> None:
    with Mirror().serving() as other:
        other.replies = {"/y": Reply(make("city"))}
        fetched.mirror.replies = {"/x": Reply(b"", 302, {"Location": f"{other.url}/y"})}
        assert fetched("/x", user="me").kind is Kind.CITY
        secret = "Basic " + base64.b64encode(b"me:secret").decode()
        assert [headers.get("Authorization") for _path, headers in fetched.mirror.requests] == [secret, secret]
        assert [headers.get("Authorization") for _path, headers in other.requests] == [None]


def test_an_archive_without_a_database(fetched: Fetched) -> None:
    fetched.mirror.replies = {"/x": Reply(gzip.compress(tar("README", b"text")))}
    with pytest.raises(FetchError, match=r"no \.mmdb file in the archive"):
        fetched("/x")


def test_a_small_file_that_unpacks_to_a_huge_one_is_stopped() -> None:
    limit = 1 << 20
    raw, out = io.BytesIO(gzip.compress(bytes(100 * limit))), io.BytesIO()
    with pytest.raises(FetchError, match="too large: more than 1 MiB unpacked"):
        unpack(raw, out, limit)
    assert len(out.getvalue()) <= limit


def test_a_database_of_another_kind_is_refused(fetched: Fetched, make: Make) -> None:
    fetched.mirror.replies = {"/x": Reply(make("country"))}
    with pytest.raises(FetchError, match=r"what came has no networks \(its type is 'Test-country'\)"):
        fetched("/x", Kind.ASN)
    assert fetched("/x", Kind.COUNTRY).kind is Kind.COUNTRY


def test_a_database_of_no_use_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mmdb", USELESS, "GeoIP2-Connection-Type")
    with pytest.raises(FetchError, match=r"networks \(its type is 'GeoIP2-Connection-Type'\)"):
        verify(path, None)


def test_a_database_with_damage_inside_is_refused(tmp_path: Path, make: Make) -> None:
    whole = make("city")
    data = whole.index(bytes(16)) + 16
    for at in (0, data):
        damaged = bytearray(whole)
        damaged[at : at + 60] = b"\xe9" * 60
        (tmp_path / "x.mmdb").write_bytes(damaged)
        with pytest.raises(FetchError, match="what came is no good"):
            verify(tmp_path / "x.mmdb", None)
