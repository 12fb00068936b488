"""What a misspelt word may have meant. Pure."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The word that is most like this one, None where none is `alike`: 0 to 1, as difflib has it."""
    import difflib  # noqa: PLC0415  # most starts make no mistake

    found = difflib.get_close_matches(word, list(known), 1, alike)
    return found[0] if found else None
