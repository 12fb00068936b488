"""What is noted about a file counts only for that file."""

import os
import tempfile
from pathlib import Path

import pytest

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.job import Receipt
from flowtopd.geoip_update.receipts import NAME, find, install, remove_leftovers

RECEIPT = Receipt("https://a/asn.mmdb", "ab" * 32, "etag", "yesterday")


def put(directory: Path, kind: Kind = Kind.ASN, receipt: Receipt = RECEIPT, content: bytes = b"content") -> None:
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as file:
        file.write(content)
        file.flush()
        install(directory, kind, file, Path(file.name), receipt)


def test_a_file_is_found_again_by_its_url(tmp_path: Path) -> None:
    put(tmp_path)
    other = Receipt("https://a/city.mmdb", "cd" * 32)
    put(tmp_path, Kind.CITY, other)
    assert find(tmp_path, RECEIPT.url) == (Kind.ASN, RECEIPT)
    assert find(tmp_path, other.url) == (Kind.CITY, other)
    assert find(tmp_path, "https://b/asn.mmdb") is None
    assert {path.name for path in tmp_path.iterdir()} == {"asn.mmdb", "city.mmdb", NAME}
    assert (tmp_path / "asn.mmdb").read_bytes() == b"content"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_a_file_that_is_another_now_is_not(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "asn.mmdb").write_bytes(b"another")
    assert find(tmp_path, RECEIPT.url) is None
    put(tmp_path)
    os.utime(tmp_path / "asn.mmdb", (0, 0))
    assert find(tmp_path, RECEIPT.url) is None
    (tmp_path / "asn.mmdb").unlink()
    assert find(tmp_path, RECEIPT.url) is None


def test_a_new_version_replaces_the_note(tmp_path: Path) -> None:
    put(tmp_path)
    newer = Receipt(RECEIPT.url, "ef" * 32)
    put(tmp_path, receipt=newer)
    assert find(tmp_path, RECEIPT.url) == (Kind.ASN, newer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 5000,
        "[]",
        '{"asn": 1}',
        '{"asn": {"file": 1}}',
        '{"../../etc/passwd": {}}',
        '{"asn": {"url": "https://a/asn.mmdb"}}',
    ],
)
def test_notes_that_cannot_be_read_are_no_notes(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert find(tmp_path, RECEIPT.url) is None
    put(tmp_path)
    assert find(tmp_path, RECEIPT.url) == (Kind.ASN, RECEIPT)


def test_what_a_killed_update_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".update-abc", "asn.mmdb", "update-x", NAME):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"asn.mmdb", "update-x", NAME}
