"""flowtopd.system.journal: which handler is chosen, and what becomes of a record."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from flowtopd.system.journal import MESSAGE_IDS, Event, handler, is_journal


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "stderr").open("w+", encoding="utf-8") as opened:
        yield opened


@pytest.fixture
def journal(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> TextIO:
    status = os.fstat(stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    return stream


def logged(made: logging.Handler, level: int, message: str, *arguments: object, **extra: object) -> None:
    made.handle(
        logging.getLogger("flowtopd.session").makeRecord(
            "flowtopd.session", level, __file__, 1, message, arguments, None, extra=extra
        )
    )


def test_lines_go_to_stderr_where_that_is_no_journal(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    logged(handler(stream), logging.WARNING, "%d left", 3, flowtop_uid=7)
    stream.seek(0)
    assert stream.read() == "flowtopd: 3 left\n"


def test_without_the_library_every_line_has_its_priority(journal: TextIO) -> None:
    made = handler(journal, None)
    logged(made, logging.WARNING, "one\n<0>two")
    try:
        int("x")
    except ValueError:
        made.handle(logging.LogRecord("flowtopd", logging.ERROR, __file__, 1, "failed", (), sys.exc_info()))
    journal.seek(0)
    first, second, *traceback = journal.read().splitlines()
    assert (first, second) == (r"<4>one\n<0>two", "<3>failed")
    assert traceback
    assert all(line.startswith("<3>    ") for line in traceback)


def test_the_journal_gets_fields(journal: TextIO) -> None:
    sent: list[str] = []
    made = handler(journal, lambda *fields: sent.extend(fields))
    logged(made, logging.INFO, "%s: done", "x", flowtop_event=Event.ACTED, flowtop_uid=0, flowtop_flow="a\nb")
    fields = dict(field.split("=", 1) for field in sent)
    assert fields["MESSAGE"] == "x: done"
    assert fields["PRIORITY"] == "6"
    assert fields["MESSAGE_ID"] == MESSAGE_IDS[Event.ACTED]
    assert (fields["FLOWTOP_UID"], fields["FLOWTOP_FLOW"]) == ("0", "a b")
    assert fields["LOGGER"] == "flowtopd.session"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, "7"), (logging.INFO, "6"), (logging.WARNING, "4"), (logging.ERROR, "3"), (logging.CRITICAL, "2")],
)
def test_levels_are_priorities_of_syslog(journal: TextIO, level: int, priority: str) -> None:
    sent: list[str] = []
    logged(handler(journal, lambda *fields: sent.extend(fields)), level, "x")
    assert f"PRIORITY={priority}" in sent
    assert not any(field.startswith("MESSAGE_ID") for field in sent)


def test_a_journal_that_is_gone_ends_nothing(journal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def send(*_fields: str) -> None:
        raise OSError(2, "no journal")

    logged(handler(journal, send), logging.ERROR, "x")


def test_a_stream_without_a_descriptor_is_no_journal() -> None:
    assert not is_journal(io.StringIO())


def test_ids_are_different_and_for_all() -> None:
    assert set(MESSAGE_IDS) == set(Event)
    assert len(set(MESSAGE_IDS.values())) == len(Event)
