"""Files and words that others have written: leases, databases, configurations, filters, what /proc and children say.

    seeds ─ mutated ─▶ parser ─▶ what it declares, or an error that it declares

What is taken out of a file to be shown is looked at too: one line, nothing that a terminal obeys, not too long.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import numpy as np

from flowtop_client.condition import NoSuchFieldError, check, fits
from flowtop_client.preferences import reading, toml_edit
from flowtopd import config
from flowtopd.enrich import services
from flowtopd.enrich.geoip.mmdb import BrokenDatabaseError, Mmdb
from flowtopd.enrich.geoip.records import Kind, Records, kinds
from flowtopd.enrich.lan import ethers
from flowtopd.enrich.lan.leases import dhcpd, dnsmasq, kea, networkd
from flowtopd.enrich.lan.leases.lease import Lease
from flowtopd.enrich.process import cgroup_name
from flowtopd.enrich.rdns.hostname import host_name
from flowtopd.flows.snapshot import Snapshot
from flowtopd.geoip_update import job, mirrors
from flowtopd.query.predicate import TooSlowError, matches
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.filter_syntax import FilterSyntaxError
from flowtopd.wire.messages import View
from flowtopd.wire.regex import Regex
from flowtopd.wire.regex_parser import RegexError
from stress.fuzz.mutate import mutated, mutated_text
from stress.fuzz.run import WrongAnswer
from tests.flowtopd.enrich.geoip import databases
from tests.flowtopd.query.tables import table

PATIENCE_S: Final = 3.0
"""Of processor time, for one input: a parser that takes longer can be made to hang."""
_NESTED: Final = ("[" * 3000, '{"a":' * 3000, "(" * 3000, "not " * 900, "9" * 5000, "0x" + "f" * 5000)
"""Deep and long: what recursion and conversion of numbers have limits for."""
_WHERE: Final = Path("a.conf")


class Texts:
    """Texts like the seeds, and a parser. `parse` returns whether it took one, and raises nothing but `errors`."""

    def __init__(
        self,
        seeds: Iterable[str],
        parse: Callable[[str], bool],
        errors: type[Exception] | tuple[type[Exception], ...] = (),
        words: Sequence[str] = (),
        *,
        most: int = 8192,
    ) -> None:
        self.last: object = ""
        self._seeds = tuple(seeds)
        self._parse, self._errors, self._most = parse, errors, most
        self._words = (*words, *_NESTED) if most > len(_NESTED[0]) else tuple(words)

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        text = mutated_text(chance.choice(self._seeds), chance, self._words, most=self._most)
        self.last = text
        began_s = time.process_time()
        try:
            taken = self._parse(text)
        except self._errors as error:
            must_be_plain(str(error))
            taken = False
        if time.process_time() - began_s > PATIENCE_S:
            raise WrongAnswer(f"it takes {time.process_time() - began_s:.1f} s")
        return taken


def must_be_plain(text: str | None, most: int = 10_000) -> None:
    """Raise WrongAnswer for a text that must not be written to a terminal, a log or a file name as it is."""
    if text is not None and (not text.isprintable() or len(text) > most):
        raise WrongAnswer(f"not to be shown: {text!a:.200}")


# leases


def _leases(read: Callable[[str], Iterable[Lease]]) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        found = list(read(text.encode(errors="replace").decode(errors="replace")))
        for one in found:
            must_be_plain(one.name, 253)
            must_be_plain(one.mac, 17)
            if one.expires_s != one.expires_s or not all(0 <= half < 1 << 64 for half in one.address):
                raise WrongAnswer(f"no lease: {one}")
        return bool(found)

    return parse


_DNSMASQ: Final = (
    "1735689600 00:1e:c2:9e:28:6b 192.168.1.17 laptop 01:00:1e:c2:9e:28:6b\nduid 00:01:00:01:2c:9f\n"
    "0 06-00:1e:c2:9e:28:6b 192.168.1.18 * *\n1735689600 8246123 fd00:1::17 phone 00:01:00:01\n"
)
_DHCPD: Final = (
    "lease 192.168.1.17 {\n  starts 3 2025/01/01 00:00:00;\n  ends 3 2025/01/01 12:00:00;\n  binding state active;\n"
    '  hardware ethernet 00:1e:c2:9e:28:6b;\n  client-hostname "lap\\303\\244top";\n}\n'
    "lease 192.168.1.18 {\n  ends epoch 1735689600; # Wed\n  binding state free;\n}\n"
    'lease 192.168.1.19 {\n  ends never;\n  client-hostname "\\"x\\\\\\033[31m";\n}\n'
)
_KEA: Final = (
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"
    "192.168.1.17,00:1e:c2:9e:28:6b,01:00,3600,1735689600,1,0,0,laptop.lan.,0\n"
    "192.168.1.18,52:54:00:11:22:33,,4294967295,1735689600,1,0,0,a&#x2cb&#x1b,0\n"
)
_NETWORKD: Final = json.dumps(
    {
        "BootID": "x",
        "Leases": [
            {"ClientId": [1, 0, 30, 194, 158, 40, 107], "Address": [192, 168, 1, 17], "Hostname": "laptop"},
            {
                "Address": [192, 168, 1, 18],
                "HardwareAddressLength": 6,
                "HardwareAddress": [0, 30, 194, 158, 40, 107, 0],
                "Hostname": "\x1b[31m\ud800",
                "ExpirationRealtimeUSec": 1735689600000000,
            },
        ],
    }
)
_LEASE_WORDS: Final = (
    "192.168.1.17",
    "fd00::1%lo",
    "\\377",
    "&#x0a",
    "epoch 99999999999999999999",
    "};\n",
    "null",
    "-1",
)


def lease_files() -> Sequence[tuple[str, Callable[[], Texts]]]:
    """A parser for each DHCP server."""
    formats = ((dnsmasq, _DNSMASQ), (dhcpd, _DHCPD), (kea, _KEA), (networkd, _NETWORKD))
    return [
        (module.__name__.rpartition(".")[2], partial(Texts, [seed], _leases(module.read), (), _LEASE_WORDS))
        for module, seed in formats
    ]


# what the owner has written


def _ethers(text: str) -> bool:
    found = ethers.read(text)
    for mac, name in found.items():
        must_be_plain(mac, 17)
        must_be_plain(name, 253)
    return bool(found)


def _ports(text: str) -> bool:
    names, mistakes = services.parse_conf(text, _WHERE)
    by_protocol, more = services.parse_services(text, _WHERE)
    for one in [*mistakes, *more]:
        must_be_plain(one)
    for found in (names, *by_protocol.values()):
        for port, name in found.items():
            must_be_plain(name, services.LONGEST_NAME)
            if not 0 < port < 1 << 16:
                raise WrongAnswer(f"port {port}")
    return bool(names)


def _geoip_conf(text: str) -> bool:
    sources, mistakes = mirrors.parse_mirrors(text, _WHERE)
    for mistake in mistakes:
        must_be_plain(mistake)
    for source in sources:
        must_be_plain(source.url)
    return bool(sources)


def _daemon_config(text: str) -> bool:
    config.parse(text, _WHERE)
    return True


def _viewer_config(text: str) -> bool:
    read = reading.read(text)  # its warnings are cleaned where they are drawn
    with contextlib.suppress(toml_edit.UneditableError):
        toml_edit.edited(text, {("theme",): "light", ("columns", "flows"): ["process"]})
    return not read.warnings


_FLOWTOPD_TOML: Final = """\
# a comment
[conntrack]
sysctl = "while-running"
activate = true
[access]
group = "flowtop"  # who may look
admin_group = ""
[geoip]
files = ["/var/lib/x.mmdb", '/y']
account_id = 123
license_key = "secret"
[history]
closed = 60
"""
_CONFIG_TOML: Final = """\
theme = "light"
interval = 2.0
filter = "tcp and not country DE"
protocols = ["tcp", "udp"]
[columns]
flows = ["process", "address", "port", "rate"]
[sort]
flows = "bytes:desc"
[keys]
pause = ["p"]
"""
_TOML_WORDS: Final = (
    '\n"\\u001b[31m\\n" = 1\n',
    '"""',
    "'''",
    "[[",
    "]]",
    "{}",
    "1979-05-27T07:32:00Z",
    "0b1",
    "inf",
    "nan",
    "a.b.c",
    "\\u0000",
    "1e999",
)
_PORT_WORDS: Final = ("443, https", "0", "65536", "/tcp", "/udp", "tcp", "#", ",,")
_MIRROR_WORDS: Final = ("https://", "http://[::1", "@", ":0", "../", "#", "?", "/geoip/", "city.mmdb", "user:pw@")


