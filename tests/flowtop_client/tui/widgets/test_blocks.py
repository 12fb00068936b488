from flowtop_client.tui.widgets.blocks import TWO_COLUMNS_FROM, arranged, block_width
from flowtop_client.tui.widgets.line import Line, line_width

BLOCKS: list[list[Line]] = [
    [[("", f"{name}{row}")] for row in range(rows)] for name, rows in (("a", 3), ("b", 1), ("c", 1))
]


def texts(width: int) -> list[str]:
    return ["".join(text for _, text in line) for line in arranged(BLOCKS, width)]


def test_a_narrow_screen_has_one_block_below_the_other() -> None:
    assert texts(80) == ["a0", "a1", "a2", "", "b0", "", "c0"]


def test_a_wide_screen_has_two_columns_each_block_under_the_shorter_one() -> None:
    half = TWO_COLUMNS_FROM // 2
    assert texts(TWO_COLUMNS_FROM) == [f"{'a0':<{half}}b0", "a1", f"{'a2':<{half}}c0"]


def test_a_line_is_never_too_wide() -> None:
    for width in (1, 5, 80, TWO_COLUMNS_FROM, TWO_COLUMNS_FROM + 1, 301):
        full: list[list[Line]] = [[[("", "x" * block_width(width))]]] * 3
        assert max(map(line_width, arranged(full, width))) <= width
