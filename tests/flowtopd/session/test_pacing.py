import pytest

from flowtopd.session.pacing import BURST, RATE, Bucket


@pytest.mark.parametrize("a_second", [30, 60, 100])
def test_who_holds_a_key_down_never_waits(a_second: int) -> None:
    now_s = [0.0]
    bucket = Bucket(lambda: now_s[0])
    waits = []
    for _press in range(60 * a_second):
        waits.append(bucket.take())
        now_s[0] += 1 / a_second
    assert max(waits) == 0


def test_who_talks_without_a_pause_gets_the_rate() -> None:
    seconds = 30.0
    now_s = [0.0]
    bucket = Bucket(lambda: now_s[0])
    messages = 0
    while now_s[0] < seconds:
        now_s[0] += bucket.take()
        messages += 1
    assert messages == pytest.approx(BURST + RATE * seconds, abs=2)


def test_a_pause_gives_no_more_than_a_burst() -> None:
    now_s = [0.0]
    bucket = Bucket(lambda: now_s[0])
    now_s[0] = 1e6
    assert [bucket.take() for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert bucket.take() > 0
