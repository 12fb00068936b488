from pathlib import Path

import pytest

from bench.document import DOCUMENT, replaced, write_section

PAGE = """# Benchmarks

Free.

<!-- a: begin -->
old
<!-- a: end -->

Between.

<!-- b: begin -->
b
<!-- b: end -->
"""


def test_a_section_is_replaced_and_everything_else_stays() -> None:
    assert replaced(PAGE, "a", "new\n") == PAGE.replace("old", "new")
    assert replaced(PAGE, "b", "new\n") == PAGE.replace("\nb\n", "\nnew\n")


def test_writing_twice_is_writing_once() -> None:
    once = replaced(PAGE, "a", "| x |\n\n")
    assert replaced(once, "a", "| x |\n\n") == once


def test_a_missing_section_is_put_at_the_end() -> None:
    assert replaced(PAGE, "c", "new").endswith("<!-- b: end -->\n\n<!-- c: begin -->\nnew\n<!-- c: end -->\n")


def test_a_lonely_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="only one mark of the section a"):
        replaced(PAGE.replace("<!-- a: end -->\n", ""), "a", "new")


def test_two_writers_do_not_destroy_one_another(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "benchmarks.md"
    for section, text in (("bench", "1"), ("compare", "2"), ("bench", "3")):
        write_section(section, text, path)
    page = path.read_text()
    assert "\n3\n" in page
    assert "\n2\n" in page
    assert "\n1\n" not in page


def test_the_page_has_a_place_for_both_commands() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    for section in ("compare", "bench"):
        assert f"<!-- {section}: begin -->\n" in page
        assert f"<!-- {section}: end -->\n" in page
