"""What databases of all makers say about the same addresses."""

from pathlib import Path
from typing import Any

import pytest

from flowtopd.enrich.geoip.mmdb import NOWHERE, Mmdb
from flowtopd.enrich.geoip.records import UNKNOWN, Facts, Kind, Records, kinds
from tests.flowtopd.enrich.geoip.databases import (
    ALL_IN_ONE,
    ASN,
    CITY,
    CLOUD,
    COUNTRY,
    EIGHT,
    FLAT_CITY,
    FLAT_COUNTRY,
    ONE,
    USELESS,
    Networks,
    addresses,
    write,
)

CLOUDFLARE = (13335, "Cloudflare, Inc.")
GOOGLE = (15169, "Google LLC")


def facts(path: Path, *texts: str) -> list[Facts]:
    database = Mmdb(path)
    records = Records(database)
    halves = addresses(*texts)
    found = [
        UNKNOWN if offset == NOWHERE else records.read(offset)
        for offset in database.find(halves[:, 0], halves[:, 1]).tolist()
    ]
    database.close()
    return found


@pytest.mark.parametrize(
    ("networks", "one", "eight"),
    [
        (COUNTRY, Facts("AU"), Facts("US")),
        (CITY, Facts("AU", "Sydney"), Facts("US", "Mountain View")),
        (ASN, Facts(None, None, *CLOUDFLARE), Facts(None, None, *GOOGLE)),
        (FLAT_COUNTRY, Facts("AU"), Facts("US")),
        (FLAT_CITY, Facts("AU", "Sydney"), Facts("US", "Mountain View")),
        (ALL_IN_ONE, Facts("AU", None, *CLOUDFLARE), Facts("US", None, *GOOGLE)),
        (USELESS, UNKNOWN, UNKNOWN),
    ],
    ids=["country", "city", "asn", "flat-country", "flat-city", "all-in-one", "useless"],
)
def test_every_schema_is_read(tmp_path: Path, networks: Networks, one: Facts, eight: Facts) -> None:
    path = write(tmp_path / "x.mmdb", networks)
    assert facts(path, "1.1.1.1", "8.8.8.8", "9.9.9.9", "8.8.8.255") == [one, eight, UNKNOWN, eight]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"country": {"iso_code": "de"}}, Facts("DE")),
        ({"country": {"iso_code": "Germany"}}, UNKNOWN),
        ({"country": {"iso_code": 49}}, UNKNOWN),
        ({"country": {"iso_code": "ÄÖ"}}, UNKNOWN),
        ({"country": {"iso_code": ["DE"]}}, UNKNOWN),
        ({"country": {}, "registered_country": {"iso_code": "FR"}}, Facts("FR")),
        ({"country": "None", "registered_country": {"iso_code": "FR"}}, Facts("FR")),
        ({"country_code": ""}, UNKNOWN),
        ({"city": {"names": {"de": "München"}}}, UNKNOWN),
        ({"city": {"names": "Munich"}}, UNKNOWN),
        ({"city": ""}, UNKNOWN),
        ({"city": "\x1b[31mRed\x07\nTown"}, Facts(city="[31mRed  Town")),
        ({"city": "a\u202eb"}, Facts(city="a b")),
        ({"city": "x" * 1000}, Facts(city="x" * 200)),
        ({"autonomous_system_number": 0}, UNKNOWN),
        ({"autonomous_system_number": 2**40}, UNKNOWN),
        ({"autonomous_system_number": "64496"}, Facts(asn=64496)),
        ({"asn": "AS4200000000"}, Facts(asn=4200000000)),
        ({"asn": "ASx"}, UNKNOWN),
        ({"asn": "9" * 5000}, UNKNOWN),
        ({"asn": True}, UNKNOWN),
        ({"as_name": "Example"}, Facts(org="Example")),
    ],
)
def test_what_a_value_cannot_be_is_unknown(tmp_path: Path, value: dict[str, Any], expected: Facts) -> None:
    assert facts(write(tmp_path / "x.mmdb", {EIGHT: value}), "8.8.8.8") == [expected]


@pytest.mark.parametrize(
    ("networks", "kind", "expected"),
    [
        (COUNTRY, "GeoLite2-Country", {Kind.COUNTRY}),
        (FLAT_COUNTRY, "country ipvAll", {Kind.COUNTRY}),
        (CITY, "DBIP-City-Lite", {Kind.CITY, Kind.COUNTRY}),
        (FLAT_CITY, "whatever", {Kind.CITY, Kind.COUNTRY}),
        (COUNTRY, "GeoLite2-City", {Kind.CITY, Kind.COUNTRY}),
        (ASN, "GeoLite2-Country", {Kind.ASN}),
        (ALL_IN_ONE, "ipinfo country_asn.mmdb", {Kind.COUNTRY, Kind.ASN}),
        (USELESS, "GeoIP2-City", set()),
    ],
)
def test_what_a_file_has_is_told_by_its_contents(
    tmp_path: Path, networks: Networks, kind: str, expected: set[Kind]
) -> None:
    database = Mmdb(write(tmp_path / "GeoLite2-City.mmdb", networks, kind))
    assert kinds(database) == expected
    database.close()


def test_what_many_share_is_remembered_and_still_right(tmp_path: Path) -> None:
    networks: Networks = {
        f"{first}.{second}.0.0/16": {"country": {"iso_code": "DE" if first % 2 else "FR"}, "city": f"{first}.{second}"}
        for first in range(20, 30)
        for second in range(50)
    }
    networks |= {ONE: {"country": {"iso_code": "AU"}}, CLOUD: {"country": {"iso_code": "US"}}}
    texts = [network.replace("0.0/16", "7.7") for network in networks if network.endswith("/16")]
    expected = [Facts("DE" if int(text[:2]) % 2 else "FR", text.removesuffix(".7.7")) for text in texts]
    assert facts(write(tmp_path / "x.mmdb", networks), *texts) == expected
