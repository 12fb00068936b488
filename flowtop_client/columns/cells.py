"""The cells that columns of several views share: texts, amounts, devices, networks.

Rules: what is not known says so. A device without a name is called as Wireshark does, by its vendor and the end of its
MAC address, or by its address.
"""

from typing import Final

from flowtop_client.columns.column import Align, Cell, Column, Cut, Row, Units
from flowtop_client.humanize import UNKNOWN, amount, clean, rate
from flowtop_client.several import HOST_FIELD


def text(_units: Units, values: Row) -> str:
    """The first value that is known: a name before an address, a user before a number."""
    for value in values:
        if value is not None and value != "":
            return clean(str(value))
    return UNKNOWN


def device(_units: Units, values: Row) -> str:
    """Name, else vendor and MAC address."""
    name, mac, vendor = values
    if name or not mac:
        return clean(name) if name else UNKNOWN
    words = (vendor or "").split()
    return clean(f"{words[0].rstrip(',')} {mac[-8:]}" if words else mac)


def network(_units: Units, values: Row) -> str:
    """Organisation, else the number of the autonomous system."""
    organisation, number = values
    if organisation:
        return clean(organisation)
    return UNKNOWN if number is None else f"AS{number}"


def known_sum(values: Row) -> float | None:
    """What the known ones add up to."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def summed(_units: Units, values: Row) -> str:
    """An amount in both directions."""
    return amount(known_sum(values))


def summed_rate(units: Units, values: Row) -> str:
    """A rate in both directions."""
    return rate(known_sum(values), bits=units.bits)


HOST: Final = Column(HOST_FIELD, "HOST", (HOST_FIELD,), "", text, 6, 16, 97, cut=Cut.MIDDLE)
"""Which of several hosts a row is of."""


def number_column(title: str, fields: tuple[str, ...], sort: str, cell: Cell, keep: int) -> Column:
    """A right-aligned column of amounts, with room for the mark of the sorted column."""
    width = len(title) + 1
    return Column(sort, title, fields, sort, cell, width, width, keep, Align.RIGHT, Cut.NEVER)


def shy_column(title: str, fields: tuple[str, ...], least: int, most: int, keep: int, *, cell: Cell = text) -> Column:
    """A column of text that many hosts have nothing for."""
    return Column(title.lower(), title, fields, fields[0], cell, least, most, keep, shy=True)
