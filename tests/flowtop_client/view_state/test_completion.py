import pytest

from flowtop_client.view_state.completion import offers, values_seen
from flowtopd.wire.filter_parser import parse
from flowtopd.wire.filter_syntax import FilterSyntaxError

SEEN = {
    "process": ("firefox", "Web Content", "sshd", "or"),
    "country": ("DE", "DK", "US"),
    "host": ("example.com", "192.0.2.1"),
    "service": ("https", "ssh"),
}


def words(text: str) -> tuple[str, ...]:
    return offers(text, len(text), SEEN)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("coun", ("country",)),
        ("COUN", ("country",)),
        ("tcp and coun", ("country",)),
        ("(coun", ("country",)),
        ("!coun", ("country",)),
        ("remote c", ("country", "city")),
        ("country D", ("DE", "DK")),
        ("country = d", ("DE", "DK")),
        ("country != u", ("US",)),
        ("process f", ("firefox",)),
        ("process w", ('"Web Content"',)),
        ('process = "We', ('"Web Content"',)),
        ("process o", ('"or"',)),
        ("direction ", ("forwarded", "inbound", "local", "outbound")),
        ("state est", ("ESTABLISHED",)),
        ("service ", ("https", "ssh")),
        ("local ho", ("host",)),
        ("src ex", ("example.com",)),
        ("tcp an", ("and",)),
        ("an", ()),
        ("tcp or no", ("not",)),
        ("out", ("outbound",)),
        ("loc", ("local",)),
        ("xyz", ()),
        ('process "not closed and coun', ()),
        ("rate > ", ()),
        ("? coun", ("country",)),
    ],
)
def test_what_fits_at_the_end_of_a_text(text: str, expected: tuple[str, ...]) -> None:
    if expected == ("local",):
        assert set(words(text)) == {"local"}
    else:
        assert words(text) == expected


def test_the_word_that_is_completed_is_the_one_at_the_place() -> None:
    text = "coun DE and tcp"
    assert offers(text, 4, SEEN) == (0, ("country",))
    assert offers("tcp and  and udp", 8, {})[0] == 8


@pytest.mark.parametrize("value", ["a b", 'say "hi"', "back\\slash", "(x)", "not", "tcp", "a&b", "~", "x=y", "例え"])
def test_every_value_comes_in_such_a_form_that_it_means_itself(value: str) -> None:
    _, (word,) = offers("unit ", 5, {"unit": (value,)})
    meant = parse(f"unit {word}")
    assert getattr(meant, "value", None) == value


def test_whatever_is_offered_for_a_field_parses() -> None:
    for field in ("proto", "state", "status", "direction", "nat", "scope", "attribution"):
        for word in offers(f"{field} ", len(field) + 1, {})[1]:
            try:
                parse(f"{field} {word}")
            except FilterSyntaxError as error:
                pytest.fail(f"{field} {word}: {error}")


def test_values_are_taken_from_flows_and_from_groups() -> None:
    flows = values_seen(
        ("process", "dst_country", "src_country", "service", "dst_name", "dst", "dport"),
        [
            ("firefox", "DE", None, "https", "example.com", "192.0.2.1", 443),
            ("firefox", "US", "DE", None, "", "::", None),
        ],
    )
    assert flows == {
        "process": ("firefox",),
        "country": ("DE", "US"),
        "service": ("https",),
        "port": ("https", "443"),
        "name": ("example.com",),
        "host": ("example.com", "192.0.2.1", "::"),
    }
    groups = values_seen(("key", "country", "flows"), [("DE", "DE", 3), ("(unknown)", None, 1)])
    assert groups == {"country": ("DE",)}
