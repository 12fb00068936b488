"""Numbers as people read them. Values go in, short text comes out; no I/O, no locale.

Rules:
- Unknown (None) is `-`, never 0.
- Amounts are decimal (k = 1000), like the rates that network gear and providers quote, and three digits long:
  `999`, `1.23k`, `45.6M`, `789G`. Five characters hold every amount.
- A rate in bits is exactly eight times the rate in bytes; only the unit differs.
- Durations show what matters at their age: `3s`, `2m`, `1h4m`, `17h`, `5d`. Five characters up to 9 999 days.
"""

from typing import Final

UNKNOWN: Final = "-"

_PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")
_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
_DAY_S: Final = 24 * _HOUR_S


def amount(value: float | None) -> str:
    """A quantity in at most five characters: `0`, `7.5`, `999`, `1.23k`, `12.3M`."""
    if value is None:
        return UNKNOWN
    scaled = float(value)
    prefix = 0
    while scaled >= 999.5 and prefix < len(_PREFIXES) - 1:
        scaled /= 1000
        prefix += 1
    return f"{scaled:.{_decimals(scaled, whole=prefix == 0)}f}{_PREFIXES[prefix]}"


def _decimals(scaled: float, *, whole: bool) -> int:
    """How many digits follow the point; `whole` numbers without a prefix have none unless they are small fractions."""
    if whole:
        return 0 if scaled >= 9.95 or scaled == int(scaled) else 1
    if scaled < 9.995:
        return 2
    return 1 if scaled < 99.95 else 0


def rate(bytes_per_s: float | None, *, bits: bool) -> str:
    """A rate without its unit, for a column whose title says it."""
    if bytes_per_s is None:
        return UNKNOWN
    return amount(bytes_per_s * 8 if bits else bytes_per_s)


def rate_with_unit(bytes_per_s: float | None, *, bits: bool) -> str:
    """A rate with its unit: `1.23 MB/s`, `9.84 Mbit/s`."""
    return _with_unit(rate(bytes_per_s, bits=bits), "bit/s" if bits else "B/s")


def size(value: float | None) -> str:
    """So many bytes, with their unit: `0 B`, `12.3 kB`."""
    return _with_unit(amount(value), "B")


def _with_unit(text: str, unit: str) -> str:
    """An amount with a unit behind its prefix."""
    if text == UNKNOWN:
        return UNKNOWN
    number = text.rstrip("kMGTPE")
    return f"{number} {text[len(number) :]}{unit}"


def duration(seconds: float | None) -> str:
    """An age: `0s`, `59s`, `2m`, `1h4m`, `17h`, `5d`. A clock that was set back makes no negative age."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m"
    if whole < 10 * _HOUR_S:
        minutes = whole % _HOUR_S // _MINUTE_S
        return f"{whole // _HOUR_S}h{minutes}m" if minutes else f"{whole // _HOUR_S}h"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h"
    return f"{whole // _DAY_S}d"


def seconds(value: float) -> str:
    """A span that is usually short: `45 ms`, `1.5 s`, `30 s`."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.3g} s" if value < 999.5 else f"{value:.0f} s"


def count(value: int | None) -> str:
    """A whole number with thin grouping: `100 000`."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", " ")


def endpoint(address: str | None, port: int | None) -> str:
    """An address and a port as people write them, in brackets where it has colons itself."""
    shown = UNKNOWN if address is None else clean(address)
    if port is None or address is None:
        return shown
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def clean(text: str) -> str:
    """Text from the network, made safe for a terminal.

    Control, format (direction overrides, zero width) and unassigned characters, and spaces other than the plain one
    become `?`: nothing can move the cursor, colour the line or pretend to be another text.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)
