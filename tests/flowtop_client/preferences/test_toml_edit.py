from collections.abc import Sequence

import pytest

from flowtop_client.preferences.toml_edit import Place, UneditableError, edited

TEXT = """\
# my settings
theme = "dark"  # or light

[columns]
flows = [
    "process",  # who
    "rate",
]
# the rest is as it comes

[sort]
flows = "rate:desc"
"""


def test_all_but_the_values_stays_as_it_is() -> None:
    new = edited(TEXT, {("theme",): "mono", ("columns", "flows"): ["address", "rate"]})
    assert new == TEXT.replace('theme = "dark"  # or light', 'theme = "mono"').replace(
        '[\n    "process",  # who\n    "rate",\n]', '["address", "rate"]'
    )


@pytest.mark.parametrize(
    ("text", "place", "value", "new"),
    [
        ("", ("theme",), "mono", 'theme = "mono"\n'),
        ("[sort]\n", ("theme",), "mono", 'theme = "mono"\n[sort]\n'),
        ("", ("sort", "flows"), "rate", '[sort]\nflows = "rate"\n'),
        ("a = 1\n\n\n[b]\n", ("theme",), "mono", 'a = 1\ntheme = "mono"\n\n\n[b]\n'),
        ("[sort] # x\nhosts = 'a'\n", ("sort", "flows"), "b", "[sort] # x\nhosts = 'a'\nflows = \"b\"\n"),
        ("[sort]\nflows = 'a'\nhosts = 'b'", ("sort", "flows"), None, "[sort]\nhosts = 'b'\n"),
        ("theme = 1", ("columns", "flows"), None, "theme = 1\n"),
        ("", ("theme",), 'ü"\\', 'theme = "ü\\"\\\\"\n'),
    ],
)
def test_values_go_where_they_belong(text: str, place: Place, value: str | Sequence[str] | None, new: str) -> None:
    assert edited(text, {place: value}) == new


SORT_IN_A_TEXT = "x = '''\n[sort]\n'''\n"


@pytest.mark.parametrize(
    "text", ["sort.flows = 'a'", "sort = {flows = 'a'}", "sort = 1", "'sort' = 1", "[sort", SORT_IN_A_TEXT]
)
def test_what_would_be_lost_is_not_edited(text: str) -> None:
    with pytest.raises(UneditableError):
        edited(text, {("sort", "flows"): "b"})


def test_what_python_has_a_limit_for_is_not_edited() -> None:
    for value in ("9" * 5000, "[" * 3000):
        with pytest.raises(UneditableError):
            edited(f"x = {value}\n", {("theme",): "light"})
