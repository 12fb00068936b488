"""Guesses at misspelt words."""

import pytest

from flowtopd.wire.nearest import nearest, told

OPTIONS = ("-h", "--help", "--json", "--socket")


def test_the_word_that_is_most_like_it_is_guessed_or_none() -> None:
    assert nearest("--sockt", OPTIONS) == "--socket"
    assert nearest("--sockt", OPTIONS, alike=0.99) is None
    assert nearest("xyz", OPTIONS) is None


@pytest.mark.parametrize(
    ("message", "what", "guess"),
    [
        ("unrecognized arguments: --jsno --x", "unknown option --jsno", "did you mean --json? "),
        ("unrecognized arguments: --sokcet=/run/x", "unknown option --sokcet=/run/x", "did you mean --socket? "),
        ("unrecognized arguments: --nonsense", "unknown option --nonsense", ""),
        ("unrecognized arguments: now", "unexpected argument 'now'", ""),
        ("unrecognized arguments: ", "unexpected argument ''", ""),
        ("argument --socket: expected one argument", "argument --socket: expected one argument", ""),
    ],
)
def test_a_mistake_in_a_command_line_is_said_with_what_helps(message: str, what: str, guess: str) -> None:
    assert told("flowtop", message, OPTIONS) == (what, f"{guess}`flowtop --help` lists the options")
