"""The leases of dnsmasq: one a line, those of DHCPv6 after the line with the server's DUID.

    1735689600 00:1e:c2:9e:28:6b 192.168.1.17 laptop 01:00:1e:c2:9e:28:6b      expiry, MAC, address, name, client id
    duid 00:01:00:01:2c:9f:...
    1735689600 8246123 fd00:1::17 laptop 00:01:00:01:...                       expiry, IAID, address, name, DUID

`*` is no name. The hardware type stands before a MAC that is not of Ethernet (`06-00:...`). Expiry 0 is never; on a
machine without a clock dnsmasq writes how long a lease is good for (HAVE_BROKEN_RTC), a number that would lie before
1980: from when we cannot know, so such a lease is taken as good.

Addresses of DHCPv6 have no MAC: a DUID may hold one, but that of any interface the device ever had (RFC 8415 11).
"""

from collections.abc import Iterator
from typing import Final

from flowtopd.enrich.lan.leases.lease import NEVER, Lease, address_in, mac_in, name_in

_DURATION_S: Final = 10 * 365 * 86_400


def read(text: str) -> Iterator[Lease]:
    """Leases in the order of the file. A line that is not understood is passed over."""
    for line in text.splitlines():
        match line.split(" "):
            case [expiry, hardware, where, name, _client] if (address := address_in(where)) and expiry.isdecimal():
                expires_s = float(expiry)
                called = None if name == "*" else name_in(name)
                yield Lease(address, mac_in(hardware), called, NEVER if expires_s < _DURATION_S else expires_s)
