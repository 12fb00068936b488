"""The fast reader of databases, compared with maxminddb, and fed with broken ones."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import maxminddb
import numpy as np
import pytest

from flowtopd.enrich.geoip.mmdb import NOWHERE, BrokenDatabaseError, Mmdb
from flowtopd.enrich.geoip.packaged import unpack
from tests.flowtopd.enrich.geoip.databases import CITY, COUNTRY, addresses, one_value, write


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write(tmp_path / "city.mmdb", CITY, "GeoLite2-City")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Mmdb]:
    database = Mmdb(path)
    try:
        yield database
    finally:
        database.close()


def as_python(database: Mmdb, offset: int) -> Any:
    """The maps, texts and whole numbers of a value; what flowtop does not read is None."""
    if not database.is_map(offset):
        return database.scalar(offset)
    return {key: as_python(database, at) for key, at in database.entries(offset)}


def readable(value: Any) -> Any:
    """The same out of what maxminddb says."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    return value if type(value) in {int, str} else None


@pytest.mark.parametrize("bits", [24, 28, 32])
@pytest.mark.parametrize("ip_version", [4, 6])
def test_it_says_what_maxminddb_says(tmp_path: Path, bits: int, ip_version: int) -> None:
    chance = random.Random(bits * ip_version)
    networks: dict[str, dict[str, Any]] = {}
    for number in range(300):
        octets = ".".join(str(chance.randrange(1, 224)) for _ in range(3))
        networks[f"{octets}.0/{chance.randrange(18, 25)}"] = {
            "name": "x" * chance.choice((1, 28, 29, 284, 285, 70_000 if number == 0 else 300)),
            "numbers": {"small": number, "middle": 1 << 20 | number, "large": 1 << 40, "huge": 1 << 100},
            "skipped": [1.5, True, {"deep": [b"bytes", -5]}],
        }
        networks[f"2a{chance.randrange(16):02x}:{number:x}::/{chance.randrange(32, 64)}"] = {"number": number}
    path = write(tmp_path / "random.mmdb", networks, ip_version=ip_version, bits=bits)
    texts = [
        network.split("/")[0].replace(".0", ".9", 1) for network in networks if ip_version == 6 or ":" not in network
    ]
    texts += [f"{chance.randrange(256)}.1.2.3" for _ in range(100)]
    with maxminddb.open_database(path) as oracle, opened(path) as database:
        halves = addresses(*texts)
        found = database.find(halves[:, 0], halves[:, 1])
        for text, offset in zip(texts, found.tolist(), strict=True):
            expected = oracle.get(text)
            assert readable(expected) == (None if offset == NOWHERE else as_python(database, offset)), text
        assert (found != NOWHERE).any()


def test_a_tree_of_more_addresses_than_are_walked_at_once(city: Path) -> None:
    with opened(city) as database:
        many = np.repeat(addresses("8.8.8.8", "9.9.9.9", "2606:4700::1"), 5000, axis=0)
        found = database.find(many[:, 0], many[:, 1]).reshape(3, 5000)
        assert [len(set(row)) for row in found.tolist()] == [1, 1, 1]
        assert (found[1] == NOWHERE).all()
        assert found[0, 0] != found[2, 0]


def test_ipv6_in_a_file_of_ipv4_is_nowhere(tmp_path: Path) -> None:
    with opened(write(tmp_path / "v4.mmdb", COUNTRY, ip_version=4)) as database:
        halves = addresses("2606:4700::1", "8.8.8.8", "::")
        assert (database.find(halves[:, 0], halves[:, 1]) == NOWHERE).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"rubbish" * 1000, b"<html>not found</html>", b"\xab\xcd\xefMaxMind.com"]
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mmdb").write_bytes(content)
    with pytest.raises(BrokenDatabaseError, match="not a MaxMind DB file"):
        Mmdb(tmp_path / "x.mmdb")


def test_a_database_is_refused_wherever_it_is_cut(city: Path, tmp_path: Path) -> None:
    whole = city.read_bytes()
    cut = tmp_path / "cut.mmdb"
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(BrokenDatabaseError):
            Mmdb(cut)


