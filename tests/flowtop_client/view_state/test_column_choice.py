from flowtop_client.view_state.column_choice import ColumnChoice, begun, moved, seen_from, shifted, toggled

OFFERED = (("a", True), ("b", False), ("c", True))


def test_a_choice_begins_with_what_is_on_the_screen() -> None:
    choice = begun(OFFERED, ())
    assert choice.columns == OFFERED
    assert choice.chosen == ()  # nothing was chosen yet


def test_a_choice_that_was_made_comes_first_in_its_order() -> None:
    choice = begun(OFFERED, ("c", "b"))
    assert choice.columns == (("c", True), ("b", True), ("a", False))
    assert choice.chosen == ("c", "b")


def test_columns_are_switched_and_the_last_one_stays() -> None:
    choice = toggled(begun(OFFERED, ()))
    assert choice.chosen == ("c",)
    assert toggled(moved(choice, 2)).chosen == ("c",)
    assert toggled(moved(choice, 1)).chosen == ("b", "c")


def test_a_column_is_moved_and_the_cursor_with_it() -> None:
    choice = shifted(moved(begun(OFFERED, ()), 2), -1)
    assert choice.chosen == ("a", "c")
    assert [name for name, _ in choice.columns] == ["a", "c", "b"]
    assert choice.at == 1
    assert shifted(shifted(choice, -1), -1) == shifted(choice, -1)  # no further than to the end
    assert shifted(shifted(choice, 1), 1) == shifted(choice, 1)


def test_the_cursor_stays_among_the_columns_and_on_the_screen() -> None:
    choice = begun(tuple((str(number), True) for number in range(30)), ())
    for steps in (-5, 0, 3, 15, 27, 29, 99):
        to = moved(choice, steps)
        assert to.at == max(0, min(steps, 29))
        assert 0 <= to.at - seen_from(to, 10) < 10
    assert seen_from(choice, 100) == 0
    assert moved(ColumnChoice(()), 1).at == 0
    assert toggled(ColumnChoice(())) == ColumnChoice(())
