from flowtop_client.tui.widgets.checklist import checklist

ENTRIES = [(True, "RATE", "how fast"), (False, "例え", "wide"), (True, "X", "")]


def test_what_is_on_is_ticked_and_the_selected_one_fills_its_line() -> None:
    lines = checklist(ENTRIES, 1, 0, 20, 5)
    assert ["".join(text for _, text in line) for line in lines] == [
        " [x] RATE  how fast",
        " [ ] 例え  wide     ",
        " [x] X     ",
    ]
    assert [style for style, _ in lines[1]] == ["class:cursor"]


def test_as_much_is_shown_as_has_room() -> None:
    assert len(checklist(ENTRIES, 0, 1, 20, 5)) == 2
    assert len(checklist(ENTRIES, 0, 0, 20, 1)) == 1
    assert checklist([], 0, 0, 20, 1) == []
