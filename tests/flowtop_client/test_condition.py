import pytest

from flowtop_client.condition import NoSuchFieldError, check, fits
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
    "text", ["port 443", "tcp", "src host 10.0.0.1", "not (device tv or country DE)", "packets > 1"]
)
def test_what_a_view_does_not_have_cannot_be_asked(text: str) -> None:
    node = parse(text)
    assert node is not None
    with pytest.raises(NoSuchFieldError):
        check(node, View.DEVICES)
