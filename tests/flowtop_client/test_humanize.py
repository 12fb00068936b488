import pytest

from flowtop_client.humanize import amount, clean, count, duration, endpoint, rate, rate_with_unit, seconds, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.0, "0"),
        (0.04, "0.0"),
        (7.46, "7.5"),
        (9.96, "10"),
        (999, "999"),
        (999.4, "999"),
        (999.5, "1.00k"),
        (1000, "1.00k"),
        (1234, "1.23k"),
        (9994, "9.99k"),
        (9996, "10.0k"),
        (12345, "12.3k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (1_230_000, "1.23M"),
        (45_600_000_000, "45.6G"),
        (2**63, "9.22E"),
        (2**64 - 1, "18.4E"),
    ],
)
def test_an_amount_has_three_digits_and_a_decimal_prefix(value: float | None, text: str) -> None:
    assert amount(value) == text


def test_no_counter_of_64_bits_needs_more_than_five_characters() -> None:
    values = [edge * 10**power + step for power in range(18) for edge in (1, 9.994, 9.995, 9.9949) for step in (0, 0.5)]
    assert max(len(amount(value)) for value in (*values, 2**64 - 1)) == 5


@pytest.mark.parametrize(
    ("value", "bits", "text", "with_unit"),
    [
        (None, False, "-", "-"),
        (0.0, False, "0", "0 B/s"),
        (1_500_000.0, False, "1.50M", "1.50 MB/s"),
        (1_500_000.0, True, "12.0M", "12.0 Mbit/s"),
        (100.0, True, "800", "800 bit/s"),
    ],
)
def test_a_rate_in_bits_is_eight_times_the_one_in_bytes(
    value: float | None, bits: bool, text: str, with_unit: str
) -> None:
    assert rate(value, bits=bits) == text
    assert rate_with_unit(value, bits=bits) == with_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (-5.0, "0s"),
        (0.9, "0s"),
        (3, "3s"),
        (59.9, "59s"),
        (60, "1m"),
        (125, "2m"),
        (3600, "1h"),
        (3840, "1h4m"),
        (35_999, "9h59m"),
        (36_000, "10h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (5 * 86_400 + 3600, "5d"),
        (1000 * 86_400, "1000d"),
    ],
)
def test_a_duration_shows_what_matters_at_its_age(value: float | None, text: str) -> None:
    assert duration(value) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "12 ms"), (0.9994, "999 ms"), (0.9996, "1 s"), (1.5, "1.5 s"), (30.0, "30 s"), (3600.0, "3600 s")],
)
def test_short_spans_are_said_in_milliseconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0, "0"), (999, "999"), (1000, "1 000"), (1234567, "1 234 567")]
)
def test_counts_are_grouped_with_blanks(value: int | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("example.com", "example.com"),
        ("Web Content", "Web Content"),
        ("bücher.example", "bücher.example"),
        ("例え.jp", "例え.jp"),
        ("\x1b[31mred", "?[31mred"),
        ("a\nb\rc\td\x00e\x7ff", "a?b?c?d?e?f"),
        ("\x9b31m", "?31m"),
        ("user\u202egnp.exe", "user?gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero?width?"),
        ("line\u2028break", "line?break"),
        ("\udcff", "?"),
        ("no\xa0break", "no?break"),
    ],
)
def test_nothing_that_steers_a_terminal_survives_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def test_a_port_is_told_from_an_address_with_colons_by_brackets() -> None:
    assert endpoint("192.0.2.1", 443) == "192.0.2.1:443"
    assert endpoint("2001:db8::1", 443) == "[2001:db8::1]:443"
    assert endpoint("2001:db8::1", None) == "2001:db8::1"
    assert endpoint(None, 443) == "-"
    assert endpoint("a\x1b", 1) == "a?:1"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (2_000_000, "2.00 MB")]
)
def test_a_size_has_its_unit_behind_a_blank(value: int | None, text: str) -> None:
    assert size(value) == text
