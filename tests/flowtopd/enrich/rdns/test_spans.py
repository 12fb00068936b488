"""flowtopd.enrich.rdns.spans: the newest of the short lookups."""

from flowtopd.enrich.rdns.spans import KEPT_NS, QUICK_NS, Spans

NOW_NS = 1_700_000_000_000_000_000


def test_short_lookups_are_kept_and_long_ones_are_not() -> None:
    spans = Spans(10)
    for took_ns in (0, 5, QUICK_NS, QUICK_NS + 1, -1):
        spans.add(NOW_NS - took_ns, NOW_NS)
    kept = spans.recent(NOW_NS)
    assert kept.dtype == "int64"
    assert (kept[:, 1] - kept[:, 0]).tolist() == [0, 5, QUICK_NS]


def test_after_a_minute_they_are_gone() -> None:
    spans = Spans(10)
    spans.add(NOW_NS, NOW_NS)
    assert spans.recent(NOW_NS + KEPT_NS - 1).tolist() == [[NOW_NS, NOW_NS]]
    assert spans.recent(NOW_NS + KEPT_NS).shape == (0, 2)


def test_of_too_many_the_newest_are_kept() -> None:
    spans = Spans(10)
    for number in range(25):
        spans.add(NOW_NS + number, NOW_NS + number)
    assert sorted(spans.recent(NOW_NS)[:, 0].tolist()) == [NOW_NS + number for number in range(15, 25)]


def test_what_was_handed_out_stays_as_it_is() -> None:
    spans = Spans(1)
    spans.add(NOW_NS, NOW_NS)
    before = spans.recent(NOW_NS)
    spans.add(NOW_NS + 1, NOW_NS + 1)
    assert before.tolist() == [[NOW_NS, NOW_NS]]
