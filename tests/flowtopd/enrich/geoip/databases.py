"""Tiny databases in the schemas of their makers, all about the same few networks."""

import ipaddress
from pathlib import Path
from typing import Any, Final

import numpy as np
from mmdb_writer import METADATA_MAGIC, Encoder, MMDBWriter, TreeWriter
from netaddr import IPSet  # type: ignore[import-untyped]
from numpy.typing import NDArray

ONE: Final = "1.1.1.0/24"
EIGHT: Final = "8.8.8.0/24"
CLOUD: Final = "2606:4700::/32"

Networks = dict[str, dict[str, Any]]

COUNTRY: Final[Networks] = {
    ONE: {"registered_country": {"iso_code": "AU", "names": {"en": "Australia"}}},
    EIGHT: {
        "continent": {"code": "NA"},
        "country": {"iso_code": "US", "names": {"de": "USA", "en": "United States"}},
        "registered_country": {"iso_code": "CA"},
    },
    CLOUD: {"country": {"iso_code": "US"}},
}
CITY: Final[Networks] = {
    ONE: {"country": {"iso_code": "AU"}, "city": {"names": {"de": "Sydney", "en": "Sydney"}}},
    EIGHT: {
        "city": {"geoname_id": 5375480, "names": {"en": "Mountain View", "ja": "マウンテンビュー"}},
        "country": {"iso_code": "US"},
        "location": {"latitude": 37.4, "longitude": -122.1, "time_zone": "America/Los_Angeles"},
        "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}],
    },
    CLOUD: {"country": {"iso_code": "US"}, "location": {"accuracy_radius": 1000}},
}
ASN: Final[Networks] = {
    ONE: {"autonomous_system_number": 13335, "autonomous_system_organization": "Cloudflare, Inc."},
    EIGHT: {"autonomous_system_number": 15169, "autonomous_system_organization": "Google LLC"},
}
FLAT_COUNTRY: Final[Networks] = {
    ONE: {"country_code": "AU"},
    EIGHT: {"country_code": "us"},
    CLOUD: {"country_code": "US"},
}
FLAT_CITY: Final[Networks] = {
    ONE: {"country_code": "AU", "city": "Sydney", "latitude": "-33.8"},
    EIGHT: {"country_code": "US", "city": "Mountain View", "state1": "California"},
}
ALL_IN_ONE: Final[Networks] = {
    ONE: {"asn": "AS13335", "as_name": "Cloudflare, Inc.", "country": "Australia", "country_code": "AU"},
    EIGHT: {"asn": "AS15169", "as_name": "Google LLC", "country": "United States", "country_code": "US"},
}
USELESS: Final[Networks] = {ONE: {"connection_type": "Cable/DSL"}, EIGHT: {"connection_type": "Corporate"}}


class _Tree(TreeWriter):
    """Writes records of a given size: small trees would all have 24 bits."""

    bits = 24

    def _adjust_record_size(self) -> None:
        super()._adjust_record_size()
        self.record_size = max(self.record_size, self.bits)


def write(
    path: Path,
    networks: Networks,
    kind: str = "Test",
    *,
    ip_version: int = 6,
    bits: int = 24,
    built_s: int = 1_700_000_000,
) -> Path:
    """Make a database file with this type, size of records and age."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type=kind)
    for network, value in networks.items():
        if ip_version == 6 or ":" not in network:
            writer.insert_network(IPSet([network]), value)
    tree = _Tree(writer.tree, writer._build_meta() | {"build_epoch": built_s})
    tree.bits = bits
    tree.write(str(path))
    return path


def one_value(data: bytes) -> bytes:
    """A database of IPv4 in which every address leads to the beginning of this data."""
    meta = {
        "node_count": 1,
        "record_size": 24,
        "ip_version": 4,
        "database_type": "Test",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "description": {},
        "build_epoch": 1,
    }
    tree = (1 + 16).to_bytes(3, "big") * 2
    described: bytes = Encoder(cache=False).encode_meta(meta)
    return tree + bytes(16) + data + METADATA_MAGIC + described


def address(text: str) -> tuple[int, int]:
    """The halves of an address, an IPv4 one as ::ffff:a.b.c.d."""
    ip = ipaddress.ip_address(text)
    number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
    return number >> 64, number & (1 << 64) - 1


def addresses(*texts: str) -> NDArray[np.uint64]:
    """The halves of many."""
    return np.array([address(text) for text in texts], np.uint64).reshape(-1, 2)
