"""flowtopd.enrich.lan.leases.lease: words of strangers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.enrich.lan.leases.lease import address_in, mac_in, mac_of, name_in


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("laptop", "laptop"),
        ("laptop.lan.", "laptop.lan"),
        ("Bob's iPhone", "Bob's iPhone"),
        ("Küche", "Küche"),
        ("\x1b[31mred\x07", "[31mred"),
        ("a\nb\tc\u202e\x9bd", "abcd"),
        ("x" * 300, "x" * 63),
        (".".join(["y" * 70] * 9), ".".join(["y" * 63] * 4)[:253]),
        ("", None),
        (" . ", None),
        ("\x00\x01", None),
    ],
)
def test_a_name_is_cleaned_and_bounded(text: str, name: str | None) -> None:
    assert name_in(text) == name


@given(st.text(max_size=2000))
def test_no_name_can_move_a_cursor(text: str) -> None:
    name = name_in(text)
    if name is not None:
        assert 0 < len(name) <= 253
        assert all(len(label) <= 63 for label in name.split("."))
        assert not any(unicodedata.category(character).startswith("C") for character in name)


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("00:1e:c2:9e:28:6b", "00:1e:c2:9e:28:6b"),
        ("00-1E-C2-9E-28-6B", "00:1e:c2:9e:28:6b"),
        ("0:1e:c2:9e:28:b", "00:1e:c2:9e:28:0b"),
        ("06-00:1e:c2:9e:28:6b", None),
        ("00:00:00:00:00:00", None),
        ("00:1e:c2:9e:28", None),
        ("00:1e:c2:9e:28:6g", None),
        ("", None),
    ],
)
def test_a_mac_is_written_one_way(text: str, mac: str | None) -> None:
    assert mac_in(text) == mac


def test_six_octets_are_a_mac_and_no_others() -> None:
    assert mac_of(bytes.fromhex("001ec29e286b")) == "00:1e:c2:9e:28:6b"
    assert mac_of(bytes(6)) is mac_of(b"") is mac_of(bytes(range(1, 21))) is None


def test_an_address_is_two_halves() -> None:
    assert address_in("192.168.1.17") == (0, 0xFFFF_C0A8_0111)
    assert address_in("fd00:1::11") == (0xFD00_0001_0000_0000, 0x11)
    for text in ("", "laptop", "192.168.1", "192.168.1.0/24", "fd00:::1"):
        assert address_in(text) is None
