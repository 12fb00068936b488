"""flowtopd.enrich.lan.leases.networkd."""

import json
from typing import Any

import pytest

from flowtopd.enrich.lan.leases.lease import NEVER, Lease, address_in
from flowtopd.enrich.lan.leases.networkd import read

MAC = [0, 30, 194, 158, 40, 107]
LAPTOP: dict[str, Any] = {
    "ClientId": [1, *MAC],
    "Address": [192, 168, 1, 17],
    "Hostname": "laptop",
    "HardwareAddressType": 1,
    "HardwareAddressLength": 6,
    "HardwareAddress": MAC,
    "ExpirationUSec": 4711000000,
    "ExpirationRealtimeUSec": 1735689600_000_000,
}
HEAD = {"BootID": "d7f5", "Address": [192, 168, 1, 1], "PrefixLength": 24}


def lease(name: str | None = "laptop", mac: str | None = "00:1e:c2:9e:28:6b", expires_s: float = 1735689600) -> Lease:
    halves = address_in("192.168.1.17")
    assert halves is not None
    return Lease(halves, mac, name, expires_s)


def file(*leases: Any) -> str:
    return json.dumps({**HEAD, "Leases": list(leases)})


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in LAPTOP.items() if key not in keys}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (LAPTOP, lease()),
        ({**LAPTOP, "HardwareAddress": [*MAC, *[0] * 10]}, lease()),
        (without("HardwareAddress", "HardwareAddressLength"), lease()),
        ({**without("HardwareAddress"), "ClientId": [255, 1, 2, 3]}, lease(mac=None)),
        (without("Hostname"), lease(name=None)),
        (without("ExpirationRealtimeUSec"), lease(expires_s=NEVER)),
        ({**LAPTOP, "Hostname": "\x1b[31mred"}, lease(name="[31mred")),
    ],
)
def test_an_entry_is_a_lease(entry: dict[str, Any], expected: Lease) -> None:
    assert list(read(file(entry))) == [expected]
    assert list(read(json.dumps([entry]))) == [expected]


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 1, "x", [], {}, without("Address"), {**LAPTOP, "Address": [192, 168, 1]}),
        *({**LAPTOP, "Address": value} for value in ("192.168.1.17", [1, 2, 3, 256], [1, 2, 3, -1], ["a"] * 4)),
    ],
)
def test_what_is_no_lease_is_passed_over(entry: Any) -> None:
    assert list(read(file(entry, LAPTOP))) == [lease()]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("Hostname", 7, lease(name=None)),
        ("HardwareAddress", "x", lease()),
        ("HardwareAddressLength", -1, lease(mac=None)),
        ("ClientId", {}, lease()),
        ("ExpirationRealtimeUSec", "soon", lease(expires_s=NEVER)),
    ],
)
def test_a_value_of_another_type_is_unknown(key: str, value: Any, expected: Lease) -> None:
    assert list(read(file({**LAPTOP, key: value}))) == [expected]


def test_an_end_beyond_all_numbers_is_far() -> None:
    (found,) = read(file({**LAPTOP, "ExpirationRealtimeUSec": 10**4000}))
    assert found.expires_s > 1e300


@pytest.mark.parametrize("text", ["", "{", "null", "7", '{"Leases": 7}', "[" * 100_000, file(LAPTOP)[:-1]])
def test_a_file_that_is_cut_or_foreign_has_none(text: str) -> None:
    assert list(read(text)) == []
