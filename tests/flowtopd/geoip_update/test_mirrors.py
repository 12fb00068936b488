"""geoip.conf and GeoIP.conf: what they stand for, and what is said about a mistake."""

from pathlib import Path

import pytest

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.mirrors import (
    PACKAGED_CONF,
    Account,
    maxmind_sources,
    parse_mirrors,
    read_account,
    read_mirrors,
)

FILE = Path("geoip.conf")


def urls(text: str) -> list[tuple[str, str | None, bool]]:
    sources, mistakes = parse_mirrors(text, FILE)
    assert mistakes == []
    return [(source.url, source.kind, source.optional) for source in sources]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.org/GeoLite2-City.mmdb", Kind.CITY),
        ("https://example.org/dbip-asn-lite-2026-11.mmdb.gz", Kind.ASN),
        ("https://example.org/iptoasn-country.mmdb", Kind.COUNTRY),
        ("https://example.org/IPTOASN.mmdb", Kind.ASN),
        ("https://example.org/country/latest.mmdb", Kind.COUNTRY),
        ("https://example.org/download?edition=GeoLite2-ASN", Kind.ASN),
        ("https://country.example.org/x.mmdb", None),
        ("http://[2001:db8::1]:8080/geo.mmdb.xz", None),
    ],
)
def test_a_url_is_one_file_whose_kind_it_says(url: str, kind: Kind | None) -> None:
    assert urls(url) == [(url, kind, False)]


@pytest.mark.parametrize(
    ("line", "base"),
    [
        ("example.org", "https://example.org/geoip/"),
        ("example.org:8443", "https://example.org:8443/geoip/"),
        ("203.0.113.7", "https://203.0.113.7/geoip/"),
        ("[2001:db8::1]:444", "https://[2001:db8::1]:444/geoip/"),
        ("router", "https://router/geoip/"),
        ("http://router.lan", "http://router.lan/"),
        ("http://router.lan:8080/", "http://router.lan:8080/"),
        ("https://example.org/a/b/", "https://example.org/a/b/"),
    ],
)
def test_a_host_or_directory_is_three_files_that_need_not_be_there(line: str, base: str) -> None:
    assert urls(line) == [(f"{base}{kind}.mmdb", kind, True) for kind in ("city", "country", "asn")]


def test_comments_blanks_and_order() -> None:
    text = "# first\n\n  https://b/asn.mmdb\t # why\r\nhttps://a/asn.mmdb\n#https://c/asn.mmdb\n"
    assert [url for url, _kind, _optional in urls(text)] == ["https://b/asn.mmdb", "https://a/asn.mmdb"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("two words", "wants one host or URL a line, got 'two words'"),
        ("ftp://example.org/asn.mmdb", "wants a URL that begins with https:// or http://"),
        ("file:///etc/passwd", "wants a URL that begins with https:// or http://"),
        ("https:///asn.mmdb", "wants a host and, if at all, a port from 1 to 65535"),
        ("https://example.org:99999/asn.mmdb", "wants a host and, if at all, a port from 1 to 65535"),
        ("https://example.org:x/asn.mmdb", "wants a host and, if at all, a port from 1 to 65535"),
        ("example.org:99999", "wants a host and, if at all, a port from 1 to 65535"),
        ("https://[::1/asn.mmdb", "wants a host and, if at all, a port from 1 to 65535"),
        ("https://me:secret@example.org/asn.mmdb", "wants no user or password in it, got 'https://...@example.org/"),
        ("https://example.org/asn.mmdb#top", "wants the URL of a file or of a directory"),
        ("example.org/asn.mmdb", "wants a host, or a URL that begins with https:// or http://"),
        ("-rf", "wants a host, or a URL"),
        ("<html>", "wants a host, or a URL"),
        ("exämple.org", "wants one host or URL a line"),
        ("\x1b[31mred", "wants one host or URL a line, got '\\x1b[31mred'"),
        ("x" * 5000 + "/", "wants a host, or a URL"),
    ],
)
def test_a_mistake_is_named_with_file_and_line_and_the_rest_is_used(line: str, says: str) -> None:
    sources, mistakes = parse_mirrors(f"# comment\nhttps://a/asn.mmdb\n{line}\nhttps://b/asn.mmdb\n", FILE)
    assert [source.url for source in sources] == ["https://a/asn.mmdb", "https://b/asn.mmdb"]
    (mistake,) = mistakes
    assert mistake.startswith(f"geoip.conf:3: {says}")
    assert mistake.isprintable()
    assert len(mistake) < 200


def test_bytes_that_are_no_text_are_a_mistake_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "geoip.conf"
    path.write_bytes(b"\xff\xfe\nhttps://a/asn.mmdb\n")
    sources, mistakes = read_mirrors(path)
    assert len(sources) == 1
    assert mistakes[0].startswith(f"{path}:1: ")


def test_the_packaged_list_is_good_and_needs_no_account() -> None:
    sources, mistakes = read_mirrors(PACKAGED_CONF)
    assert mistakes == []
    assert {source.kind for source in sources} == {Kind.COUNTRY, Kind.ASN}
    assert all(source.url.startswith("https://") for source in sources)


def test_a_list_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    assert read_mirrors(tmp_path / "none") == ([], [f"{tmp_path}/none: No such file or directory"])


def test_an_account_is_read_as_geoipupdate_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "GeoIP.conf"
    path.write_text(
        "# comment\nAccountID 123456\n  LicenseKey abc_DEF\nEditionIDs GeoLite2-ASN GeoIP2-City-Europe GeoIP2-City\n"
    )
    assert read_account(path) == (Account("123456", "abc_DEF", ("GeoLite2-ASN", "GeoIP2-City")), [])
    path.write_text("UserId 1\nLicenseKey k\nProductIds GeoLite2-Country\n")
    assert read_account(path) == (Account("1", "k", ("GeoLite2-Country",)), [])
    path.write_text("AccountID 1\nLicenseKey k\n")
    assert read_account(path) == (Account("1", "k", ("GeoLite2-City", "GeoLite2-ASN")), [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AccountID 1\n",
        "LicenseKey k\n",
        "AccountID 0\nLicenseKey 000000000000\n",
        "AccountID 999999\nLicenseKey 000000000000\n",
    ],
)
def test_a_file_that_nobody_has_filled_in_is_no_account(tmp_path: Path, text: str) -> None:
    path = tmp_path / "GeoIP.conf"
    path.write_text(text)
    assert read_account(path) == (None, [])
    assert read_account(tmp_path / "none") == (None, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LicenseKey k\nAccountID mine\n", "2: wants a number, got 'mine'"),
        (
            "AccountID 1\nLicenseKey k\n\nEditionIDs GeoLite2-City-CSV 106\n",
            "4: wants an edition of City, Country or ASN",
        ),
    ],
)
def test_a_mistake_in_an_account_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "GeoIP.conf"
    path.write_text(text)
    account, (mistake,) = read_account(path)
    assert account is None
    assert mistake.startswith(f"{path}:{says}")


def test_maxmind_is_asked_with_the_account_and_has_a_checksum() -> None:
    first, second = maxmind_sources(Account("1", "key"))
    assert first.url == "https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=tar.gz"
    assert first.checksum_url == first.url + ".sha256"
    assert (first.kind, first.user, first.password, first.optional) == (Kind.CITY, "1", "key", False)
    assert second.kind is Kind.ASN
