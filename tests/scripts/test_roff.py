"""scripts/roff.py: what Markdown becomes in a man page, and that nothing is lost in silence."""

import pytest

from scripts.roff import ManError, page


def body(markdown: str) -> list[str]:
    """The lines of a page behind its name."""
    text = page(f"# x(1) -- a thing\n\n{markdown}", "2026-01-01", "x 1", "x manual")
    return text.split("a thing\n", 1)[1].splitlines()


def test_the_head_has_name_section_date_and_origin() -> None:
    first, *rest = page("# x-y(7) -- that's it\n", "2026-01-01", 'x "1"', "x manual").splitlines()
    assert first == r'.TH "X-Y" 7 "2026-01-01" "x \(dq1\(dq" "x manual"'
    assert rest[-2:] == [".SH NAME", r"x\-y \- that's it"]


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("text\nof two lines", [".PP", "text of two lines"]),
        ("One. Two. three", [".PP", "One.", "Two. three"]),
        ("a\\\nb", [".PP", "a", ".br", "b"]),
        ("## See also", ['.SH "SEE ALSO"']),
        ("### [one]", ['.SS "[one]"']),
        ("## A\n\ntext", ['.SH "A"', "text"]),
        ("a `b-c` **d** *e*", [".PP", r"a \fBb\-c\fP \fBd\fP \fIe\fP"]),
        (".x 'y", [".PP", r"\&.x 'y"]),
        ("`'y`", [".PP", r"\fB\(aqy\fP"]),
        ("a-b [c-d] e^f ~", [".PP", r"a-b [c\-d] e\(haf \(ti"]),
        ("- `-f EXPR`, `--filter EXPR`: Text", [".TP 8", r"\fB\-f \fP\fIEXPR\fP, \fB\-\-filter \fP\fIEXPR\fP", "Text"]),
        ("- `a`: one\n- `bb`: two", [".TP 4", r"\fBa\fP", "one", ".PD 0", ".TP 4", r"\fBbb\fP", "two", ".PD"]),
        ("- `a` is one\n- two", ['.IP "\\(bu" 2', r"\fBa\fP is one", '.IP "\\(bu" 2', "two"]),
        ("1. one", ['.IP "1." 4', "one"]),
        ("- `a`: one\n\n  two", [".TP 3", r"\fBa\fP", "one", ".IP", "two"]),
        ("```\n.x -y\n```", [".PP", ".in +4n", ".EX", r"\&.x \-y", ".EE", ".in"]),
        (f"```\n{'x' * 68}\n```", [".PP", ".in +0n", ".EX", "x" * 68, ".EE", ".in"]),
        ("[text](other.md) [web](https://x.org/)", [".PP", "text web <https://x.org/>"]),
        ("<!-- hidden -->", []),
    ],
)
def test_what_markdown_becomes(markdown: str, lines: list[str]) -> None:
    assert body(markdown) == lines


def test_a_table_becomes_terms_with_types_in_brackets() -> None:
    table = "| field | type | default | meaning | more |\n| - | - | - | - | - |\n| `a` | int | 0 | it | so |\n"
    assert body(table)[1:] == [r"\fBa\fP (int; default 0)", "it; more: so"]


def test_rows_without_a_name_go_with_the_one_before() -> None:
    table = (
        "| message | field | meaning |\n| - | - | - |\n| `m` | `a` | one |\n| | `b` | two |\n| `n` | `c` | three |\n"
    )
    lines = body(table)
    assert [line for line in lines if line.endswith(":")] == [r"\fBm\fP:", r"\fBn\fP:"]
    assert lines.index(r"\fBb\fP") < lines.index(r"\fBn\fP:") < lines.index(r"\fBc\fP")


def test_lines_are_short_and_keep_every_word() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    lines = body(words)[1:]
    assert " ".join(lines) == words
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("markdown", ["#### too deep", "> quoted", "![picture](x.png)", "a <b>c</b>", "---"])
def test_what_is_not_known_is_an_error(markdown: str) -> None:
    with pytest.raises(ManError):
        body(markdown)


def test_a_page_without_a_head_is_an_error() -> None:
    with pytest.raises(ManError, match="a page begins with"):
        page("# x\n", "", "", "")
