"""Samples made of a few words, and recordings of them in memory."""

import random
from typing import Any

from flowtopd.wire.recording import About, Recording, Writer
from flowtopd.wire.samples import Sample

ABOUT = About("router", "flowtopd 0", 1_700_000_000.0)
STATUS = {"accounting": True, "max": 262144}
TOTALS = {"orig_bytes": 7}
FIELDS = ("id", "status", "sampled", "orig_bytes", "reply_bytes", "orig_rate", "reply_rate", "start", "process", "own")


def flow(number: int, **values: Any) -> dict[str, Any]:
    """What a flow says; by default one that nobody counts."""
    plain = dict.fromkeys(FIELDS) | {"id": f"{number:016x}", "status": ["confirmed"], "own": False}
    return plain | values


def sample(at_s: float, *flows: dict[str, Any]) -> Sample:
    columns: dict[str, list[Any]] = {name: [each[name] for each in flows] for name in FIELDS}
    time = ABOUT.start + at_s
    columns["duration"] = [None if start is None else max(0.0, time - start) for start in columns["start"]]
    return Sample(at_s, time, 1.0 if at_s else None, STATUS, TOTALS, columns)


def by_id(one: Sample) -> dict[str, dict[str, Any]]:
    """The flows of a sample, whatever their order."""
    rows = zip(*one.columns.values(), strict=True)
    return {row[0]: dict(zip(one.columns, row, strict=True)) for row in rows}


def history(seed: int, ticks: int, flows: int = 8) -> list[Sample]:
    """Flows that come, move and go, the same for the same seed."""
    rng = random.Random(seed)
    alive: dict[int, dict[str, Any]] = {}
    made = []
    for tick in range(ticks):
        at_s = 100.0 + tick + rng.random() / 8
        for number in range(flows):
            if number not in alive and rng.random() < 0.3:
                alive[number] = flow(number, start=rng.choice((None, ABOUT.start - 5.25)), sampled=at_s)
                if rng.random() < 0.8:
                    alive[number] |= {"orig_bytes": rng.randrange(1 << 40), "reply_bytes": 0}
            elif number in alive and rng.random() < 0.1:
                del alive[number]
            elif number in alive:
                alive[number] = _later(alive[number], at_s, rng)
        made.append(sample(float(tick), *rng.sample(list(alive.values()), len(alive))))
    return made


def _later(before: dict[str, Any], at_s: float, rng: random.Random) -> dict[str, Any]:
    now = before | {"sampled": at_s, "process": rng.choice(("curl", before["process"], before["process"]))}
    now["status"] = rng.choice((before["status"], ["seen_reply", "confirmed"], []))
    for rate, counter in (("orig_rate", "orig_bytes"), ("reply_rate", "reply_bytes")):
        if before[counter] is not None:
            moved = rng.choice((0, 0, rng.randrange(100_000), 1 << 50))
            now[counter] = before[counter] + moved
            honest = moved / (at_s - before["sampled"])
            now[rate] = rng.choice((honest, honest, honest, None, rng.random()))
    return now


def written(samples: list[Sample], about: About = ABOUT) -> bytes:
    writer = Writer()
    return writer.begin(about) + b"".join(map(writer.add, samples))


def opened(data: bytes) -> Recording:
    return Recording(lambda offset, length: data[offset : offset + length], len(data))