def port_names() -> Texts:
    """tcp.conf, udp.conf and /etc/services."""
    return Texts(["443, https\n51820,wireguard # x\n", "ssh 22/tcp\ndomain 53/udp dns\n"], _ports, (), _PORT_WORDS)


def geoip_conf() -> Texts:
    """geoip.conf."""
    seed = "# x\n203.0.113.7\nhttp://router.lan:8080/databases/\nhttps://example.org/GeoLite2-City.mmdb\n"
    return Texts([seed], _geoip_conf, (), _MIRROR_WORDS)


def ethers_file() -> Texts:
    """/etc/ethers."""
    return Texts(["00:1e:c2:9e:28:6b laptop # x\n0:1:2:3:4:5 192.0.2.1\n"], _ethers, (), _LEASE_WORDS)


def daemon_config() -> Texts:
    """flowtopd.toml."""
    return Texts([_FLOWTOPD_TOML], _daemon_config, config.ConfigError, _TOML_WORDS)


def viewer_config() -> Texts:
    """config.toml, read and edited."""
    return Texts([_CONFIG_TOML], _viewer_config, (), _TOML_WORDS)


# filters

_FILTERS: Final = (
    "tcp and dst port 443",
    "process firefox and not country DE",
    "host 192.168.1.7 or net 10.0.0.0/8 or net fd00::/8",
    "rate > 1M and duration < 1m or bytes >= 10Mi",
    r'name ~ \.example\.com$ or city "New York"',
    "remote country US and port 6000-6100",
    "device tv or nat !~ x",
    '(src host 1.1.1.1 && !closed) || "a b\\"c"',
)
_FILTER_WORDS: Final = (
    *(
        " and ",
        " or ",
        "not ",
        "!",
        "(",
        ")",
        " ~ ",
        " !~ ",
        " = ",
        "host ",
        "net ",
        "port ",
        "rate > ",
        "src ",
        "local ",
    ),
    *(
        "country ",
        "state ",
        "status ",
        "*",
        "?",
        "10.0.0.0/8",
        "fd00::/8",
        "1Ti",
        "9" * 400,
        "1e5",
        "-1",
        "mac ",
        "pid ",
    ),
)
_PATTERNS: Final = (
    r"\.example\.com$",
    "^(a|b)*c{2,5}$",
    r"[a-z\d][^0-9-]+",
    r"(?:x+)+y",
    r"\x41\w\W\s.",
    "a{,3}|b?c*?",
)
_PATTERN_WORDS: Final = (
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{2,5}",
    "{99}",
    "*",
    "+",
    "?",
    "|",
    "^",
    "$",
    "\\",
    "\\d",
    "(?:",
    "[^",
)
_SEARCHED: Final = ("www.example.com", "a" * 60, "", "x" * 40 + "!", "grün ß İ", "A\nB")


