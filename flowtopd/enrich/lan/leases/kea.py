"""The leases of Kea (memfile): CSV with a header, in which a later line for an address takes the place of an earlier.

    address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,...      kea-leases4.csv
    192.168.1.17,00:1e:c2:9e:28:6b,,3600,1735689600,1,0,0,laptop,0,...

Columns come and go with versions: they are found by their names. State 0 is in use, any other is not; a lifetime of 0
is how a line takes a lease back, one of 2^32-1 never ends. A comma inside a value is written as `&#x2c`. Lease type 2
of DHCPv6 is a prefix, not an address.
"""

import re
from collections.abc import Iterator
from typing import Final

from flowtopd.enrich.lan.leases.lease import ENDED, NEVER, Lease, address_in, mac_in, name_in

_FOREVER: Final = "4294967295"
_PREFIX: Final = "2"
_ESCAPED: Final = re.compile(r"&#x([0-9a-fA-F]{2})")


def read(text: str) -> Iterator[Lease]:
    """Leases in the order of the file, those that ended too. The last line counts when its end is there."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return
    columns = lines[0].rstrip().split(",")
    for line in lines[1:]:
        values = line.rstrip("\r\n").split(",")
        if line.endswith("\n") and len(values) == len(columns):
            lease = _lease(dict(zip(columns, values, strict=True)))
            if lease is not None:
                yield lease


def _lease(row: dict[str, str]) -> Lease | None:
    address = address_in(row.get("address", ""))
    if address is None or row.get("lease_type") == _PREFIX:
        return None
    name = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), row.get("hostname", ""))
    return Lease(address, mac_in(row.get("hwaddr", "")), name_in(name), _expiry(row))


def _expiry(row: dict[str, str]) -> float:
    expire, lifetime = row.get("expire", ""), row.get("valid_lifetime")
    if row.get("state", "0") != "0" or lifetime == "0" or not expire.isdecimal():
        return ENDED
    return NEVER if lifetime == _FOREVER else float(expire)
