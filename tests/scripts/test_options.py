"""scripts/options.py: what is told about an option is what its parser does."""

import argparse
from pathlib import Path

from flowtopd.wire.filter_fields import FILTER_FIELDS
from scripts.options import Option, Value, filter_words, first_filter_words, options_of, programs


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="x", add_help=False)
    either = made.add_mutually_exclusive_group()
    either.add_argument("-a", "--all", action="store_true", help="all of %(prog)s")
    either.add_argument("--file", type=Path, default="/x", help="default %(default)s")
    made.add_argument("--level", choices=["low", "high"])
    made.add_argument("--mean", type=float, choices=[2.0, 0.5], metavar="SECONDS")
    made.add_argument("-H", "--host", action="append", metavar="HOST")
    return made


def test_options_are_read_with_what_they_take() -> None:
    assert options_of(parser()) == [
        Option(["-a", "--all"], "all of x", against=["-a", "--all", "--file"]),
        Option(["--file"], "default /x", Value.FILE, "FILE", (), ["--file", "-a", "--all"]),
        Option(["--level"], "", Value.WORD, "LEVEL", ["low", "high"], ["--level"]),
        Option(["--mean"], "", Value.WORD, "SECONDS", ["2", "0.5"], ["--mean"]),
        Option(["-H", "--host"], "", Value.HOST, "HOST", (), [], repeats=True),
    ]


def test_names_are_long_or_short() -> None:
    option = Option(["-H", "--host"], "")
    assert (option.short, option.long) == (["-H"], ["--host"])


def test_every_option_of_the_programs_has_a_help() -> None:
    assert [option for options in programs().values() for option in options if not option.help] == []


def test_every_word_of_a_filter_is_followed_by_what_the_viewer_offers() -> None:
    *cases, (rest, others) = filter_words()
    behind = {word: words for before, words in cases for word in before}
    assert rest == ()
    assert set(behind) >= set(FILTER_FIELDS)
    assert "ESTABLISHED" in behind["state"]
    assert "country" in behind["src"]
    assert "process" not in behind["src"]
    assert {"and", "or", "process"} <= set(others)
    assert {"not", "process"} <= set(first_filter_words())
    assert "and" not in first_filter_words()
