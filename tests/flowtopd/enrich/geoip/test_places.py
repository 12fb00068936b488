"""Which databases are asked, when, and what they say."""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flowtopd.enrich.geoip.places import DIRECTORY, NO_PLACE, Places
from flowtopd.flows.dimensions import Place
from tests.flowtopd.enrich.geoip.databases import (
    ALL_IN_ONE,
    ASN,
    CITY,
    COUNTRY,
    EIGHT,
    FLAT_COUNTRY,
    USELESS,
    Networks,
    address,
    addresses,
    write,
)

GOOGLE = Place("US", "Mountain View", 15169, "Google LLC")
MARS: Networks = {EIGHT: {"country_code": "MA"}}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def places(here: Path, there: Path) -> Iterator[Places]:
    found = Places((), (here, there))
    yield found
    found.close()


def eight(places: Places) -> Place:
    return places.place(address("8.8.8.8"))


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# which databases


def test_with_nothing_installed_the_packaged_table_answers(places: Places) -> None:
    assert eight(places) == Place("US")
    assert places.place(address("2a01:4f8::1")) == Place("DE")


def test_the_packaged_table_is_not_unpacked_where_there_is_a_better_one(here: Path, tmp_path: Path) -> None:
    write(here / "x.mmdb", FLAT_COUNTRY)
    places = Places((), (here,), packaged=tmp_path / "not there")
    assert eight(places) == Place("US")
    places.close()


