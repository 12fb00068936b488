import logging

import pytest

from flowtopd.session.complaints import EVERY_S, MOST, Complaints


class Scene:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "complaints")
        self.now_s = 100.0
        self._caplog = caplog
        self.complaints = Complaints(logging.getLogger("complaints"), lambda: self.now_s)

    def said(self) -> list[str]:
        lines = list(self._caplog.messages)
        self._caplog.clear()
        return lines


@pytest.fixture
def scene(caplog: pytest.LogCaptureFixture) -> Scene:
    return Scene(caplog)


def test_the_first_of_a_kind_is_logged_and_the_rest_counted(scene: Scene) -> None:
    for number in range(1000):
        scene.complaints.say(logging.INFO, 1000, "busy", f"line {number}")
    assert scene.said() == ["line 0"]
    scene.now_s += EVERY_S
    scene.complaints.say(logging.INFO, 1000, "busy", "later")
    assert scene.said() == ["later (and 999 more since the last time)"]
    scene.now_s += EVERY_S
    scene.complaints.say(logging.INFO, 1000, "busy", "much later")
    assert scene.said() == ["much later"]


def test_users_and_reasons_are_told_apart(scene: Scene) -> None:
    for uid, reason in ((1, "a"), (2, "a"), (1, "b"), (1, "a")):
        scene.complaints.say(logging.INFO, uid, reason, f"{uid} {reason}")
    assert scene.said() == ["1 a", "2 a", "1 b"]


def test_a_flood_of_users_is_bounded_in_memory_and_log(scene: Scene) -> None:
    for uid in range(100_000):
        scene.complaints.say(logging.INFO, uid, "a", str(uid))
    assert len(scene.said()) == MOST + 1
    scene.now_s += EVERY_S
    for uid in range(100_000, 200_000):
        scene.complaints.say(logging.INFO, uid, "a", str(uid))
    assert len(scene.said()) <= MOST + 1
    assert len(scene.complaints._said) <= MOST + 1


def test_a_mistake_of_ours_is_logged_with_where_it_was(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.complaints.say(logging.ERROR, 0, "failed", "oh", error=ZeroDivisionError("zero"))
    assert "ZeroDivisionError: zero" in caplog.text
