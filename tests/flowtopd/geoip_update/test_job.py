"""Lines between the processes: each comes back as it went, and a child that says something else has failed."""

import pytest

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.job import (
    Answer,
    Done,
    Failed,
    Got,
    Job,
    Receipt,
    answer_line,
    job_line,
    plain,
    read_answer,
    read_job,
)

RECEIPT = Receipt("https://a/b", "ab" * 32, '"etag"', "Tue, 24 Nov 2026 05:48:20 GMT")


@pytest.mark.parametrize("job", [Job("u", "c"), Job("u", "c", Kind.ASN, "me", "secret", RECEIPT)])
def test_a_job_comes_back_as_it_went(job: Job) -> None:
    assert read_job(job_line(job)) == job


@pytest.mark.parametrize(
    "answer",
    [
        Got(5, None),
        Got(5, 10),
        Done(None, None),
        Done(Kind.CITY, RECEIPT, 100, 1),
        Failed("no"),
        Failed("no", True, True),
    ],
)
def test_an_answer_comes_back_as_it_went(answer: Answer) -> None:
    line = answer_line(answer)
    assert line.count(b"\n") == 1
    assert read_answer(line) == answer


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b"\xff",
            b"[]",
            b"{}",
            b"null",
            b"Traceback",
            b"[" * 5000,
            b'{"Got": {}}',
            b'{"Got": {"done": "1", "total": 2}}',
        ),
        *(b'{"Done": {"kind": "passwd", "receipt": {}, "size": 1, "built_s": 1}}', b'{"Failed": {"reason": 1}}'),
        b'{"Done": {"kind": "asn", "receipt": {"url": 1}, "size": 1, "built_s": 1}}',
    ],
)
def test_what_is_no_answer_is_none(line: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_answer(line)


def test_text_of_a_child_is_one_short_line() -> None:
    assert plain("a\x1b[31m\nb\u202e" + "x" * 1000) == "a [31m b " + "x" * 291