def test_a_tree_that_points_outside_of_the_data_is_refused(city: Path) -> None:
    whole = city.read_bytes()
    city.write_bytes(whole[100:])
    with pytest.raises(BrokenDatabaseError), opened(city) as database:
        database.check_tree()


def test_a_damaged_database_says_so_and_never_more(city: Path, tmp_path: Path) -> None:
    """Every byte once, and some at random: each reading ends, in a value or in BrokenDatabaseError."""
    whole = city.read_bytes()
    halves = addresses("1.1.1.1", "8.8.8.8", "2606:4700::1", "9.9.9.9")
    chance = random.Random(1)
    damages = [{at: whole[at] ^ 0xFF} for at in range(0, len(whole), 3)]
    damages += [{chance.randrange(len(whole)): chance.randrange(256) for _ in range(20)} for _ in range(200)]
    refused = 0
    for number, damage in enumerate(damages):
        damaged = bytearray(whole)
        for at, byte in damage.items():
            damaged[at] = byte
        path = tmp_path / f"{number}.mmdb"
        path.write_bytes(damaged)
        try:
            with opened(path) as database:
                database.check_tree()
                for offset in [*database.find(halves[:, 0], halves[:, 1]).tolist(), *database.leaves(50).tolist()]:
                    if offset != NOWHERE:
                        as_python(database, offset)
        except BrokenDatabaseError:
            refused += 1
        path.unlink()
    assert refused > len(damages) / 10


KEY = b"\x41a"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x41a", "no map"),
        (b"\x20\x02\x20\x00", "damaged"),
        (b"\x27\xff", "damaged"),
        (b"\xe1" + KEY + b"\x20\x05\x20\x05", "damaged"),
        (b"\xe1" + KEY + b"\x5f\xff\xff\xff", "damaged"),
        (b"\xe1" + b"\xe1" * 2000, "damaged"),
        (b"\xff\xff\xff\xff" + KEY * 5000, "no map"),
        (b"\xe2" + KEY + b"\x01\x04" * 100 + KEY + KEY, "damaged"),
        (b"\xe2" + KEY + b"\x1f\x04\xff\xff\xff" + KEY, "damaged"),
        (b"\xe1" + b"\x42\xff\xff" + KEY, "damaged"),
    ],
    ids=[
        *("text", "pointer-to-pointer", "pointer-outside", "pointer-to-itself", "text-outside", "no-end"),
        *("large-map", "deep-array", "large-array", "key-not-utf8"),
    ],
)
def test_a_value_that_is_not_what_it_should_be(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(one_value(data))
    with opened(path) as database:
        (offset,) = database.leaves(10).tolist()
        with pytest.raises(BrokenDatabaseError, match=says):
            as_python(database, offset) if database.is_map(offset) else list(database.entries(offset))


def test_a_file_cut_short_while_it_is_open_is_not_read_again(tmp_path: Path) -> None:
    """Its pages are mapped: reading them would end the process by SIGBUS."""
    path = write(tmp_path / "city.mmdb", CITY)
    halves = addresses("8.8.8.8")
    with opened(path) as database:
        assert database.find(halves[:, 0], halves[:, 1]).tolist() != [NOWHERE]
        path.write_bytes(b"")
        with pytest.raises(BrokenDatabaseError, match="cut short"):
            database.find(halves[:, 0], halves[:, 1])
        for use in (database.check_size, database.check_tree):
            with pytest.raises(BrokenDatabaseError, match="cut short"):
                use()


def test_leaves_come_from_all_over_the_file() -> None:
    database = unpack(Path(__file__).parents[4] / "flowtopd" / "data" / "country.mmdb.xz")
    offsets = database.leaves(50)
    assert 25 <= len(offsets) <= 50
    codes = {as_python(database, offset)["country_code"] for offset in offsets.tolist()}
    assert len(codes) == len(offsets)
    database.close()
