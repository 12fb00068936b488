"""flowtopd.enrich.lan.vendors: files as the IEEE publishes them, and those of this system."""

import os
from pathlib import Path

import pytest

from flowtopd.enrich.lan.vendors import DIRECTORIES, FILES, Vendors

OUI = """\
OUI/MA-L                                                    Organization                                 \r
company_id                                                  Organization                                 \r
\r
00-1E-C2   (hex)\t\tApple, Inc.\r
001EC2     (base 16)\t\tApple, Inc.\r
\t\t\t\t1 Infinite Loop\r
\r
70-B3-D5   (hex)\t\tIEEE Registration Authority\r
70B3D5     (base 16)\t\tIEEE Registration Authority\r
\r
AC-DE-48   (hex)\t\tPrivate\r
ACDE48     (base 16)\t\tPrivate\r
\r
00-00-01   (hex)\t\t\x1b[31mB\xe4d\r
000001     (base 16)\t\t\x1b[31mB\xe4d\r
"""
MAM = """\
74-1A-E0   (hex)\t\tMedium Ltd\r
900000-9FFFFF     (base 16)\t\tMedium Ltd\r
"""
OUI36 = """\
70-B3-D5   (hex)\t\tTELEPLATFORMS\r
F2F000-F2FFFF     (base 16)\t\tTELEPLATFORMS\r
\r
74-1A-E0   (hex)\t\tSmall Ltd\r
901000-901FFF     (base 16)\t\tSmall Ltd\r
"""
IAB = """\
00-50-C2                      (hex)                         DEUTA-WERKE GmbH                             \r
7D5000-7D5FFF                 (base 16)                     DEUTA-WERKE GmbH                             \r
\r
74-1A-E0                      (hex)                         Late Ltd                                     \r
900000-9FFFFF                 (base 16)                     Late Ltd                                     \r
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    directory = tmp_path / "ieee-data"
    directory.mkdir()
    for name, text in zip(FILES, (OUI, MAM, OUI36, IAB), strict=True):
        (directory / name).write_bytes(text.encode("latin-1"))
    return directory


@pytest.mark.parametrize(
    ("mac", "vendor"),
    [
        ("00:1e:c2:9e:28:6b", "Apple, Inc."),
        ("74:1a:e0:90:00:00", "Medium Ltd"),
        ("74:1a:e0:9f:ff:ff", "Medium Ltd"),
        ("74:1a:e0:90:10:00", "Small Ltd"),
        ("74:1a:e0:8f:ff:ff", None),
        ("74:1a:e0:a0:00:00", None),
        ("70:b3:d5:f2:f1:23", "TELEPLATFORMS"),
        ("70:b3:d5:f3:00:00", None),
        ("00:50:c2:7d:51:23", "DEUTA-WERKE GmbH"),
        ("ac:de:48:00:11:22", None),
        ("02:1e:c2:9e:28:6b", None),
        ("00:00:01:00:00:00", "[31mB\ufffdd"),
        ("00:99:99:00:00:00", None),
    ],
)
def test_the_narrowest_range_names_the_vendor(registry: Path, mac: str, vendor: str | None) -> None:
    assert Vendors([registry]).of([mac]) == {mac: vendor}


def test_a_made_up_mac_has_no_vendor_even_where_its_block_has_one(registry: Path) -> None:
    (registry / "oui.txt").write_text(OUI.replace("00-1E-C2", "02-1E-C2").replace("001EC2", "021EC2"))
    assert Vendors([registry]).of(["02:1e:c2:9e:28:6b"]) == {"02:1e:c2:9e:28:6b": None}


def test_a_hundred_of_one_block_have_the_same_vendor(registry: Path) -> None:
    macs = [f"00:1e:c2:00:00:{number:02x}" for number in range(100)]
    assert Vendors([registry]).of(iter(macs)) == dict.fromkeys(macs, "Apple, Inc.")


def test_files_are_read_for_what_is_new_only(registry: Path) -> None:
    vendors = Vendors([registry])
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Apple, Inc."}
    stamps = {name: (registry / name).stat() for name in FILES}
    for name in FILES:  # the same to look at, but empty
        (registry / name).write_bytes(bytes(stamps[name].st_size))
        os.utime(registry / name, ns=(stamps[name].st_atime_ns, stamps[name].st_mtime_ns))
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Apple, Inc."}
    assert vendors.of(["00:1e:c2:00:00:00"]) == {"00:1e:c2:00:00:00": None}
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": None}, "what nobody asks for is forgotten"


def test_a_registry_that_changes_is_read_again(registry: Path) -> None:
    vendors = Vendors([registry])
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Apple, Inc."}
    (registry / "oui.txt").write_text(OUI.replace("Apple, Inc.", "Pear"))
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Pear"}


def test_the_first_directory_that_has_a_registry_is_asked(registry: Path, tmp_path: Path) -> None:
    other = tmp_path / "hwdata"
    other.mkdir()
    vendors = Vendors([tmp_path / "missing", other, registry])
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Apple, Inc."}
    (other / "oui.txt").write_text(OUI.replace("Apple, Inc.", "Pear"))
    assert vendors.of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": "Pear"}


@pytest.mark.parametrize("content", [b"", bytes(5000), b"\xff" * 5000, b"00-1E-C2   (hex)\n001EC2     (base 16)"])
def test_a_damaged_registry_knows_nobody(tmp_path: Path, content: bytes) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(content)
    assert Vendors([tmp_path]).of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": None}


def test_without_a_registry_nobody_is_known(tmp_path: Path) -> None:
    assert Vendors([tmp_path / "missing"]).of(["00:1e:c2:9e:28:6b"]) == {"00:1e:c2:9e:28:6b": None}
    assert Vendors([]).of([]) == {}


@pytest.mark.skipif(not any((directory / "oui.txt").exists() for directory in DIRECTORIES), reason="no ieee-data here")
def test_the_registry_of_this_system_is_understood() -> None:
    found = Vendors().of(["00:00:0c:11:22:33", "b8:27:eb:11:22:33", "70:b3:d5:f2:f1:23"])
    assert found["00:00:0c:11:22:33"] == "Cisco Systems, Inc"
    assert found["b8:27:eb:11:22:33"] == "Raspberry Pi Foundation"
    assert found["70:b3:d5:f2:f1:23"] == "TELEPLATFORMS"
