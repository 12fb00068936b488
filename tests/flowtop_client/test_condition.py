import pytest

from flowtop_client.condition import NoSuchFieldError, as_typed, check, fits
from flowtopd.wire.fields import VIEW_FIELDS
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.messages import View

DEVICE = dict.fromkeys(VIEW_FIELDS[View.DEVICES]) | {
    "device": "tv",
    "mac": "02:00:00:00:00:01",
    "flows": 12,
    "orig_rate": 1e6,
    "reply_rate": 5e5,
    "orig_bytes": 100,
}
HOST = dict.fromkeys(VIEW_FIELDS[View.HOSTS]) | {"address": "10.1.2.3", "name": "a.Example.com", "asn": 5, "flows": 1}


@pytest.mark.parametrize(
    ("view", "text", "fitting"),
    [
        (View.DEVICES, "device tv", True),
        (View.DEVICES, "device t?", True),
        (View.DEVICES, "device TV and flows > 10", True),
        (View.DEVICES, "rate > 1M", True),
        (View.DEVICES, "rate > 2M", False),
        (View.DEVICES, "bytes > 1", False),  # one direction is unknown
        (View.DEVICES, "not bytes > 1", True),
        (View.DEVICES, "vendor != Acme", False),
        (View.DEVICES, "mac ~ ^02:", True),
        (View.DEVICES, "mac !~ ^02:", False),
        (View.DEVICES, "flows 10-20", True),
        (View.DEVICES, "flows != 12", False),
        (View.DEVICES, "tv", True),
        (View.DEVICES, "radio or tv", True),
        (View.HOSTS, "host 10.1.2.3", True),
        (View.HOSTS, "net 10.0.0.0/8", True),
        (View.HOSTS, "net != 10.0.0.0/8", False),
        (View.HOSTS, "host a.example.com", True),
        (View.HOSTS, "name ~ example", True),
        (View.HOSTS, "asn 5", True),
        (View.HOSTS, "country *", False),
    ],
)
def test_a_row_fits(view: View, text: str, *, fitting: bool) -> None:
    node = parse(text)
    assert node is not None
    check(node, view)
    assert fits(node, DEVICE if view is View.DEVICES else HOST, view) is fitting


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("port 443", "port"),
        ("tcp", "tcp"),
        ("rate > 1M and not ICMP6", "icmp6"),
        ("src host 10.0.0.1", "src host"),
        ("src 10.0.0.1", "src 10.0.0.1"),
        ("nat", "nat"),
        ("not (device tv or country DE)", "country"),
        ("packets > 1", "packets"),
    ],
)
def test_what_a_view_does_not_have_cannot_be_asked_and_is_called_as_it_was_typed(text: str, typed: str) -> None:
    node = parse(text)
    assert node is not None
    with pytest.raises(NoSuchFieldError) as error:
        check(node, View.DEVICES)
    assert as_typed(error.value.node, text) == typed


def test_an_address_alone_is_what_was_typed() -> None:
    text = "flows > 3 or 10.0.0.0/8"
    node = parse(text)
    assert node is not None
    with pytest.raises(NoSuchFieldError) as error:
        check(node, View.COUNTRIES)
    assert as_typed(error.value.node, text) == "10.0.0.0/8"
