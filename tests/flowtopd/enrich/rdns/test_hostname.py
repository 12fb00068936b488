"""flowtopd.enrich.rdns.hostname: what is asked for, and what is a name."""

import pytest

from flowtopd.enrich.rdns.hostname import address_text, host_name, may_have_name
from tests.flowtopd.enrich.rdns.addresses import at

NOT_ASKED = ["::", "0.0.0.0", "0.1.2.3", "224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::1", "ff05::1:3"]
ASKED = ["1.1.1.1", "10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "223.255.255.255", "240.0.0.1"]
ASKED += ["::1", "fe80::1", "fd00:1::11", "2606:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("text", NOT_ASKED)
def test_what_cannot_have_a_name_is_not_asked_for(text: str) -> None:
    assert not may_have_name(at(text))


@pytest.mark.parametrize("text", ASKED)
def test_the_others_are_private_ones_too(text: str) -> None:
    assert may_have_name(at(text))


@pytest.mark.parametrize("text", ASKED)
def test_an_address_is_written_in_its_own_family(text: str) -> None:
    assert address_text(at(text)) == text


NAMES = [
    ("web.example", "web.example"),
    ("web.example.", "web.example"),
    ("router", "router"),
    ("WEB.Example", "WEB.Example"),
    ("_dmarc.under_score.example", "_dmarc.under_score.example"),
    ("1-2-3-4.dsl.example", "1-2-3-4.dsl.example"),
    ("4.3.2.1.in-addr.example", "4.3.2.1.in-addr.example"),
    ("xn--80ak6aa92e.com", "xn--80ak6aa92e.com"),
    ("1e100.net", "1e100.net"),
    ("4you", "4you"),
    (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}", f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name_is_shown_as_it_came_but_for_its_last_dot(text: str, name: str) -> None:
    assert host_name(text) == name


RUBBISH = {
    "nothing": "",
    "the root": ".",
    "two dots": "web..example",
    "a dot too many": "web.example..",
    "colours": "\x1b[31mred.example",
    "a new line": "web.example\n",
    "a null": "web\0.example",
    "a bell, 255 times": "\x07" * 255,
    "letters that look like others": "\u0430pple.com",
    "the other way round": "moc.\u202eexample",
    "a full-width dot": "web\uff0eexample",
    "digits of another script": "web\u0661.example",
    "half a character": "web\udcff.example",
    "a space": "two words",
    "an escaped dot": "a\\.b.example",
    "an option": "-rf.example",
    "a scope": "fe80--1%eth0",
    "a label too long": "a" * 64 + ".example",
    "a name too long": ".".join(["a" * 49] * 5) + ".12345",
    "markup": "<b>web</b>.example",
}


@pytest.mark.parametrize("text", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_no_name(text: str) -> None:
    assert host_name(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("192.0.2.1", "192.0.2.1.", "8.8.8.8", "127.1", "2130706433", "0x7f000001", "web.example.80", "2001:db8::1"),
        *("::1", "1.2.0.192.in-addr.arpa", "1.2.0.192.IN-ADDR.ARPA.", "1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_an_address_is_no_name(text: str) -> None:
    assert host_name(text) is None
