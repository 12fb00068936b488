from dataclasses import replace

from flowtop_client.view_state.filter_line import Mistake
from flowtop_client.view_state.filtering import refused, typed
from flowtop_client.view_state.help_page import told
from flowtop_client.view_state.moves import MOVES, Action, received
from flowtop_client.view_state.state import ALL_PROTOCOLS, Mode, ViewState, query_for
from flowtop_client.view_state.text_input import Edit
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.filter_parser import LONGEST
from flowtopd.wire.messages import Error
from tests.flowtop_client.scripted_daemon import made_up
from tests.flowtop_client.states import FIELDS, answer

FLOWS = made_up(200)


def answered(state: ViewState) -> ViewState:
    return received(state, answer(state, FLOWS, seq=state.tag))


def start(**values: object) -> ViewState:
    return answered(replace(ViewState(fields=FIELDS, page=10, protocols=ALL_PROTOCOLS), **values))  # type: ignore[arg-type]


def after(state: ViewState, *steps: Action | Edit | str) -> ViewState:
    """The state after keys and typed text, each answered."""
    for step in steps:
        state = answered(typed(state, step) if type(step) is str else MOVES[step](state))  # type: ignore[index]
    return state


def text(state: ViewState) -> str:
    assert state.line is not None
    return state.line.input.text


def mistake(state: ViewState) -> Mistake | None:
    assert state.line is not None
    return state.line.mistake


def test_the_filter_is_on_as_it_is_typed() -> None:
    state = after(start(), Action.FILTER)
    assert state.mode is Mode.FILTER
    state = after(state, "tcp")
    assert query_for(state).filter == "tcp"
    assert state.total < 200
    assert after(state, " and process firefox").total < state.total


def test_while_the_text_is_no_filter_the_last_good_one_stays() -> None:
    state = after(start(), Action.FILTER, "tcp", " and port")
    assert mistake(state) == Mistake(12, "port wants a value")
    assert query_for(state).filter == "tcp"
    assert query_for(after(state, " https")).filter == "tcp and port https"
    assert query_for(after(state, " 1-")).filter == "tcp"


def test_other_rows_begin_at_the_first_and_the_same_ones_stay() -> None:
    state = after(start(), *[Action.DOWN] * 12, Action.FILTER)
    assert after(state, " ").offset == state.offset
    assert (after(state, "tcp").offset, after(state, "tcp").cursor) == (0, 0)


def test_enter_keeps_what_is_right_and_nothing_else() -> None:
    wrong = after(start(), Action.FILTER, "tcp (")
    assert MOVES[Action.KEEP](wrong) is wrong
    kept = after(wrong, Edit.ERASE, Action.KEEP)
    assert (kept.mode, kept.filter, kept.history) == (Mode.ROWS, "tcp", ("tcp",))


def test_enter_on_what_is_wrong_shows_the_mistake_that_words_to_choose_from_have_hidden() -> None:
    hidden = after(start(), Action.FILTER, "(sta", Action.COMPLETE)
    assert hidden.line is not None
    assert hidden.line.offers is not None
    seen = after(hidden, Action.KEEP)
    assert seen.line is not None
    assert seen.line.offers is None
    assert mistake(seen) == Mistake(0, "a parenthesis that is not closed")


def test_esc_brings_back_the_filter_and_the_place() -> None:
    before = after(start(filter="tcp"), *[Action.DOWN] * 12)
    state = after(before, Action.FILTER, Edit.ERASE_LINE, "udp")
    assert (state.filter, state.offset) == ("udp", 0)
    back = after(state, Action.GIVE_UP)
    assert (back.mode, back.filter, back.cursor, back.offset) == (Mode.ROWS, "tcp", 12, before.offset)
    assert back.key(back.cursor) == before.pinned
    untouched = after(before, Action.FILTER, Action.GIVE_UP)
    assert (untouched.cursor, untouched.tag) == (12, before.tag)


def test_the_line_opens_with_the_filter_that_is_on_and_its_place_at_the_end() -> None:
    state = after(start(filter="tcp"), Action.FILTER, " and udp")
    assert text(state) == "tcp and udp"
    assert after(state, Edit.HOME, "icmp or ").filter == "icmp or tcp and udp"


