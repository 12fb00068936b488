import pytest

from flowtop_client.preferences.order import order_of, order_text
from flowtopd.wire.fields import sort_fields
from flowtopd.wire.messages import View


def test_an_order_is_read_as_it_is_written() -> None:
    for view in View:
        for field in sort_fields(view):
            for descending in (True, False):
                assert order_of(order_text(field, descending=descending), view) == (field, descending)


def test_without_a_direction_an_order_begins_in_its_natural_one() -> None:
    assert order_of("bytes", View.FLOWS) == ("bytes", True)
    assert order_of("dst", View.FLOWS) == ("dst", False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adress", "'adress' is no sort field of hosts: did you mean 'address'?"),
        ("zzz", "'zzz' is no sort field of hosts: some that are: rate, bytes"),
        ("rate:", "'' is no order: rate:asc or rate:desc"),
    ],
)
def test_what_is_no_order_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="no ") as raised:
        order_of(text, View.HOSTS)
    assert str(raised.value).startswith(said)
