r"""The leases of ISC dhcpd: a journal, in which a later entry for an address takes the place of an earlier one.

    lease 192.168.1.17 {
      ends 3 2025/01/01 00:00:00;          UTC; or `never`; or `epoch 1735689600; # ...`
      binding state active;                any other state: nobody has it now
      hardware ethernet 00:1e:c2:9e:28:6b;
      client-hostname "laptop";            with \" \\ and \303 (octal) as dhcpd escapes what it does not print
    }

dhcpd writes a statement a line. An entry that is not closed yet is passed over.
"""

import re
from calendar import timegm
from collections.abc import Iterator
from typing import Final

from flowtopd.enrich.lan.leases.lease import ENDED, NEVER, Lease, address_in, mac_in, name_in

_BEGIN: Final = re.compile(r"lease (\S+) \{")
_STATEMENT: Final = re.compile(r"(ends|binding state|hardware ethernet|client-hostname) (.*?);(?:\s*#.*)?")
_DATE: Final = re.compile(r"\d (\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)")
_ESCAPED: Final = re.compile(r"\\([0-7]{3}|.)")


def read(text: str) -> Iterator[Lease]:
    """Leases in the order of the file, those that ended too."""
    address, said = None, dict[str, str]()
    for line in map(str.strip, text.splitlines()):
        if begun := _BEGIN.fullmatch(line):
            address, said = address_in(begun[1]), {}
        elif line == "}" and address is not None:
            yield _lease(address, said)
            address = None
        elif stated := _STATEMENT.fullmatch(line):
            said[stated[1]] = stated[2]


def _lease(address: tuple[int, int], said: dict[str, str]) -> Lease:
    active = said.get("binding state", "active") == "active"
    name = name_in(_unquoted(said.get("client-hostname", "")))
    return Lease(address, mac_in(said.get("hardware ethernet", "")), name, _expiry(said) if active else ENDED)


def _expiry(said: dict[str, str]) -> float:
    match said.get("ends", "").split(" "):
        case ["never"]:
            return NEVER
        case ["epoch", seconds] if seconds.isdecimal():
            return float(seconds)
    date = _DATE.fullmatch(said.get("ends", ""))
    try:
        return float(timegm(tuple(map(int, date.groups())))) if date else ENDED
    except ValueError:  # the 13th month
        return ENDED


def _unquoted(text: str) -> str:
    quoted = text.removeprefix('"').removesuffix('"')
    octets = _ESCAPED.sub(lambda code: chr(int(code[1], 8) & 0xFF) if len(code[1]) == 3 else code[1], quoted)
    # dhcpd escapes octets, and what they are as UTF-8 is seen when all of them are there
    return octets.encode("latin-1", "replace").decode(errors="replace")
