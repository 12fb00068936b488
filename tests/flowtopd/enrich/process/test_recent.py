"""flowtopd.enrich.process.recent: bounded, and what was put in longest ago goes first."""

from flowtopd.enrich.process.recent import Recent


def test_what_was_put_in_longest_ago_goes_first() -> None:
    recent: Recent[int, str] = Recent(2)
    recent[1], recent[2], recent[3] = "one", "two", "three"
    assert recent == {2: "two", 3: "three"}


def test_a_key_that_is_put_in_again_is_the_newest() -> None:
    recent: Recent[int, str] = Recent(2)
    recent[1], recent[2], recent[1], recent[3] = "one", "two", "once more", "three"
    assert recent == {1: "once more", 3: "three"}
