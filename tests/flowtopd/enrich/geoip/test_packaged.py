"""The country table in the package."""

from pathlib import Path

import pytest

from flowtopd.enrich.geoip.mmdb import BrokenDatabaseError
from flowtopd.enrich.geoip.packaged import PACKAGED, unpack
from flowtopd.enrich.geoip.records import Kind, Records, kinds
from tests.flowtopd.enrich.geoip.databases import addresses


def descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_it_knows_countries_of_both_families() -> None:
    database = unpack(PACKAGED)
    assert kinds(database) == {Kind.COUNTRY}
    halves = addresses("8.8.8.8", "5.9.0.1", "2606:4700::1111", "2a01:4f8::1")
    records = Records(database)
    found = [records.read(offset).country for offset in database.find(halves[:, 0], halves[:, 1]).tolist()]
    assert found == ["US", "DE", "US", "DE"]
    database.check_tree()
    database.close()


def test_it_is_small_enough_for_a_package() -> None:
    assert PACKAGED.stat().st_size < 1_400_000


def test_nothing_is_left_behind() -> None:
    before = descriptors()
    unpack(PACKAGED).close()
    assert descriptors() == before


@pytest.mark.parametrize("content", [b"", b"no xz at all", PACKAGED.read_bytes()[:100_000]])
def test_a_damaged_one_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "country.mmdb.xz"
    path.write_bytes(content)
    before = descriptors()
    with pytest.raises(BrokenDatabaseError):
        unpack(path)
    assert descriptors() == before
