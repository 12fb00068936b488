from flowtop_client.view_state.filter_line import (
    REMEMBERED,
    FilterLine,
    Mistake,
    completed,
    mistake_in,
    recalled,
    remembered,
    with_input,
)
from flowtop_client.view_state.place import Place
from flowtop_client.view_state.text_input import Input

SEEN = {"country": ("DE", "DK", "US"), "process": ("systemd-resolved", "systemd-timesyncd")}


def line(text: str) -> FilterLine:
    return with_input(FilterLine(Input(), "", Place(), SEEN), Input.of(text))


def text(of: FilterLine) -> str:
    return of.input.text


def test_a_mistake_is_found_as_one_types() -> None:
    assert line("port x y").mistake is None  # a service of this name, and a word
    assert line("tcp and port 1-").mistake == Mistake(13, "port wants a whole number, or two as 1-1024")
    assert mistake_in("") is None
    moved = with_input(line("tcp ("), Input("tcp (", 0))
    assert moved.mistake == line("tcp (").mistake


def test_a_single_word_that_fits_is_put_in_with_a_blank() -> None:
    assert text(completed(line("coun"), 1)) == "country "
    assert text(completed(line("country u"), 1)) == "country US "


def test_what_all_words_have_in_common_comes_first_then_one_after_the_other() -> None:
    first = completed(line("process s"), 1)
    assert text(first) == "process systemd-"
    assert first.offers is not None
    assert first.offers.words == ("systemd-resolved", "systemd-timesyncd")
    second = completed(first, 1)
    third = completed(second, 1)
    assert [text(second), text(third), text(completed(third, 1))] == [
        "process systemd-resolved",
        "process systemd-timesyncd",
        "process systemd-resolved",
    ]
    assert text(completed(third, -1)) == text(second)


def test_words_without_a_common_beginning_are_chosen_from_at_once_and_from_the_end_too() -> None:
    assert text(completed(line("country "), 1)) == "country DE"
    assert text(completed(line("country "), -1)) == "country US"
    assert text(completed(line("country d"), 1)) == "country DE"
    assert text(completed(line("process S"), 1)) == "process systemd-"  # as the words write it


def test_another_key_ends_the_choice() -> None:
    chosen = completed(line("country "), 1)
    assert chosen.offers is not None
    assert with_input(chosen, chosen.input.typed(" ")).offers is None


def test_where_nothing_fits_nothing_changes() -> None:
    begun = line("xyz")
    assert completed(begun, 1) is begun


def test_the_history_is_walked_and_what_was_typed_is_its_newest_line() -> None:
    history = ("tcp", "udp")
    begun = line("ic")
    older = recalled(begun, history, 1)
    oldest = recalled(older, history, 1)
    assert [text(older), text(oldest)] == ["udp", "tcp"]
    assert recalled(oldest, history, 1) is oldest
    assert text(recalled(oldest, history, -1)) == "udp"
    assert text(recalled(older, history, -1)) == "ic"
    assert recalled(begun, history, -1) is begun


def test_what_is_recalled_and_wrong_is_said_to_be_wrong() -> None:
    assert recalled(line(""), ("port 1-",), 1).mistake is not None


def test_a_filter_is_remembered_once_and_not_for_ever() -> None:
    assert remembered(("a", "b"), "a") == ("b", "a")
    assert remembered(("a",), "") == ("a",)
    history: tuple[str, ...] = ()
    for number in range(2 * REMEMBERED):
        history = remembered(history, f"port {number}")
    assert len(history) == REMEMBERED
    assert history[-1] == f"port {2 * REMEMBERED - 1}"
