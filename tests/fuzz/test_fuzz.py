"""Every parser of outside data, fuzzed for a moment; `make stress` does it for longer. The fuzzing itself can fail."""

from random import Random

import pytest

from flowtopd.netlink import ctnetlink
from flowtopd.netlink.ctlayout import Layout, Matrix
from stress.fuzz.files import Texts, must_be_plain
from stress.fuzz.mutate import mutated, mutated_text
from stress.fuzz.run import Chunk, Target, chunk, summary
from stress.fuzzing import ALL

ATTEMPTS = {"from-viewer": 2000, "from-daemon": 2000, "host-names": 2000, "cgroups": 2000, "routes": 2000}
FEW = 400


@pytest.mark.parametrize("target", ALL, ids=lambda target: target.name)
def test_nothing_but_declared_errors_comes_out_and_no_wrong_answer(target: Target) -> None:
    found = chunk(target, seed=20_000, count=ATTEMPTS.get(target.name, FEW))
    assert not found.mistake, found.mistake
    assert 0 < found.taken <= found.tried


def by_name(name: str) -> Target:
    return next(target for target in ALL if target.name == name)


@pytest.mark.parametrize("name", ["dumps", "events"])
def test_a_layout_that_is_taken_for_another_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything_matches(_layout: Layout, _matrix: Matrix) -> None:
        return None

    monkeypatch.setattr(ctnetlink, "matches", everything_matches)
    assert "WrongAnswer" in chunk(by_name(name), seed=1).mistake


def test_a_crash_is_told_with_target_seed_and_input() -> None:
    target = Target("mine", lambda: Texts(["1", "x"], lambda text: bool(int(text.strip("0123456789") or "1")), ()))
    mistake = chunk(target, seed=7).mistake
    assert mistake.startswith("mine: attempt ")
    assert "--again mine 7" in mistake
    assert "input '" in mistake
    assert "ValueError" in mistake
    assert chunk(target, seed=7).mistake.splitlines()[:2] == mistake.splitlines()[:2]


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\u202e", "\ud800", "x" * 10_001])
def test_what_must_not_be_shown_is_found_out(text: str) -> None:
    with pytest.raises(AssertionError):
        must_be_plain(text)


def test_mutations_are_the_same_for_the_same_seed_and_something_else_for_another() -> None:
    data = bytes(range(200))
    one, same, other = (
        [mutated(data, chance, [b"other" * 9]) for _ in range(200)] for chance in map(Random, (1, 1, 2))
    )
    assert one == same != other
    assert len(set(one)) > 150
    texts = [mutated_text("some text", Random(seed), ["word"], most=50) for seed in range(200)]
    assert len(set(texts)) > 100
    assert max(map(len, texts)) <= 50


def test_growth_is_that_of_the_worst_process_after_its_first_chunk() -> None:
    found = summary("x", iter([Chunk(1, 10, 5, 50.0), Chunk(2, 10, 5, 80.0), Chunk(1, 10, 0, 57.0, "bad")]))
    assert (found.tried, found.taken, found.growth_mb, found.mistakes) == (30, 10, 7.0, ("bad",))