def test_a_packaged_table_that_is_gone_is_said_once(
    here: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places((), (here,), packaged=tmp_path / "gone")
    assert eight(places) == eight(places) == NO_PLACE
    write(here / "asn.mmdb", ASN)
    assert places.refresh()
    assert complaints(caplog) == [f"{tmp_path}/gone: No such file or directory; it is not used"]
    places.close()


def test_city_and_networks_come_together(places: Places, here: Path, there: Path) -> None:
    write(here / "GeoLite2-ASN.mmdb", ASN, "GeoLite2-ASN")
    write(there / "GeoLite2-City.mmdb", CITY, "GeoLite2-City")
    assert eight(places) == GOOGLE
    assert places.place(address("2606:4700::1")) == Place("US")


def test_a_city_goes_before_a_country_wherever_it_is(places: Places, here: Path, there: Path) -> None:
    write(here / "country.mmdb", MARS)
    write(there / "city.mmdb", CITY)
    assert eight(places) == Place("US", "Mountain View")


def test_the_first_directory_goes_before_the_second(places: Places, here: Path, there: Path) -> None:
    write(here / "z.mmdb", MARS, built_s=1)
    write(there / "a.mmdb", COUNTRY, built_s=2_000_000_000)
    assert eight(places) == Place("MA")


def test_in_one_directory_the_newest_is_taken(places: Places, here: Path) -> None:
    write(here / "dbip-country-lite-2026-01.mmdb", COUNTRY, built_s=1_700_000_000)
    write(here / "a.mmdb", MARS, built_s=1_800_000_000)
    assert eight(places) == Place("MA")


def test_a_configured_file_goes_before_all_and_in_its_order(here: Path, tmp_path: Path) -> None:
    write(here / "city.mmdb", CITY)
    first = write(tmp_path / "first", MARS, built_s=1)
    second = write(tmp_path / "second", COUNTRY, built_s=2)
    places = Places((tmp_path / "missing", first, second), (here,))
    assert eight(places) == Place("MA")
    places.close()


def test_one_file_may_have_it_all(places: Places, here: Path) -> None:
    write(here / "country_asn.mmdb", ALL_IN_ONE)
    assert eight(places) == Place("US", None, 15169, "Google LLC")


def test_hidden_files_and_others_are_no_databases(places: Places, here: Path) -> None:
    write(here / ".update-1.mmdb", MARS)
    write(here / "country.mmdb.old", MARS)
    assert eight(places) == Place("US")


# what they say


def test_only_addresses_that_can_be_anywhere_are_looked_up(places: Places, here: Path) -> None:
    halves: Networks = {"0.0.0.0/1": {"country_code": "AA"}, "128.0.0.0/1": {"country_code": "BB"}}
    write(here / "x.mmdb", halves | {"8000::/1": {"country_code": "CC"}, "2000::/3": {"country_code": "DD"}})
    local = (
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.1"),
        *("172.31.255.255", "192.168.1.1", "224.0.0.251", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fd00::1", "ff02::fb"),
    )
    assert places.places(addresses(*local)) == [NO_PLACE] * len(local)
    public = {
        "AA": ("9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1"),
        "BB": ("172.15.255.255", "172.32.0.0", "223.255.255.255"),
        "DD": ("2000::", "3fff::1"),
    }
    for country, texts in public.items():
        assert places.places(addresses(*texts)) == [Place(country)] * len(texts)


def test_an_address_behind_nat64_is_the_ipv4_that_it_is(places: Places) -> None:
    assert places.place(address("64:ff9b::8.8.8.8")) == Place("US")
    assert places.place(address("64:ff9b::192.168.1.1")) == NO_PLACE


def test_equal_places_are_one_object(places: Places, here: Path) -> None:
    write(here / "city.mmdb", CITY)
    one, other, *_ = places.places(addresses("8.8.8.1", "8.8.8.200", "1.1.1.1"))
    assert one is other


def test_no_addresses_are_no_places(places: Places) -> None:
    assert places.places(addresses()) == []


def test_a_hundred_thousand_addresses_take_a_fraction_of_a_second(places: Places) -> None:
    chance = np.random.default_rng(1)
    low = chance.integers(0, 1 << 32, 100_000, np.uint64) | np.uint64(0xFFFF << 32)
    many = np.stack([np.zeros_like(low), low], axis=1)
    eight(places)
    before = time.process_time()
    found = places.places(many)
    assert time.process_time() - before < 1
    assert sum(place.country is not None for place in found) > 60_000


# what changes


def test_nothing_new_is_nothing_new(places: Places, here: Path) -> None:
    write(here / "x.mmdb", COUNTRY)
    assert places.refresh()
    assert not places.refresh()
    os.utime(here)
    assert not places.refresh()


def test_a_new_version_is_taken_and_the_old_one_read_until_then(places: Places, here: Path) -> None:
    write(here / "x.mmdb", COUNTRY)
    assert eight(places) == Place("US")
    write(here / "new", MARS).replace(here / "x.mmdb")
    assert eight(places) == Place("US")
    assert places.refresh()
    assert eight(places) == Place("MA")


def test_a_removed_file_leaves_its_place_to_the_next(places: Places, here: Path, there: Path) -> None:
    write(here / "city.mmdb", CITY)
    write(there / "country.mmdb", MARS)
    assert eight(places).city == "Mountain View"
    (here / "city.mmdb").unlink()
    assert eight(places).city == "Mountain View"
    assert places.refresh()
    assert eight(places) == Place("MA")
    (there / "country.mmdb").unlink()
    assert places.refresh()
    assert eight(places) == Place("US")


def test_a_change_elsewhere_changes_no_answers(places: Places, here: Path, there: Path) -> None:
    write(here / "city.mmdb", CITY)
    places.refresh()
    write(there / "country.mmdb", MARS)
    assert not places.refresh()
    write(there / "asn.mmdb", ASN)
    assert places.refresh()
    assert eight(places) == GOOGLE


# what is broken


@pytest.mark.parametrize("content", [b"", b"<html>", None], ids=["empty", "html", "truncated"])
def test_a_broken_file_is_said_once_and_the_next_is_asked(
    places: Places, here: Path, there: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    broken = write(here / "GeoLite2-City.mmdb", CITY)
    broken.write_bytes(broken.read_bytes()[:-500] if content is None else content)
    write(there / "country.mmdb", MARS)
    assert eight(places) == Place("MA")
    os.utime(broken)
    write(there / "asn.mmdb", ASN)
    places.refresh()
    assert eight(places) == Place("MA", None, 15169, "Google LLC")
    (line,) = complaints(caplog)
    assert line.startswith(f"{broken}: not a MaxMind DB file")
    assert "/proc" not in line
    write(broken, CITY)
    assert places.refresh()
    assert eight(places).city == "Mountain View"


def test_a_file_of_another_type_is_said_with_its_type(
    places: Places, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(here / "GeoIP2-City.mmdb", USELESS, "GeoIP2-Connection-Type")
    assert eight(places) == Place("US")
    (line,) = complaints(caplog)
    assert "no countries, cities or networks in it (its type is 'GeoIP2-Connection-Type')" in line


def test_a_configured_file_that_is_missing_is_said_once(
    here: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places((tmp_path / "mine.mmdb",), (here,))
    assert eight(places) == Place("US")
    places.refresh()
    assert complaints(caplog) == [f"{tmp_path}/mine.mmdb: No such file or directory; it is not used"]
    write(tmp_path / "mine.mmdb", MARS)
    assert places.refresh()
    assert eight(places) == Place("MA")
    places.close()


def test_a_file_cut_short_in_place_leaves_its_addresses_unknown_until_refreshed(
    places: Places, here: Path, there: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(here / "city.mmdb", CITY)
    write(there / "country.mmdb", MARS)
    whole = path.read_bytes()
    assert eight(places).city == "Mountain View"
    with path.open("r+b") as file:
        file.truncate(0)
    assert eight(places) == eight(places) == NO_PLACE
    assert places.refresh()
    assert eight(places) == Place("MA")
    assert complaints(caplog)[0] == f"{path}: cut short while it was open; it is not used"
    path.write_bytes(whole)
    assert places.refresh()
    assert eight(places).city == "Mountain View"


def test_a_damaged_value_ends_the_use_of_its_file(
    places: Places, here: Path, there: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(here / "city.mmdb", CITY)
    write(there / "country.mmdb", MARS)
    places.refresh()
    damaged = bytearray(path.read_bytes())
    at = damaged.index(bytes(16)) + 16
    damaged[at : damaged.index(b"\xab\xcd\xefMaxMind.com")] = b"\xe9" * (damaged.index(b"\xab\xcd\xefMaxMind.com") - at)
    with path.open("r+b") as file:
        file.write(damaged)
    assert eight(places) == NO_PLACE
    assert places.refresh()
    assert eight(places) == Place("MA")
    assert complaints(caplog) == [f"{path}: its data is damaged; it is not used"]


def test_a_directory_that_cannot_be_read_is_as_good_as_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = Places((), (tmp_path / "file", tmp_path / "none"))
    assert eight(places) == Place("US")
    places.close()


def test_nothing_stays_open(here: Path, there: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    places = Places((), (here, there))
    for networks in (COUNTRY, CITY, ASN, ALL_IN_ONE, USELESS):
        write(here / "new", networks).replace(here / "x.mmdb")
        places.refresh()
        eight(places)
    shutil.rmtree(here)
    places.refresh()
    places.close()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_updates_go_where_they_are_looked_for_first() -> None:
    assert Places()._directories[0] == DIRECTORY


def test_what_the_databases_can_tell_is_known_once_they_were_asked(places: Places, here: Path) -> None:
    assert places.known is None
    eight(places)
    assert places.known == ("country",)
    write(here / "asn.mmdb", ASN)
    write(here / "city.mmdb", CITY)
    places.refresh()
    assert places.known == ("city", "country", "asn")
    places.close()
    assert places.known is None
