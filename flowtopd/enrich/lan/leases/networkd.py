"""The leases of the DHCP server in systemd-networkd (since systemd 256): one JSON object an interface.

    {"BootID": ..., "Address": [192, 168, 1, 1], "PrefixLength": 24, "Leases": [
       {"ClientId": [1, 0, 30, 194, 158, 40, 107], "Address": [192, 168, 1, 17], "Hostname": "laptop",
        "HardwareAddressType": 1, "HardwareAddressLength": 6, "HardwareAddress": [0, 30, 194, 158, 40, 107],
        "ExpirationUSec": 4711000000, "ExpirationRealtimeUSec": 1735689600000000}]}

In versions before the release the list stands alone, and the MAC is in the client id alone (of type 1, Ethernet). The
time that is counted from the start of the machine says nothing here: without the other one a lease is taken as good,
since networkd takes expired ones out.
"""

import json
from collections.abc import Iterator
from typing import Any

from flowtopd.enrich.lan.leases.lease import MAPPED, NEVER, Lease, mac_of, name_in


def read(text: str) -> Iterator[Lease]:
    """Leases in the order of the file. A file that is cut has none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    leases = found.get("Leases") if isinstance(found, dict) else found
    for entry in leases if isinstance(leases, list) else ():
        if isinstance(entry, dict) and (lease := _lease(entry)) is not None:
            yield lease


def _lease(entry: dict[str, Any]) -> Lease | None:
    octets, client, hardware = (_octets(entry.get(key)) for key in ("Address", "ClientId", "HardwareAddress"))
    if len(octets) != 4:
        return None
    size = entry.get("HardwareAddressLength")
    if hardware and isinstance(size, int):
        hardware = hardware[:size]  # some versions write the whole field of 16 octets
    elif client[:1] == b"\1":
        hardware = client[1:]
    name = entry.get("Hostname")
    expires_us = entry.get("ExpirationRealtimeUSec")
    return Lease(
        (0, MAPPED | int.from_bytes(octets)),
        mac_of(hardware),
        name_in(name) if isinstance(name, str) else None,
        expires_us // 1_000_000 if isinstance(expires_us, int) else NEVER,
    )


def _octets(value: Any) -> bytes:
    """The octets in a list of numbers; none where it is anything else."""
    try:
        return bytes(value) if isinstance(value, list) else b""
    except (TypeError, ValueError):
        return b""