@cache
def _flows() -> Snapshot:
    return table(5, 60)


class _Filter:
    """A filter that is understood is asked of flows, and of the rows of a view."""

    def __init__(self) -> None:
        self._view = View.HOSTS
        self._row: dict[str, Any] = dict.fromkeys(VIEW_FIELDS[self._view])

    def __call__(self, text: str) -> bool:
        try:
            node = parse_filter(text)
        except FilterSyntaxError as error:
            if not 0 <= error.offset <= len(text):
                raise WrongAnswer(f"a mistake at {error.offset} of {len(text)}") from None
            raise
        if node is None:
            return True
        try:
            if matches(node, _flows()).shape != (_flows().size,):
                raise WrongAnswer("no mask")
            check(node, self._view)
            fits(node, self._row, self._view)
        except (TooSlowError, NoSuchFieldError):
            pass
        return True


def filters() -> Texts:
    """Filters as viewers send them."""
    return Texts(_FILTERS, _Filter(), FilterSyntaxError, _FILTER_WORDS)


def _search(pattern: str) -> bool:
    regex = Regex(pattern)
    for text in _SEARCHED:
        if regex.search(text) not in {True, False}:
            raise WrongAnswer("neither yes nor no")
    return True


def patterns() -> Texts:
    """Regular expressions."""
    return Texts(_PATTERNS, _search, RegexError, _PATTERN_WORDS, most=512)


