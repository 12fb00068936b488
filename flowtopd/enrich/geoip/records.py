"""What a value of a database says about an address, whatever schema it has.

    nested   {"country": {"iso_code": "DE"}, "city": {"names": {"en": "Berlin"}}}            MaxMind, DB-IP
    flat     {"country_code": "DE", "city": "Berlin"}                                        ip-location-db
             {"country": "DE", "asn": "AS64496", "as_name": "Example"}                       IPinfo
    both     {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}

Rules: some addresses have only a `registered_country`, which is better than none. A country is two capital letters or
unknown; numbers and texts that cannot be what they claim are unknown. Text is of one line and can be printed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowtopd.enrich.geoip.mmdb import Mmdb

_LONGEST_TEXT: Final = 200
_PROBED: Final = 500
_REMEMBERED: Final = 20_000
"""Countries and cities of one database that are kept, some 3 MB."""


class Kind(StrEnum):
    """What a database is asked for."""

    CITY = "city"
    COUNTRY = "country"
    ASN = "asn"


@dataclass(frozen=True, slots=True)
class Facts:
    """One value, read. `country`: ISO 3166-1 alpha-2."""

    country: str | None = None
    city: str | None = None
    asn: int | None = None
    org: str | None = None


UNKNOWN: Final = Facts()


class Records:
    """Reads the values of one database. What many values share, a country or a city, is read once."""

    def __init__(self, database: Mmdb) -> None:
        self._database = database
        self._shared: dict[int, str | None] = {}

    def read(self, offset: int) -> Facts:
        """The facts in the value at `offset`. Raises BrokenDatabaseError."""
        country = registered = code = city = asn = org = None
        for key, at in self._database.entries(offset):
            match key:
                case "country":
                    country = self._once(at, self._country)
                case "registered_country":
                    registered = self._once(at, self._country)
                case "country_code":
                    code = self._once(at, self._country)
                case "city":
                    city = self._once(at, self._city)
                case "autonomous_system_number" | "asn":
                    asn = _number(self._database.scalar(at))
                case "autonomous_system_organization" | "as_name":
                    org = _text(self._database.scalar(at))
        return Facts(country or code or registered, city, asn, org)

    def _once(self, at: int, make: Callable[[int], str | None]) -> str | None:
        place = self._database.shared(at)
        if place not in self._shared:
            if len(self._shared) >= _REMEMBERED:
                self._shared.clear()
            self._shared[place] = make(at)
        return self._shared[place]

    def _country(self, at: int) -> str | None:
        text = self._inner(at, "iso_code")
        if not isinstance(text, str) or len(text) != 2 or not (text.isascii() and text.isalpha()):
            return None
        return text.upper()

    def _city(self, at: int) -> str | None:
        return _text(self._inner(at, "names", "en"))

    def _inner(self, at: int, *path: str) -> str | int | None:
        """The value at `at` itself in a flat file, the one below `path` in a nested one."""
        place = self._database.get(at, *path) if self._database.is_map(at) else at
        return None if place is None else self._database.scalar(place)


def kinds(database: Mmdb) -> frozenset[Kind]:
    """What the database can be asked for, told by values from all over it. Raises BrokenDatabaseError.

    Its own word counts only for a city database, where the probe may have met none but nameless places.
    """
    records = Records(database)
    found = set()
    for offset in database.leaves(_PROBED):
        facts = records.read(int(offset))
        if facts.country:
            found.add(Kind.COUNTRY)
        if facts.city:
            found.add(Kind.CITY)
        if facts.asn:
            found.add(Kind.ASN)
    if Kind.COUNTRY in found and "city" in database.kind.lower():
        found.add(Kind.CITY)
    return frozenset(found)


def _text(value: str | int | None) -> str | None:
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = "".join(character if character.isprintable() else " " for character in value)
    return value.strip()[:_LONGEST_TEXT] or None


def _number(value: str | int | None) -> int | None:
    if isinstance(value, str):
        digits = value.upper().removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    return value if value is not None and 0 < value < 1 << 32 else None
