"""How an update is shown."""

import pytest

from flowtopd.wire.bar import Display, bar
from flowtopd.wire.messages import Progress


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            Progress("asn", 4_140_000, 9_200_000, 1_240_000.0, 4.08),
            "asn      [██████████              ]  45 %   4.1 of 9.2 MB   1.2 MB/s   4 s left",
        ),
        (Progress("country", 0, 5_200_000), "country  [                        ]   0 %   0.0 of 5.2 MB"),
        (
            Progress("city", 9, 9, 100_000.0, 0.0),
            "city     [████████████████████████] 100 %   0.0 of 0.0 MB   0.1 MB/s   0 s left",
        ),
        (Progress("city", 1_500_000), "city     1.5 MB"),
        (Progress("city", 1_500_000, None, 500_000.0), "city     1.5 MB   0.5 MB/s"),
        (Progress("city", 90, 60), "city     [████████████████████████] 100 %   0.0 of 0.0 MB"),
        (
            Progress("asn", 0, 1, 1.0, 125.4),
            "asn      [                        ]   0 %   0.0 of 0.0 MB   0.0 MB/s   2 min 5 s left",
        ),
    ],
)
def test_a_bar(progress: Progress, line: str) -> None:
    assert bar(progress, 100) == line
    assert bar(progress, 20) == line[:20]


def test_on_a_terminal_the_bar_is_redrawn_and_gives_way_to_news() -> None:
    display = Display()
    first = Progress("asn", 1, 2)
    assert display.show(first, 80) == "\r\x1b[K" + bar(first, 79)
    assert display.show(Progress(text="asn: there"), 80) == "\r\x1b[Kasn: there\n"
    assert display.show(Progress(text="city: there"), 80) == "city: there\n"
    display.show(first, 80)
    assert display.show(Progress(ended=True), 80) == "\r\x1b[K"
    assert display.show(Progress(ended=True), 80) == ""


def test_without_a_terminal_there_are_lines_for_quarters_and_nothing_that_moves() -> None:
    display = Display()
    written = "".join(display.show(Progress("asn", done, 1_000_000), None) for done in range(0, 1_000_001, 10_000))
    written += (
        display.show(Progress("asn", 5), None)
        + display.show(Progress(text="asn: there"), None)
        + display.show(Progress(ended=True), None)
    )
    assert written.splitlines() == [
        "asn: 0.2 of 1.0 MB",
        "asn: 0.5 of 1.0 MB",
        "asn: 0.8 of 1.0 MB",
        "asn: 1.0 of 1.0 MB",
        "asn: there",
    ]
    assert "\r" not in written
