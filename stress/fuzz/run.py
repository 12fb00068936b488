"""Fuzzing: many attempts on one parser, spread over the processors. Every attempt can be made again from its seed.

    Target.make ─▶ an Attempt a chunk ─▶ called CHUNK times with one Random ─▶ Chunk: how many, how many were taken

An attempt makes an input, hands it to the parser, and checks what comes of it. It returns whether the parser took the
input, so that one sees that not everything is refused at the door. It raises what the parser raised, unless that is an
error that the parser declares, and `WrongAnswer` where the parser took an input for something else than it is. Either
is a mistake, which is told with target, seed, number and input.
"""

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Protocol, Self

CHUNK: Final = 2000
_SEEDS: Final = 1 << 20
"""Between the first chunks of two targets."""
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / 1e6
_SHOWN: Final = 2000


class WrongAnswer(AssertionError):  # noqa: N818 (it is what it is called)
    """The parser took an input for something else than it is."""


class Attempt(Protocol):
    """What is done again and again."""

    last: object
    """The last input."""

    def __call__(self, chance: Random) -> bool:
        """Make an input, have it parsed, check the answer; return whether the parser took it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test. `share` is its part of all attempts of its kind."""

    name: str
    make: Callable[[], Attempt]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """What came of some attempts. `mistake`: what went wrong, and how to see it again; empty while all is well."""

    pid: int
    tried: int
    taken: int
    memory_mb: float
    mistake: str = ""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of all attempts on one target. `growth_mb`: how much the worst process grew after its first chunk."""

    target: str
    tried: int
    taken: int
    growth_mb: float
    mistakes: tuple[str, ...]


def memory_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_MB


def chunk(target: Target, seed: int, count: int = CHUNK) -> Chunk:
    """Make `count` attempts. They end at the first mistake."""
    attempt, chance, taken = target.make(), Random(seed), 0
    with contextlib.ExitStack() as stack:
        if isinstance(attempt, contextlib.AbstractContextManager):
            stack.enter_context(attempt)
        for number in range(count):
            try:
                taken += attempt(chance)
            except Exception:  # noqa: BLE001  # whatever it is: that is what we are looking for
                mistake = _told(target, seed, number, attempt.last)
                return Chunk(os.getpid(), number + 1, taken, memory_mb(), mistake)
    return Chunk(os.getpid(), count, taken, memory_mb())


def _told(target: Target, seed: int, number: int, last: object) -> str:
    shown = last.hex() if isinstance(last, bytes) else ascii(last)
    place = f"{target.name}: attempt {number} of seed {seed} (python -m stress --again {target.name} {seed})"
    return f"{place}\ninput {shown:.{_SHOWN}}\n{traceback.format_exc()}"


class Fuzzers:
    """Processes that fuzz, one a processor. `targets` are known in all of them."""

    def __init__(self, targets: tuple[Target, ...], processes: int | None = None) -> None:
        _known.update({target.name: target for target in targets})
        # a parser in C may end the process: that raises here, where multiprocessing.Pool would wait for ever
        self._pool = ProcessPoolExecutor(processes or os.cpu_count(), multiprocessing.get_context("fork"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, target: Target, count: int, seed: int) -> Fuzzed:
        """Make `count` attempts, from `seed` on."""
        sizes = [CHUNK] * (count // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
        first = list(_known).index(target.name) * _SEEDS + seed
        jobs = [(target.name, first + number, size) for number, size in enumerate(sizes)]
        return summary(target.name, self._pool.map(_work, jobs))


_known: dict[str, Target] = {}


def _work(job: tuple[str, int, int]) -> Chunk:
    name, seed, count = job
    return chunk(_known[name], seed, count)


def summary(name: str, chunks: Iterator[Chunk]) -> Fuzzed:
    """Add up; a process that did one chunk alone is not said to have grown."""
    tried = taken = 0
    first: dict[int, float] = {}
    growth, mistakes = 0.0, []
    for one in chunks:
        tried, taken = tried + one.tried, taken + one.taken
        growth = max(growth, one.memory_mb - first.setdefault(one.pid, one.memory_mb))
        if one.mistake:
            mistakes.append(one.mistake)
    return Fuzzed(name, tried, taken, growth, tuple(mistakes))
