"""docs/benchmarks.md, which two commands write: each its own section between two marks, and nothing else.

    # Benchmarks
    …                                            free text
    <!-- compare: begin -->                      written by python -m bench.compare --write
    <!-- compare: end -->
    <!-- bench: begin -->                        written by python -m bench --write
    <!-- bench: end -->

A section that is missing is put at the end. What is outside the marks is kept as it is.
"""

from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_TITLE: Final = "# Benchmarks\n"


def replaced(document: str, section: str, text: str) -> str:
    """The document with another text in one section. Raises ValueError when only one of its marks is there."""
    begin, end = f"<!-- {section}: begin -->\n", f"<!-- {section}: end -->\n"
    new = f"{begin}{text.strip()}\n{end}"
    if (begin in document) != (end in document):
        raise ValueError(f"only one mark of the section {section}")
    if begin not in document:
        return f"{document.rstrip()}\n\n{new}"
    before, rest = document.split(begin, 1)
    _, after = rest.split(end, 1)
    return before + new + after


def write_section(section: str, text: str, path: Path = DOCUMENT) -> None:
    """Write one section of the document, which is made when there is none."""
    document = path.read_text(encoding="utf-8") if path.exists() else _TITLE
    path.parent.mkdir(exist_ok=True)
    path.write_text(replaced(document, section, text), encoding="utf-8")