# databases

_SOME: Final = ("1.1.1.1", "8.8.8.8", "203.0.113.9", "2606:4700::1111", "::1", "255.255.255.255")


@cache
def _written() -> tuple[bytes, ...]:
    """Databases in all schemas, and with all widths of records."""
    made = []
    descriptor = os.memfd_create("flowtop-fuzz", os.MFD_CLOEXEC)
    try:
        for number, networks in enumerate(
            (databases.COUNTRY, databases.CITY, databases.ASN, databases.FLAT_CITY, databases.ALL_IN_ONE)
        ):
            path = Path(f"/proc/self/fd/{descriptor}")
            databases.write(path, networks, bits=(24, 28, 32)[number % 3], ip_version=4 if number == 2 else 6)
            made.append(path.read_bytes())
    finally:
        os.close(descriptor)
    return tuple(made)


class Databases:
    """A MaxMind DB file that was tampered with: opened, asked what it has, asked for addresses."""

    def __init__(self) -> None:
        self.last: object = b""
        self._whole = _written()
        self._asked = databases.addresses(*_SOME)
        self._descriptor = os.memfd_create("flowtop-fuzz", os.MFD_CLOEXEC)
        self._path = Path(f"/proc/self/fd/{self._descriptor}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)

    def __call__(self, chance: Random) -> bool:
        """See `Attempt`."""
        whole = chance.choice(self._whole)
        # most of a file is its tree: values and description are hit as often
        at = whole.find(bytes(16)) if chance.getrandbits(2) else 0
        self.last = data = whole[:at] + mutated(whole[at:], chance)
        if not data:
            return False
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        try:
            database = Mmdb(self._path)
        except BrokenDatabaseError as error:
            must_be_plain(str(error))
            return False
        try:
            return self._ask(database)
        except BrokenDatabaseError:
            return False
        finally:
            database.close()

    def _ask(self, database: Mmdb) -> bool:
        kinds(database)
        records = Records(database)
        offsets = database.find(self._asked[:, 0], self._asked[:, 1])
        for offset in offsets[offsets >= 0].tolist():
            facts = records.read(offset)
            must_be_plain(facts.country, 2)
            must_be_plain(facts.city, 200)
            must_be_plain(facts.org, 200)
            if facts.asn is not None and not 0 < facts.asn < 1 << 32:
                raise WrongAnswer(f"AS number {facts.asn}")
        database.check_tree()
        return bool(np.any(offsets >= 0))


# names, and what children say


def _named(text: str) -> bool:
    name = host_name(text)
    must_be_plain(name, 253)
    return name is not None


def host_names() -> Texts:
    """Answers of the resolver."""
    return Texts(
        ["web.example.", "xn--80ak6aa92e.com", "a_b-c.d", "192.0.2.1"], _named, (), (".", "-", "xn--"), most=400
    )


def _answer(text: str) -> bool:
    answer = job.read_answer(text.encode(errors="replace"))
    if isinstance(answer, job.Failed):
        must_be_plain(answer.reason)
    return True


def child_answers() -> Texts:
    """Lines of the child that fetches databases."""
    receipt = job.Receipt("https://example.org/a.mmdb", "00", "etag", "today")
    answers = (
        job.Got(1, None),
        job.Done(None, None),
        job.Done(Kind.CITY, receipt, 1, 2),
        job.Failed("no such host"),
    )
    seeds = [job.answer_line(answer).decode() for answer in answers]
    return Texts(seeds, _answer, (ValueError, RecursionError), ("null", "true", '"', "{", "}", "1e999", "-"))


def _cgroup(text: str) -> bool:
    found = cgroup_name.name_of(text)
    cgroup_name.pod_of(text)
    return found.unit is not None or found.container is not None


def cgroup_paths() -> Texts:
    """Paths of control groups."""
    seeds = (
        "/system.slice/nginx.service",
        "/machine.slice/machine-a\\x1bb.scope",
        "/lxc.payload.web/x.service (deleted)",
    )
    return Texts(seeds, _cgroup, (), ("/", ".scope", "lxc.payload.", "\\x0a", "a" * 64))
