"""What the child is told to fetch, and what it answers: values, and JSON lines for the way between the processes.

    parent ── Job ──▶ child's stdin
           ◀─ Got* ── child's stdout     so many bytes of so many
           ◀─ Done or Failed             the last line

Rules: the parent believes nothing. A line that is not one of these, or too long, is as if the child had failed; text is
of one line and can be printed.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final

from flowtopd.enrich.geoip.records import Kind

LONGEST_LINE: Final = 8192
_LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a file that was fetched before: enough to ask whether there is a newer one."""

    url: str
    sha256: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fetch. `kind` None: whatever it is. `user` and `password` are for the first host alone."""

    url: str
    checksum_url: str
    kind: Kind | None = None
    user: str = ""
    password: str = ""
    before: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Got:
    """So many bytes have come. `total` None where the server does not say."""

    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """It ended well. `kind` None: what is there is up to date, nothing was written."""

    kind: Kind | None
    receipt: Receipt | None
    size: int = 0
    built_s: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not. `absent`: the server has no such file. `unreachable`: there is no such server."""

    reason: str
    absent: bool = False
    unreachable: bool = False


Answer = Got | Done | Failed


def job_line(job: Job) -> bytes:
    """The job as a line."""
    return json.dumps(dataclasses.asdict(job)).encode() + b"\n"


def read_job(line: bytes) -> Job:
    """The job in a line of the parent."""
    values = json.loads(line)
    before = values.pop("before")
    kind = values.pop("kind")
    return Job(kind=Kind(kind) if kind else None, before=Receipt(**before) if before else None, **values)


def answer_line(answer: Answer) -> bytes:
    """An answer as a line."""
    return json.dumps({type(answer).__name__: dataclasses.asdict(answer)}).encode() + b"\n"


def read_answer(line: bytes) -> Answer:
    """The answer in a line of the child, which may say anything. Raises ValueError."""
    match json.loads(line):
        case {"Got": {"done": int(done), "total": int() | None as total}}:
            return Got(done, total)
        case {"Done": {"kind": None}}:
            return Done(None, None)
        case {"Done": {"kind": str(kind), "receipt": dict(receipt), "size": int(size), "built_s": int(built_s)}}:
            return Done(Kind(kind), read_receipt(receipt), size, built_s)
        case {"Failed": {"reason": str(reason), "absent": bool(absent), "unreachable": bool(unreachable)}}:
            return Failed(plain(reason), absent, unreachable)
    raise ValueError("no answer")


def read_receipt(values: Any) -> Receipt:
    """A receipt out of a decoded map. Raises ValueError."""
    names = [field.name for field in dataclasses.fields(Receipt)]
    if not isinstance(values, dict) or any(not isinstance(values.get(name), str) for name in names):
        raise ValueError("no receipt")
    return Receipt(**{name: plain(values[name]) for name in names})


def plain(text: str) -> str:
    """Text of one line that can be printed."""
    return "".join(character if character.isprintable() else " " for character in text)[:_LONGEST_TEXT]
