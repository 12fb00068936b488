"""Where databases can be had: the lines of geoip.conf, and MaxMind for who has an account there.

    # comment
    203.0.113.7                               a host: https://203.0.113.7/geoip/country.mmdb, city.mmdb and asn.mmdb
    http://router.lan:8080/databases/         a URL of a directory: the same three files in it
    https://example.org/GeoLite2-City.mmdb    a URL of a file: plain, .gz, .xz, or in a .tar of these

Rules
1. A file's kind is told by its URL: the last part of the path that says city, country or asn, in this order.
2. Files of one kind are tried in the order of their lines until one is good. MaxMind is tried first. Those whose
   URL says nothing are a kind of their own.
3. A directory need not have all three. A country is not fetched where a city database was.
4. A line that is none of these is named with file and line number; the rest is used.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from flowtopd.enrich.geoip.records import Kind

CONF: Final = Path("/etc/flowtop/geoip.conf")
PACKAGED_CONF: Final = Path(__file__).parents[1] / "etc" / "geoip.conf"
MAXMIND_CONF: Final = Path("/etc/GeoIP.conf")
"""Where geoipupdate has account and licence key."""
MAXMIND: Final = "https://download.maxmind.com"
EDITIONS: Final = ("GeoLite2-City", "GeoLite2-ASN")

_HOST: Final = re.compile(r"(?:[0-9A-Za-z_](?:[0-9A-Za-z_.-]*[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_EDITION: Final = re.compile(r"[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Account:
    """Of MaxMind. `editions` are their names of databases."""

    number: str
    key: str
    editions: tuple[str, ...] = EDITIONS


@dataclass(frozen=True, slots=True)
class Source:
    """One file that can be fetched. `kind` None: the URL does not say. `optional`: it need not be there."""

    url: str
    kind: Kind | None
    optional: bool = False
    checksum_url: str = ""
    user: str = ""
    password: str = ""


def read_mirrors(path: Path) -> tuple[list[Source], list[str]]:
    """What geoip.conf names, and a line for each mistake. The default file may be absent: then the packaged one."""
    try:
        return parse_mirrors(*text_of(path))
    except OSError as error:
        return [], [f"{path}: {error.strerror}"]


def text_of(path: Path) -> tuple[str, Path]:
    """The text of this geoip.conf, and the file that it is of. Raises OSError."""
    if path == CONF and not path.exists():
        path = PACKAGED_CONF
    return path.read_text(encoding="utf-8", errors="surrogateescape"), path


def parse_mirrors(text: str, path: Path) -> tuple[list[Source], list[str]]:
    """As `read_mirrors`, of this text; `path` is only for the messages."""
    sources: list[Source] = []
    mistakes = []
    for number, line in enumerate(text.splitlines(), start=1):
        if entry := _COMMENT.sub("", line).strip():
            try:
                sources += _sources(entry)
            except ValueError as error:
                mistakes.append(f"{path}:{number}: {error}, got {_shown(entry)}")
    return sources, mistakes


def _sources(entry: str) -> Iterator[Source]:
    """Yield the files that one line stands for. Raises ValueError with what is wrong."""
    if not (entry.isascii() and entry.isprintable()) or " " in entry:
        raise ValueError("wants one host or URL a line")
    if "://" in entry:
        url = _url(entry)
        if url.path.endswith("/") or not url.path:
            yield from _directory(entry.rstrip("/") + "/")
        else:
            yield Source(entry, _kind(url), checksum_url=entry + ".sha256")
    elif _HOST.fullmatch(entry):
        _url(f"https://{entry}")
        yield from _directory(f"https://{entry}/geoip/")
    else:
        raise ValueError("wants a host, or a URL that begins with https:// or http://")


def _url(entry: str) -> SplitResult:
    try:
        url = urlsplit(entry)
        good = bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not entry.startswith(("https://", "http://")):
        raise ValueError("wants a URL that begins with https:// or http://")
    if not good:
        raise ValueError("wants a host and, if at all, a port from 1 to 65535")
    if url.username is not None:
        raise ValueError("wants no user or password in it")
    if url.fragment or (url.query and url.path.endswith("/")):
        raise ValueError("wants the URL of a file or of a directory")
    return url


def _directory(base: str) -> Iterator[Source]:
    for kind in Kind:
        url = f"{base}{kind}.mmdb"
        yield Source(url, kind, optional=True, checksum_url=url + ".sha256")


def _kind(url: SplitResult) -> Kind | None:
    for part in (url.query, *reversed(url.path.split("/"))):
        for kind in Kind:
            if kind in part.lower():
                return kind
    return None


def read_account(path: Path) -> tuple[Account | None, list[str]]:
    """The account in geoipupdate's configuration, None where there is none, and a line for each mistake."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None, []
    except OSError as error:
        return None, [f"{path}: {error.strerror}"]
    values: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            values[_OLD_NAMES.get(key, key)] = (number, value.strip())
    return _account(values, path)


_OLD_NAMES: Final = {"UserId": "AccountID", "ProductIds": "EditionIDs"}


def _account(values: Mapping[str, tuple[int, str]], path: Path) -> tuple[Account | None, list[str]]:
    number, account = values.get("AccountID", (0, ""))
    _line, key = values.get("LicenseKey", (0, ""))
    if not account or not key or not account.strip("09") or not key.strip("0"):
        return None, []  # nothing, or what the file says before one has filled it in
    if not account.isdecimal():
        return None, [f"{path}:{number}: wants a number, got {_shown(account)}"]
    number, editions = values.get("EditionIDs", (0, " ".join(EDITIONS)))
    good = tuple(edition for edition in editions.split() if _EDITION.fullmatch(edition) and _edition_kind(edition))
    if not good:
        return None, [f"{path}:{number}: wants an edition of City, Country or ASN, got {_shown(editions)}"]
    return Account(account, key, good), []


def maxmind_sources(account: Account, base: str = MAXMIND) -> Iterable[Source]:
    """Yield the files that this account can fetch."""
    for edition in account.editions:
        url = f"{base}/geoip/databases/{edition}/download?suffix=tar.gz"
        yield Source(
            url, _edition_kind(edition), checksum_url=f"{url}.sha256", user=account.number, password=account.key
        )


def _edition_kind(edition: str) -> Kind | None:
    """What an edition has. Their CSV files are of no use."""
    name = edition.lower()
    return None if name.endswith("-csv") else next((kind for kind in Kind if name.endswith(f"-{kind}")), None)


def _shown(text: str) -> str:
    return f"{re.sub('//[^/]*@', '//...@', text)[:60]!a}"
