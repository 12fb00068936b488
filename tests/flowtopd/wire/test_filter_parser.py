"""The filter language: what it means, where mistakes are, and that nothing else comes out of any text."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS, Side
from flowtopd.wire.filter_parser import DEEPEST, LONGEST, MANUAL, MOST_EXPRESSIONS, parse
from flowtopd.wire.filter_syntax import (
    Both,
    Compare,
    Either,
    FilterSyntaxError,
    Flag,
    Network,
    Node,
    Not,
    Op,
    Search,
    Span,
)

TCP, UDP = Flag("proto", "tcp"), Flag("proto", "udp")
V4 = 0xFFFF << 32


def number(value: float) -> Span:
    return Span(value, value)


def port(value: int, side: Side | None = None) -> Compare:
    return Compare("port", Op.EQ, number(value), side)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", None),
        ("  ", None),
        ("tcp", TCP),
        ("TCP", TCP),
        ("tcp and dst port 443", Both((TCP, port(443, Side.DST)))),
        ("tcp dst port 443", Both((TCP, port(443, Side.DST)))),
        ("tcp && !udp", Both((TCP, Not(UDP)))),
        ("tcp || udp", Either((TCP, UDP))),
        ("tcp or udp and port 53", Either((TCP, Both((UDP, port(53)))))),
        ("(tcp or udp) and port 53", Both((Either((TCP, UDP)), port(53)))),
        ("not tcp or udp", Either((Not(TCP), UDP))),
        ("not not tcp", Not(Not(TCP))),
        ("host 192.168.1.7", Compare("host", Op.EQ, Network(V4 | 0xC0A80107, 128))),
        ("192.168.1.7", Compare("host", Op.EQ, Network(V4 | 0xC0A80107, 128))),
        ("src 192.168.1.7", Compare("host", Op.EQ, Network(V4 | 0xC0A80107, 128), Side.SRC)),
        ("net 10.0.0.0/8", Compare("net", Op.EQ, Network(V4 | 10 << 24, 104))),
        ("net 10.1.2.3/8", Compare("net", Op.EQ, Network(V4 | 10 << 24, 104))),
        ("net 192.168.", Compare("net", Op.EQ, Network(V4 | 0xC0A80000, 112))),
        ("net fd00::/8", Compare("net", Op.EQ, Network(0xFD << 120, 8))),
        ("host www.example.com", Compare("host", Op.EQ, "www.example.com")),
        ("host 10.0.0.300.dip.example.net", Compare("host", Op.EQ, "10.0.0.300.dip.example.net")),
        ("host 192.168.1.*", Compare("host", Op.EQ, "192.168.1.*")),
        ("host 10", Compare("host", Op.EQ, "10")),
        ("host face.b00c", Compare("host", Op.EQ, "face.b00c")),
        ("name 10.0.0.300", Compare("name", Op.EQ, "10.0.0.300")),
        ("120.0.6099.129", Search("120.0.6099.129")),
        ("port 6000-6100", Compare("port", Op.EQ, Span(6000, 6100))),
        ("port 0-65535", Compare("port", Op.EQ, Span(0, 65535))),
        ("mark 0xffffffff", Compare("mark", Op.EQ, number(2**32 - 1))),
        ("icmp_type >= 255", Compare("icmp_type", Op.GE, number(255))),
        ("proto 255", Compare("proto", Op.EQ, "255")),
        ("flows > 100000", Compare("flows", Op.GT, number(100_000))),
        ("port != 0x10", Compare("port", Op.NE, number(16))),
        ("port https", Compare("port", Op.EQ, "https")),
        ("remote country DE", Compare("country", Op.EQ, "DE", Side.REMOTE)),
        ("rate > 1M", Compare("rate", Op.GT, number(1e6))),
        ("rate>=1.5k", Compare("rate", Op.GE, number(1500))),
        ("rate > 8Mbit", Compare("rate", Op.GT, number(1e6))),
        ("bytes > 1Ki", Compare("bytes", Op.GT, number(1024))),
        ("duration < 90", Compare("duration", Op.LT, number(90))),
        ("duration < 2h", Compare("duration", Op.LT, number(7200))),
        (r"name ~ \.example\.com$", Compare("name", Op.MATCH, r"\.example\.com$")),
        (r"(name ~ ^(a|b)) or tcp", Either((Compare("name", Op.MATCH, "^(a|b)"), TCP))),
        (r'name !~ "a b\.\"" tcp', Both((Compare("name", Op.MISMATCH, r"a b\.\"".replace('\\"', '"')), TCP))),
        ("process firefox", Compare("process", Op.EQ, "firefox")),
        ('process "or"', Compare("process", Op.EQ, "or")),
        (r'process "a \"b\" \\"', Compare("process", Op.EQ, 'a "b" \\')),
        ("process *", Compare("process", Op.EQ, "*")),
        ("pid *", Compare("pid", Op.EQ, "*")),
        ("nat", Not(Flag("nat", "none"))),
        ("nat snat", Compare("nat", Op.EQ, "snat")),
        ("device tv or nat", Either((Compare("device", Op.EQ, "tv"), Not(Flag("nat", "none"))))),
        ("firefox", Search("firefox")),
        ('"tcp"', Search("tcp")),
        ("asn == 13335", Compare("asn", Op.EQ, number(13335))),
        ("asn AS13335", Compare("asn", Op.EQ, number(13335))),
        ("src asn != as13335", Compare("asn", Op.NE, number(13335), Side.SRC)),
        ("asn As1-AS9", Compare("asn", Op.EQ, Span(1, 9))),
    ],
)
def test_a_filter_means(text: str, meaning: Node | None) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("and tcp", 0, "condition is missing"),
        ("tcp and", 7, "missing at the end"),
        ("tcp or or udp", 7, "condition is missing"),
        ("not", 3, "missing at the end"),
        ("(tcp", 0, "not closed"),
        ("tcp)", 3, "not opened"),
        ("()", 1, "condition is missing"),
        ("country", 7, "country wants a value"),
        ("country and tcp", 8, "country wants a value"),
        ("rate > ", 6, "rate wants a value"),
        ("rate > fast", 7, "rate wants an amount"),
        ("rate ~ 1", 5, "cannot be compared"),
        ("net ~ 10", 4, "cannot be compared"),
        ("src net !~ 10", 8, "cannot be compared"),
        ("process > 1", 8, "cannot be compared"),
        ("duration > 5y", 11, "wants a time"),
        ("port 1-", 5, "whole number"),
        ("port 9-1", 5, "whole number"),
        ("port 443,80", 5, "or two as 1-1024; for several write port 443 or port 80"),
        ("port 443, 80", 5, "; for several write port 443 or port 80"),
        ("dst port https,8000-8080", 9, "; for several write dst port https or dst port 8000-8080"),
        ("port != 443,80", 8, "; for several write port != 443 and port != 80"),
        ("asn AS1,2", 4, "AS13335; for several write asn AS1 or asn 2"),
        ("asn AS", 4, "asn wants a whole number, as 13335 or AS13335"),
        ("asn ASAS1", 4, "asn wants a whole number"),
        ("asn AS4294967296", 4, "asn is at most 4294967295"),
        ("port > 1-3", 7, "one number"),
        ("net example.com", 4, "wants a network"),
        ("net 10.0.0.0/33", 4, "wants a network"),
        ("src net 10.0.0.300", 8, "wants a network"),
        ("host 10.0.0.300", 5, "wants an address"),
        ("host != 10.0.0.300", 8, "wants an address"),
        ("host 10.0.0.0/40", 5, "wants an address"),
        ("host 10.0.0.1:443", 5, "wants an address"),
        ("host 192.168.1", 5, "wants an address"),
        ("host 300.", 5, "wants an address"),
        ("host 10/8", 5, "wants an address"),
        ("host fd00::/130", 5, "wants an address"),
        ("host 3c:22:fb:4f:1a:22", 5, "wants an address"),
        ("tcp and src 10.0.0.256", 12, "wants an address"),
        ("port 65536", 5, "port is at most 65535"),
        ("dst port 70000", 9, "port is at most 65535"),
        ("port 1-70000", 5, "port is at most 65535"),
        ("port != 70000", 8, "port is at most 65535"),
        ("port < 70000", 7, "port is at most 65535"),
        ("icmp_code > 0x100", 12, "icmp_code is at most 255"),
        ("zone 65536", 5, "zone is at most 65535"),
        ("mark 4294967296", 5, "mark is at most 4294967295"),
        ("proto 256", 6, "proto is at most 255"),
        ("uid -1", 4, "uid wants a whole number"),
        ("src", 3, "src of what"),
        ("src process x", 4, "has no sides"),
        ('process "x', 8, "not closed"),
        ("name ~ (", 7, "no regular expression"),
        ("name ~ a[", 8, "no regular expression"),
        ("name ~", 6, "wants a value"),
        ("tcp = 6", 4, "condition is missing"),
        ("a" * (LONGEST + 1), LONGEST, "longer than"),
        ("(" * (DEEPEST + 1) + "tcp" + ")" * (DEEPEST + 1), DEEPEST, "too deep"),
        ("tcp or name ~ x " * (MOST_EXPRESSIONS + 1), 16 * MOST_EXPRESSIONS + 14, "regular expressions"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, offset: int, message: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    assert message in caught.value.message
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "text", ["port 443,", "port 443, tcp", "port 443,\x1b", "port < 443,80", f"port {'443,' * 20}443", "port 443,x-1;"]
)
def test_what_is_no_list_of_values_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    assert caught.value.message == "port wants a whole number, or two as 1-1024"


@settings(max_examples=500)
@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_mistake_inside_it(text: str) -> None:
    check(text)


WORDS = (*FILTER_FIELDS, *FLAGS, *Side, *Op, "and", "or", "not", "(", ")", "!", "&&", '"', "\\", "*", "1.2.3.4", "1-2")
PIECES = st.one_of(st.sampled_from(WORDS), st.text(string.printable, max_size=4))


@settings(max_examples=1000)
@given(st.lists(PIECES, max_size=12), st.sampled_from(("", " ")))
def test_any_words_of_the_language_are_a_filter_or_a_mistake_inside_it(words: list[str], between: str) -> None:
    check(between.join(words))


def check(text: str) -> None:
    mistake = None
    try:
        parse(text)
    except FilterSyntaxError as error:
        mistake = error
    assert mistake is None or (0 <= mistake.offset <= len(text) and mistake.message.isprintable())


def test_the_manual_names_every_operator_and_its_examples_are_filters() -> None:
    assert all(str(op) in MANUAL for op in Op)
    assert all(str(side) in MANUAL for side in Side)
    examples = MANUAL.partition("CONDITIONS")[0].splitlines()[2:]
    found = [example for line in examples for example in line.strip().split("  ") if example.strip()]
    assert len(found) == 10
    for example in found:
        assert parse(example) is not None
