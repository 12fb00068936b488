"""What a misspelt word may have meant, an option of either program among them. Pure."""

from collections.abc import Iterable
from typing import Final

_UNKNOWN: Final = "unrecognized arguments: "


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The word that is most like this one, None where none is `alike`: 0 to 1, as difflib has it."""
    import difflib  # noqa: PLC0415  # most starts make no mistake

    found = difflib.get_close_matches(word, list(known), 1, alike)
    return found[0] if found else None


def told(program: str, message: str, options: Iterable[str]) -> tuple[str, str]:
    """What to say of a mistake in a command line: argparse's own message in better words, and what helps."""
    hint = f"`{program} --help` lists the options"
    if not message.startswith(_UNKNOWN):
        return message, hint
    wrong = message.removeprefix(_UNKNOWN).split(" ")[0]
    near = nearest(wrong.partition("=")[0], options)
    what = f"unknown option {wrong}" if wrong.startswith("-") else f"unexpected argument {wrong!r}"
    return what, f"did you mean {near}? {hint}" if near else hint
