"""docs/filter.md is the parser's own text and the tables of its words: FLOWTOP_WRITE_SCREENS=1 writes it anew."""

import os
from pathlib import Path

from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS
from flowtopd.wire.filter_parser import MANUAL

PAGE = Path(__file__).parents[2] / "docs" / "filter.md"


def page() -> str:
    lines = ["# Filters", "", "For `flowtop -f EXPR`, `--exit-if EXPR` and the line that `/` opens in the viewer."]
    lines += ["", "```", MANUAL.strip(), "```", "", "## Fields", ""]
    lines += ["| field | wants | at most | sides | what it is |", "| --- | --- | --- | --- | --- |"]
    for field in FILTER_FIELDS.values():
        most = "" if field.most is None else field.most
        lines.append(f"| `{field.name}` | {field.of} | {most} | {'yes' if field.sided else ''} | {field.doc} |")
    lines += ["", "## Words that are a condition", "", ", ".join(f"`{word}`" for word in sorted({*FLAGS, "nat"})), ""]
    return "\n".join(lines)


def test_the_page_is_what_the_parser_says() -> None:
    if os.environ.get("FLOWTOP_WRITE_SCREENS"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()