def test_values_that_were_here_complete_although_the_rows_are_gone() -> None:
    state = after(start(), Action.FILTER, "no_such_thing", Edit.ERASE_LINE, "process fi", Action.COMPLETE)
    assert text(state) == "process firefox "
    assert query_for(state).filter == "process firefox"
    assert after(start(), Action.PROCESSES, Action.FILTER, "process pos", Action.COMPLETE).filter == "process postgres"


def test_the_history_is_for_the_session() -> None:
    state = start()
    for each in ("tcp", "udp"):
        state = after(state, Action.FILTER, Edit.ERASE_LINE, each, Action.KEEP)
    state = after(state, Action.UNFILTER, Action.FILTER, Action.OLDER, Action.OLDER)
    assert state.filter == "tcp"
    assert after(state, Action.NEWER).filter == "udp"
    assert after(state, Action.NEWER, Action.NEWER).filter == ""


def test_a_filter_that_is_too_long_with_the_groups_is_a_mistake() -> None:
    state = after(start(), Action.COUNTRIES, Action.OPEN, Action.FILTER, "x" * (LONGEST - 1))
    assert mistake(state) == Mistake(LONGEST - 1, f"longer than {LONGEST} characters")
    assert state.filter == ""


def test_a_filter_that_the_daemon_refuses_gives_way_to_the_last_that_it_did_not() -> None:
    state = after(start(), Action.FILTER, "tcp")
    state = typed(state, " and udp")
    state = refused(state, Error(ErrorCode.FILTER, "no such word", 8))
    assert mistake(state) == Mistake(8, "no such word")
    assert (state.filter, text(state)) == ("tcp", "tcp and udp")
    assert query_for(state).filter == "tcp"


def test_a_filter_of_the_command_line_that_is_refused_is_shown_with_its_mistake() -> None:
    state = replace(ViewState(fields=FIELDS, filter="tcp or udp"), page=10)
    state = refused(state, Error(ErrorCode.FILTER, "no such word", 7))
    assert (state.mode, mistake(state), text(state)) == (Mode.FILTER, Mistake(7, "no such word"), "tcp or udp")
    assert query_for(state).filter == ""
    assert after(state, Action.GIVE_UP).filter == ""


def test_the_place_of_a_mistake_is_that_in_the_users_part() -> None:
    state = after(start(), Action.COUNTRIES, Action.OPEN, Action.FILTER)
    state = typed(state, "tcp or udp")
    assert query_for(state).filter.startswith("(tcp or udp) and ")
    assert mistake(refused(state, Error(ErrorCode.FILTER, "no", 8))) == Mistake(7, "no")
    assert mistake(refused(state, Error(ErrorCode.FILTER, "no", 40))) == Mistake(10, "no")
    assert mistake(refused(state, Error(ErrorCode.FILTER, "no"))) == Mistake(10, "no")


def test_a_group_that_the_daemon_does_not_understand_is_no_mistake_of_the_users() -> None:
    state = after(start(), Action.COUNTRIES, Action.OPEN)
    state = refused(state, Error(ErrorCode.FILTER, "no such word", 0))
    assert (state.complaint, state.line) == ("no such word", None)


def test_what_is_typed_in_the_help_is_searched_for() -> None:
    state = MOVES[Action.HELP](start())
    assert state.help is not None
    texts = tuple(f"line {number}" for number in range(50))
    state = after(replace(state, help=told(state.help, texts, 10)), Action.SEARCH)
    assert state.mode is Mode.SEARCH
    state = after(state, "line 4", Edit.ERASE, "33")
    assert state.help is not None
    assert state.help.found == 33
    assert state.filter == ""
    kept = after(state, Action.KEEP)
    assert kept.mode is Mode.HELP
    assert kept.help is not None
    assert kept.help.pattern == "line 33"
    given_up = after(state, Action.GIVE_UP).help
    assert given_up is not None
    assert (given_up.pattern, given_up.line) == ("", 0)


def test_nothing_is_typed_where_no_line_is_open() -> None:
    state = start()
    for step in (Action.KEEP, Action.GIVE_UP, Action.COMPLETE, Action.OLDER, Edit.ERASE, Action.SEARCH):
        assert MOVES[step](state) is state
    assert typed(state, "x") is state
