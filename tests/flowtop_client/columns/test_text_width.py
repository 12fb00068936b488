import pytest

from flowtop_client.columns.text_width import text_width


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("例え", 4), ("e\u0301", 1), ("\u0e31", 0), ("…", 1), ("", 0)])
def test_text_is_measured_in_cells(text: str, width: int) -> None:
    assert text_width(text) == width
