"""What ports are called, what is said about mistakes, and which side of a flow is the service."""

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from flowtopd.enrich import services
from flowtopd.enrich.services import LONGEST_NAME, UDPLITE, Names, Sides, load, parse_conf, parse_services, sides
from flowtopd.flows.dimensions import ServiceBy
from flowtopd.flows.names import DCCP, GRE, SCTP, TCP, UDP
from flowtopd.netlink.ctrecord import Has
from tests.flowtopd.batches import Flow, batch

FILE = Path("tcp.conf")
ICMP = 1
WITH_PORTS = (TCP, UDP, UDPLITE, SCTP, DCCP)


def called(names: Names, proto: int, port: int) -> str | None:
    numbers: list[int] = names.ids(np.array([proto], np.uint8), np.array([port], np.uint16)).tolist()
    return names.texts[numbers[0]]


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# conf files


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("443, https", {443: "https"}),
        ("443, https\n80, http\n", {443: "https", 80: "http"}),
        ("443,https", {443: "https"}),
        (" \t443 \t,\t https  ", {443: "https"}),
        ("443, https\r\n80, http\r\n", {443: "https", 80: "http"}),
        ("# 443, https", {}),
        ("# a form feed\x0c443, https\x85 80, http", {}),
        ("443, https # the web", {443: "https"}),
        ("443, https#the web, of course", {443: "https"}),
        ("\n\n  \n443, https\n\n", {443: "https"}),
        ("", {}),
        ("#\n#", {}),
        ("1, first\n65535, last", {1: "first", 65535: "last"}),
        ("00080, http", {80: "http"}),
        ("8080, my  own\tproxy", {8080: "my-own-proxy"}),
        ("8080, büro", {8080: "büro"}),
        ("8080, a\x1b[31mred\x00\x07", {8080: "a[31mred"}),
        ("8080, \u202eevil\u200b", {8080: "evil"}),
        ("8080, " + "x" * 31, {8080: "x" * LONGEST_NAME}),
        ("8080, sql*net/2.0+(x)", {8080: "sql*net/2.0+(x)"}),
    ],
)
def test_a_line_is_a_port_a_comma_and_a_name(text: str, names: dict[int, str]) -> None:
    assert parse_conf(text, FILE) == (names, [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("443 https", "wants a port, a comma and a name"),
        ("https", "wants a port, a comma and a name"),
        ("443, https, tls", "wants a port, a comma and a name"),
        ("443,", "wants a name"),
        ("443, \x07", "wants a name"),
        ("443, # https", "wants a name"),
        (", https", "wants a port from 1 to 65535"),
        ("0, none", "wants a port from 1 to 65535"),
        ("65536, none", "wants a port from 1 to 65535"),
        ("99999999999999999999, none", "wants a port from 1 to 65535"),
        ("-1, none", "wants a port from 1 to 65535"),
        ("+443, none", "wants a port from 1 to 65535"),
        ("4_43, none", "wants a port from 1 to 65535"),
        ("0x50, none", "wants a port from 1 to 65535"),
        ("4 43, none", "wants a port from 1 to 65535"),
        ("٤٤٣, none", "wants a port from 1 to 65535"),
        ("https, 443", "wants a port from 1 to 65535"),
        ("6000-6007, x11", "wants a port from 1 to 65535"),
        ("22, again", "wants each port once"),
        ("443, b\udcfcro", "wants a name in UTF-8"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_rest_is_used(line: str, says: str) -> None:
    names, mistakes = parse_conf(f"22, ssh\n{line}\n80, http\n", FILE)
    assert names == {22: "ssh", 80: "http"}
    (mistake,) = mistakes
    assert mistake.startswith(f"tcp.conf:2: {says}, got '")
    assert mistake.isascii()
    assert mistake.isprintable()


def test_of_many_mistakes_the_first_ten_are_named_and_the_others_counted() -> None:
    names, mistakes = parse_conf("wrong\n" * 1000 + "80, http", FILE)
    assert names == {80: "http"}
    assert [mistake.split(": ")[0] for mistake in mistakes[:-1]] == [f"tcp.conf:{number}" for number in range(1, 11)]
    assert mistakes[-1] == "tcp.conf: 990 more lines are not used"


def test_a_mistake_shows_only_the_beginning_of_a_long_line() -> None:
    _names, (mistake,) = parse_conf("x" * 100_000, FILE)
    assert len(mistake) < 200


@given(st.text(max_size=300) | st.text(alphabet="0123456789, #\n\r\tab\x00\x85\udc80", max_size=300))
def test_whatever_the_text_names_are_clean_and_ports_are_ports(text: str) -> None:
    names, mistakes = parse_conf(text, FILE)
    for port, name in names.items():
        assert 1 <= port <= 65535
        assert name.isprintable()
        assert name == "".join(name.split())
        assert 1 <= len(name) <= LONGEST_NAME
    assert len(mistakes) <= 11


# /etc/services


def test_services_have_a_name_a_port_and_a_protocol() -> None:
    text = "# x\nssh\t\t22/tcp\ndomain 53/udp nameserver  # comment\namqp 5672/sctp\ndiscard 9/dccp\nrtmp 1/ddp\n\n"
    assert parse_services(text, FILE) == (
        {TCP: {22: "ssh"}, UDP: {53: "domain"}, SCTP: {5672: "amqp"}, DCCP: {9: "discard"}},
        [],
    )


def test_in_services_the_first_name_of_a_port_counts_and_the_second_is_no_mistake() -> None:
    names, mistakes = parse_services("http 80/tcp\nwww 80/tcp\n", FILE)
    assert (names[TCP], mistakes) == ({80: "http"}, [])


@pytest.mark.parametrize(
    "line", ["ssh", "ssh 22", "ssh 22,tcp", "ssh x/tcp", "ssh 0/tcp", "ssh 65536/tcp", "b\udcfc 1/tcp"]
)
def test_a_mistake_in_services_is_named_too(line: str) -> None:
    names, (mistake,) = parse_services(f"http 80/tcp\n{line}\n", Path("services"))
    assert names[TCP] == {80: "http"}
    assert mistake.startswith("services:2: wants ")


# where the names are from


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    (tmp_path / "packaged").mkdir()
    for protocol in ("tcp", "udp"):
        (tmp_path / "packaged" / f"{protocol}.conf").write_text(f"1000, packaged-{protocol}\n")
    return tmp_path / "packaged"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    path = tmp_path / "services"
    path.write_text(
        "system 1000/tcp\nsystem 1000/udp\nbehind 1001/tcp\nown 1002/sctp\nshared 1002/tcp\nown 1000/dccp\n"
    )
    return path


def test_a_conf_file_of_the_host_goes_before_the_packaged_one(mine: Path, packaged: Path, system: Path) -> None:
    (mine / "tcp.conf").write_text("1003, mine\n")
    names = load((mine, packaged), system)
    assert called(names, TCP, 1003) == "mine"
    assert called(names, TCP, 1000) == "system"
    assert called(names, UDP, 1000) == "packaged-udp"


def test_behind_the_conf_files_is_what_the_system_says(mine: Path, packaged: Path, system: Path) -> None:
    names = load((mine, packaged), system)
    assert called(names, TCP, 1000) == "packaged-tcp"
    assert called(names, TCP, 1001) == "behind"


def test_each_protocol_has_its_names(mine: Path, packaged: Path, system: Path) -> None:
    names = load((mine, packaged), system)
    assert called(names, UDPLITE, 1000) == "packaged-udp"
    assert called(names, SCTP, 1000) == "packaged-tcp"
    assert called(names, DCCP, 1000) == "own"
    assert [called(names, proto, 1002) for proto in (TCP, SCTP, DCCP)] == ["shared", "own", "shared"]
    assert called(names, UDP, 1001) is None


def test_no_files_are_no_names_and_no_complaints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = load((tmp_path,), tmp_path / "services")
    assert list(names.texts) == [None]
    assert called(names, TCP, 443) is None
    assert complaints(caplog) == []


def test_mistakes_are_logged_once_with_the_path(
    mine: Path, packaged: Path, system: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (mine / "udp.conf").write_text("1003, mine\n53 domain\n")
    names = load((mine, packaged), system)
    assert called(names, UDP, 1003) == "mine"
    assert complaints(caplog) == [f"{mine}/udp.conf:2: wants a port, a comma and a name, got '53 domain'"]


def test_a_file_with_a_byte_order_mark_is_read(mine: Path, caplog: pytest.LogCaptureFixture) -> None:
    (mine / "tcp.conf").write_bytes(b"\xef\xbb\xbf443, mine\r\n")
    assert called(load((mine,), mine / "services"), TCP, 443) == "mine"
    assert complaints(caplog) == []


def test_a_name_that_is_not_utf8_is_a_mistake_and_a_comment_is_none(
    mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (mine / "tcp.conf").write_bytes(b"# f\xfcr uns\n1, b\xfcro\n2, b\xc3\xbcro\n")
    names = load((mine,), mine / "services")
    assert [called(names, TCP, port) for port in (1, 2)] == [None, "büro"]
    assert complaints(caplog) == [f"{mine}/tcp.conf:2: wants a name in UTF-8, got '1, b\\udcfcro'"]


def test_a_directory_in_the_place_of_a_file_is_named_and_the_packaged_file_used(
    mine: Path, packaged: Path, system: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (mine / "tcp.conf").mkdir()
    assert called(load((mine, packaged), system), TCP, 1000) == "packaged-tcp"
    assert complaints(caplog) == [f"{mine}/tcp.conf: Is a directory; it is not used"]


@pytest.mark.parametrize(
    ("target", "says"), [("tcp.conf", "Too many levels of symbolic links"), ("/proc/self/mem", "Input/output error")]
)
def test_a_file_that_cannot_be_read_is_named_and_the_packaged_one_used(
    mine: Path, packaged: Path, caplog: pytest.LogCaptureFixture, target: str, says: str
) -> None:
    (mine / "tcp.conf").symlink_to(target)
    assert called(load((mine, packaged), mine / "services"), TCP, 1000) == "packaged-tcp"
    assert complaints(caplog) == [f"{mine}/tcp.conf: {says}; it is not used"]


def test_a_file_that_may_not_be_read_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with tempfile.TemporaryDirectory() as directory:  # nobody gets into tmp_path but who made it
        Path(directory).chmod(0o755)
        path = Path(directory, "tcp.conf")
        path.write_text("1000, mine\n")
        path.chmod(0)
        with as_nobody():
            names = load((Path(directory),), Path(directory, "services"))
    assert list(names.texts) == [None]
    assert complaints(caplog) == [f"{path}: Permission denied; it is not used"]


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    uid = os.geteuid()
    os.seteuid(65534 if uid == 0 else uid)
    try:
        yield
    finally:
        os.seteuid(uid)


def test_services_that_cannot_be_read_are_named_and_the_conf_files_used(
    packaged: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert called(load((packaged,), tmp_path), TCP, 1000) == "packaged-tcp"
    assert complaints(caplog) == [f"{tmp_path}: Is a directory; it is not used"]


def test_of_a_file_without_end_the_beginning_is_used(mine: Path, caplog: pytest.LogCaptureFixture) -> None:
    (mine / "tcp.conf").write_text("80, http\n" + "#" * (5 << 20) + "\n81, late\n")
    (mine / "udp.conf").symlink_to("/dev/zero")
    names = load((mine,), mine / "services")
    assert list(names.texts) == [None, "http"]
    assert complaints(caplog) == [
        f"{mine}/{protocol}.conf: longer than 4194304 bytes; the rest is not used" for protocol in ("tcp", "udp")
    ]


# the names that come with the program


def test_ports_that_everybody_uses_have_their_names() -> None:
    names = load((services.PACKAGED,), Path("/none"))
    known = {
        TCP: {22: "ssh", 25: "smtp", 53: "domain", 80: "http", 143: "imap", 443: "https", 993: "imaps", 3306: "mysql"}
        | {5432: "postgresql", 6379: "redis", 8080: "http-alt", 25565: "minecraft", 27017: "mongodb"},
        UDP: {53: "domain", 67: "bootps", 123: "ntp", 443: "https", 500: "isakmp", 1194: "openvpn", 1900: "ssdp"}
        | {3478: "stun", 4500: "ipsec-nat-t", 5353: "mdns", 51820: "wireguard"},
    }
    for proto, ports in known.items():
        assert {port: called(names, proto, port) for port in ports} == ports


def test_this_host_has_names(caplog: pytest.LogCaptureFixture) -> None:
    """With whatever is in /etc here."""
    names = load()
    assert called(names, TCP, 22) == "ssh"
    assert not [line for line in complaints(caplog) if not line.startswith("/etc/")]


def test_what_is_no_port_has_no_name() -> None:
    names = load((services.PACKAGED,), Path("/none"))
    assert {called(names, proto, 443) for proto in set(range(256)) - set(WITH_PORTS)} == {None}
    assert {called(names, proto, 0) for proto in range(256)} == {None}


def test_equal_names_are_one_and_of_unknown_protocols_are_none() -> None:
    names = Names({TCP: {53: "domain", 54: "other"}, UDP: {53: "domain"}, GRE: {1: "key"}})
    assert called(names, UDP, 53) == called(names, TCP, 53) == "domain"
    assert list(names.texts).count("domain") == 1
    assert called(names, GRE, 1) is None


# which side is the service

NAMES = Names({TCP: {22: "ssh", 443: "https", 40000: "high"}, UDP: {53: "domain"}})


@dataclass(frozen=True, slots=True)
class Asked:
    """A flow, what of it is here, and which ports are listened on."""

    sport: int
    dport: int
    proto: int = TCP
    reply_sport: int | None = None
    src_here: bool = False
    dst_here: bool = False
    ports: bool = True


def ask(*asked: Asked, listening: dict[int, frozenset[int]] | None = None, names: Names = NAMES) -> Sides:
    columns: dict[str, NDArray[Any]] = {
        "proto": np.array([each.proto for each in asked], np.uint8),
        "sport": np.array([each.sport for each in asked], np.uint16),
        "dport": np.array([each.dport for each in asked], np.uint16),
        "reply_sport": np.array(
            [each.dport if each.reply_sport is None else each.reply_sport for each in asked], np.uint16
        ),
        "has": np.array([Has.COUNTERS | (Has.PORTS if each.ports else 0) for each in asked], np.uint8),
    }
    src_here, dst_here = (
        np.array([getattr(each, name) for each in asked], np.bool_) for name in ("src_here", "dst_here")
    )
    return sides(columns, src_here, dst_here, listening or {}, names)


def answers(found: Sides, names: Names = NAMES) -> list[tuple[str | None, int, ServiceBy]]:
    return [
        (names.texts[service], port, ServiceBy(by))
        for service, port, by in zip(found.service.tolist(), found.port.tolist(), found.by.tolist(), strict=True)
    ]


LISTENING = {TCP: frozenset((9999, 40000, 50000)), UDP: frozenset((5000,))}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        # the answers come from a listener of this host
        (Asked(443, 9999, dst_here=True), (None, 9999, ServiceBy.LISTENING)),
        (Asked(22, 40000, dst_here=True), ("high", 40000, ServiceBy.LISTENING)),
        (Asked(50000, 9999, src_here=True, dst_here=True), (None, 9999, ServiceBy.LISTENING)),
        (Asked(1000, 5000, proto=UDP, dst_here=True), (None, 5000, ServiceBy.LISTENING)),
        # behind dnat it is the port of the answers that is listened on, and the client's that is shown
        (Asked(33000, 443, reply_sport=9999, dst_here=True), ("https", 443, ServiceBy.LISTENING)),
        (Asked(33000, 9999, reply_sport=443, dst_here=True), (None, 9999, ServiceBy.LOWER)),
        # a listener of this host seems to open it
        (Asked(50000, 33000, src_here=True), (None, 50000, ServiceBy.LISTENING)),
        (Asked(50000, 443, src_here=True), (None, 50000, ServiceBy.LISTENING)),
        # somebody else's port, or another protocol's
        (Asked(33000, 9999, src_here=True), (None, 9999, ServiceBy.LOWER)),
        (Asked(50000, 33000, dst_here=True), (None, 33000, ServiceBy.LOWER)),
        (Asked(1000, 5000, dst_here=True), (None, 1000, ServiceBy.LOWER)),
        (Asked(1000, 5000, proto=UDPLITE, dst_here=True), (None, 1000, ServiceBy.LOWER)),
        # one has a name
        (Asked(33000, 443), ("https", 443, ServiceBy.KNOWN)),
        (Asked(1000, 40000), ("high", 40000, ServiceBy.KNOWN)),
        (Asked(443, 33000), ("https", 443, ServiceBy.KNOWN)),
        (Asked(0, 443), ("https", 443, ServiceBy.KNOWN)),
        (Asked(443, 53, proto=UDP), ("domain", 53, ServiceBy.KNOWN)),
        # both, or neither
        (Asked(443, 22), ("ssh", 22, ServiceBy.LOWER)),
        (Asked(22, 443), ("ssh", 22, ServiceBy.LOWER)),
        (Asked(443, 443), ("https", 443, ServiceBy.LOWER)),
        (Asked(33000, 1234), (None, 1234, ServiceBy.LOWER)),
        (Asked(1234, 33000), (None, 1234, ServiceBy.LOWER)),
        (Asked(7, 7), (None, 7, ServiceBy.LOWER)),
        (Asked(65535, 1), (None, 1, ServiceBy.LOWER)),
        # port 0 is nobody's
        (Asked(0, 33000), (None, 33000, ServiceBy.LOWER)),
        (Asked(33000, 0), (None, 33000, ServiceBy.LOWER)),
        (Asked(0, 0, proto=DCCP), (None, 0, ServiceBy.NONE)),
        # no ports
        (Asked(22, 443, proto=GRE), (None, 0, ServiceBy.NONE)),
        (Asked(22, 443, ports=False), (None, 0, ServiceBy.NONE)),
        (Asked(9999, 9999, ports=False, src_here=True, dst_here=True), (None, 0, ServiceBy.NONE)),
        (Asked(8, 0, proto=ICMP, ports=False), (None, 0, ServiceBy.NONE)),
    ],
    ids=str,
)
def test_the_service_is_told_by_the_first_rule_that_fits(
    asked: Asked, answer: tuple[str | None, int, ServiceBy]
) -> None:
    assert answers(ask(asked, listening=LISTENING)) == [answer]


def slowly(asked: Asked, listening: dict[int, frozenset[int]], names: Names) -> tuple[str | None, int, ServiceBy]:
    """The same, as the table in the module says it."""
    if not asked.ports or asked.proto not in WITH_PORTS or asked.sport == asked.dport == 0:
        return None, 0, ServiceBy.NONE
    heard = listening.get(asked.proto, frozenset())
    from_port = asked.dport if asked.reply_sport is None else asked.reply_sport
    src_name, dst_name = (called(names, asked.proto, port) for port in (asked.sport, asked.dport))
    src, dst = (src_name, asked.sport), (dst_name, asked.dport)
    if asked.dst_here and from_port in heard:
        return (*dst, ServiceBy.LISTENING) if asked.dport else (None, 0, ServiceBy.NONE)
    if asked.src_here and asked.sport in heard:
        return (*src, ServiceBy.LISTENING)
    if src_name and not dst_name:
        return (*src, ServiceBy.KNOWN)
    if dst_name and not src_name:
        return (*dst, ServiceBy.KNOWN)
    lower = min(((dst, 1), (src, 2)), key=lambda side: (side[0][1] == 0, side[0][1], side[1]))[0]
    return (*lower, ServiceBy.LOWER)


ports = st.sampled_from((0, 1, 2, 22, 53, 443, 5000, 9999, 32768, 40000, 50000, 65534, 65535))
flows = st.builds(
    Asked,
    sport=ports,
    dport=ports,
    proto=st.sampled_from((*WITH_PORTS, GRE, ICMP, 0, 255)),
    reply_sport=st.none() | ports,
    src_here=st.booleans(),
    dst_here=st.booleans(),
    ports=st.booleans() | st.just(value=True),
)
listeners = st.dictionaries(
    st.sampled_from((*WITH_PORTS, GRE)), st.frozensets(ports.filter(bool), max_size=6), max_size=3
)


@given(st.lists(flows, max_size=40), listeners)
def test_many_at_once_are_told_as_one_after_the_other(asked: list[Asked], listening: dict[int, frozenset[int]]) -> None:
    found = ask(*asked, listening=listening)
    assert answers(found) == [slowly(each, listening, NAMES) for each in asked]
    assert [column.dtype.str for column in (found.service, found.port, found.by)] == ["<i4", "<u2", "|u1"]


def test_the_columns_of_a_dump_are_what_it_takes() -> None:
    rows = batch(
        Flow(sport=40000, dport=443), Flow(proto=ICMP, sport=None, dport=None, icmp=(8, 0, 1)), Flow(dport=50000)
    )
    here = np.ones(3, np.bool_)
    assert answers(sides(rows.columns, ~here, here, LISTENING, NAMES)) == [
        ("https", 443, ServiceBy.LOWER),
        (None, 0, ServiceBy.NONE),
        (None, 50000, ServiceBy.LISTENING),
    ]


def test_a_hundred_thousand_flows_take_a_few_milliseconds() -> None:
    """It takes 3; the limit leaves room for a machine that does other things as well."""
    chance = np.random.default_rng(1)
    count = 100_000
    columns = {name: chance.integers(0, 1 << 16, count, np.uint16) for name in ("sport", "dport", "reply_sport")}
    columns["proto"] = chance.choice(np.array([TCP, UDP, ICMP], np.uint8), count)
    columns["has"] = np.full(count, Has.PORTS, np.uint8)
    here = chance.random(count) < 0.5
    names = load((services.PACKAGED,), Path("/none"))
    took = []
    for _ in range(5):
        before = time.thread_time()
        sides(columns, here, ~here, LISTENING, names)
        took.append(time.thread_time() - before)
    assert min(took) < 0.015
