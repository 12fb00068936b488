"""Sessions as conversations: what the viewer says, what it hears."""

import math
from dataclasses import replace

import numpy as np
import pytest

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Dimensions, Owner, Place
from flowtopd.flows.rate_history import RateHistory
from flowtopd.flows.snapshot import Sample, Tick
from flowtopd.flows.table import FlowTable
from flowtopd.query.results import Results
from flowtopd.query.rows import flow_id
from flowtopd.session.conversation import ROWS_A_PART, Conversation, WantNames
from flowtopd.session.hub import Published
from flowtopd.wire.codec import decode_daemon, encode_daemon
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.fields import DETAIL_FIELDS, ENDS, FLOW_FIELD_NAMES, RECORDED_FIELD_NAMES
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Detail,
    Error,
    FlowRequest,
    Hello,
    Query,
    Replay,
    Right,
    Seek,
    Snapshot,
    View,
    Welcome,
)
from tests.flowtopd.batches import Flow, batch, joined, moment, tick

HELLO = Hello(PROTOCOL_VERSION)
FIRST = tick(Flow())


def later(seconds: float, seq: int = 2) -> Tick:
    return replace(FIRST, snapshot=replace(FIRST.snapshot, seq=seq, at=moment(10 + seconds)))


def _nobody(_addresses: list[tuple[int, int]]) -> None:
    pass


def greeted(want_names: WantNames = _nobody) -> Conversation:
    conversation = Conversation("flowtopd 0", "host", want_names)
    conversation.receive(HELLO)
    assert heard(conversation) == [Welcome(PROTOCOL_VERSION, "flowtopd 0", "host")]
    return conversation


def heard(conversation: Conversation, newest: Tick | None = None, pace_s: float = 1.0) -> list[DaemonMessage]:
    published = None if newest is None else Published(newest, Results(newest.snapshot))
    messages = list(conversation.answers(published, pace_s, 1))
    for message in messages:
        encode_daemon(message)  # everything that is said can be sent
    return messages


def tags(messages: list[DaemonMessage]) -> list[tuple[int, int]]:
    return [(message.tag, message.seq) for message in messages if isinstance(message, Snapshot)]


def test_hello_is_answered_with_welcome() -> None:
    greeted()


@pytest.mark.parametrize("message", [Query(), FlowRequest("00")])
def test_nothing_is_said_before_hello(message: Query | FlowRequest) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Conversation("", "", _nobody).receive(message)
    assert caught.value.code is ErrorCode.STATE


def test_hello_is_said_once() -> None:
    conversation = greeted()
    with pytest.raises(RemoteProtocolError) as caught:
        conversation.receive(HELLO)
    assert caught.value.code is ErrorCode.STATE


@pytest.mark.parametrize(("version", "older"), [(PROTOCOL_VERSION - 1, "viewer"), (PROTOCOL_VERSION + 1, "daemon")])
def test_another_version_is_told_which_side_is_older(version: int, older: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"the {older} is older") as caught:
        Conversation("", "", _nobody).receive(Hello(version))
    assert caught.value.code is ErrorCode.VERSION


def test_without_a_query_nothing_is_sent_or_wanted() -> None:
    conversation = greeted()
    assert conversation.interval_s is None
    assert heard(conversation, FIRST) == []


def test_a_query_is_answered_at_once_then_once_a_tick() -> None:
    conversation = greeted()
    conversation.receive(Query(tag=5))
    assert conversation.interval_s == 1.0
    assert heard(conversation, None) == []
    assert tags(heard(conversation, FIRST)) == [(5, 1)]
    assert tags(heard(conversation, FIRST)) == []
    assert tags(heard(conversation, later(1.0))) == [(5, 2)]


def test_who_has_asked_is_told_from_whom_only_a_tick_has_woken() -> None:
    conversation = Conversation("", "", _nobody)
    conversation.receive(HELLO)
    for message in (None, Query(), Query(sort="no such field"), FlowRequest("00")):
        if message is not None:
            conversation.receive(message)
        assert conversation.has_asked()
        heard(conversation, FIRST)
        assert not conversation.has_asked()
    heard(conversation, later(1.0))
    assert not conversation.has_asked()


def test_the_newest_query_replaces_the_others_and_is_answered_from_the_same_tick() -> None:
    conversation = greeted()
    conversation.receive(Query(tag=1))
    conversation.receive(Query(tag=2))
    assert tags(heard(conversation, FIRST)) == [(2, 1)]
    conversation.receive(Query(tag=3))
    assert tags(heard(conversation, FIRST)) == [(3, 1)]


def test_ticks_that_came_while_the_viewer_did_not_read_are_not_sent() -> None:
    conversation = greeted()
    conversation.receive(Query())
    heard(conversation, FIRST)
    assert tags(heard(conversation, later(7.0, seq=8))) == [(0, 8)]


def test_a_slow_viewer_beside_a_fast_one_keeps_its_own_pace() -> None:
    conversation = greeted()
    conversation.receive(Query(interval=5.0))
    sent = [tags(heard(conversation, later(seconds, seconds + 1))) for seconds in range(11)]
    assert [index for index, one in enumerate(sent) if one] == [0, 5, 10]


def test_a_paused_viewer_wants_no_ticks_and_scrolls_in_what_it_saw_last() -> None:
    conversation = greeted()
    conversation.receive(Query(tag=1))
    heard(conversation, FIRST)
    conversation.receive(Query(tag=2, paused=True))
    assert conversation.interval_s is None
    assert tags(heard(conversation, later(1.0))) == [(2, 1)]
    assert tags(heard(conversation, later(2.0, 3))) == []
    conversation.receive(Query(tag=3, paused=False))
    assert tags(heard(conversation, later(2.0, 3))) == [(3, 3)]


def test_a_viewer_that_begins_paused_sees_one_tick() -> None:
    conversation = greeted()
    conversation.receive(Query(paused=True))
    assert tags(heard(conversation, FIRST)) == [(0, 1)]
    assert tags(heard(conversation, later(1.0))) == []


@pytest.mark.parametrize(
    ("query", "code"), [(Query(sort="x"), ErrorCode.SORT), (Query(filter="rate >"), ErrorCode.FILTER)]
)
def test_a_bad_sort_or_filter_is_answered_and_the_last_good_query_stays(query: Query, code: ErrorCode) -> None:
    conversation = greeted()
    conversation.receive(Query(tag=1))
    heard(conversation, FIRST)
    conversation.receive(replace(query, tag=2))
    (complaint,) = heard(conversation, FIRST)
    assert isinstance(complaint, Error)
    assert complaint.code is code
    assert tags(heard(conversation, later(1.0))) == [(1, 2)]


def test_a_query_with_a_bad_field_ends_the_session() -> None:
    with pytest.raises(RemoteProtocolError):
        greeted().receive(Query(interval=0.0))


def test_a_long_window_comes_in_parts() -> None:
    many = tick(*(Flow(sport=number % 60000, ctid=number) for number in range(ROWS_A_PART * 2 + 1)))
    conversation = greeted()
    conversation.receive(Query(fields=("id",)))
    parts = [message for message in heard(conversation, many) if isinstance(message, Snapshot)]
    assert [part.more for part in parts] == [True, True, False]
    assert [part.offset for part in parts] == [0, ROWS_A_PART, ROWS_A_PART * 2]
    assert len({row[0] for part in parts for row in part.rows}) == ROWS_A_PART * 2 + 1


def test_only_the_fields_that_were_asked_for_are_sent() -> None:
    conversation = greeted()
    conversation.receive(Query(fields=("dport", "src")))
    (answer,) = heard(conversation, FIRST)
    assert isinstance(answer, Snapshot)
    assert (answer.fields, answer.rows) == (("dport", "src"), [[443, "10.0.0.1"]])


def test_a_flow_is_told_in_full_and_a_gone_one_is_said_to_be_gone() -> None:
    conversation = greeted()
    conversation.receive(Query(fields=("id",)))
    (shown,) = heard(conversation, FIRST)
    assert isinstance(shown, Snapshot)
    known = shown.rows[0][0]
    for wanted, there in ((known, True), *((text, False) for text in ("0" * 16, "nonsense", "é" * 16, "-" + "0" * 15))):
        conversation.receive(FlowRequest(wanted))
        (detail,) = heard(conversation, FIRST)
        assert isinstance(detail, Detail)
        assert (detail.id, detail.flow is not None) == (wanted, there)
        if detail.flow is not None:
            assert tuple(detail.flow) == (*FLOW_FIELD_NAMES, *(field.name for field in DETAIL_FIELDS))
            assert tuple(detail.ends or ()) == ENDS


def details(messages: list[DaemonMessage]) -> list[bool]:
    """For every detail, whether the flow is there."""
    return [message.flow is not None for message in messages if isinstance(message, Detail)]


def watching(conversation: Conversation, flow: str) -> Conversation:
    conversation.receive(Query())
    heard(conversation, FIRST)
    conversation.receive(FlowRequest(flow))
    return conversation


ID = flow_id(int(FIRST.snapshot.columns["key"][0]))


def test_whose_details_are_open_is_known_by_key() -> None:
    conversation = greeted()
    assert conversation.watched is None
    assert watching(conversation, ID).watched == int(FIRST.snapshot.columns["key"][0])
    for other in ("", "nonsense"):
        conversation.receive(FlowRequest(other))
        assert conversation.watched is None


def test_a_flow_that_was_asked_for_is_told_at_once_and_with_every_tick_that_is_shown() -> None:
    conversation = watching(greeted(), ID)
    assert details(heard(conversation, FIRST)) == [True]
    assert details(heard(conversation, FIRST)) == []
    for seq in (2, 3):
        told = heard(conversation, later(float(seq), seq))
        assert details(told) == [True]
        assert tags(told) == [(0, seq)]
    conversation.receive(FlowRequest(ID))
    assert details(heard(conversation, later(3.0, 3))) == [True]


def test_another_request_replaces_it_and_an_empty_one_ends_it() -> None:
    conversation = watching(greeted(), ID)
    conversation.receive(FlowRequest("0" * 16))
    assert details(heard(conversation, FIRST)) == [False]
    assert details(heard(conversation, later(1.0))) == []
    conversation.receive(FlowRequest(ID))
    conversation.receive(FlowRequest(""))
    assert details(heard(conversation, later(2.0, 3))) == []


def test_a_flow_that_goes_is_told_to_be_gone_once() -> None:
    conversation = watching(greeted(), ID)
    assert details(heard(conversation, FIRST)) == [True]
    without = tick(Flow(ctid=2))
    gone = [replace(without, snapshot=replace(without.snapshot, seq=seq, at=moment(10 + seq))) for seq in (2, 3)]
    assert details(heard(conversation, gone[0])) == [False]
    assert details(heard(conversation, gone[1])) == []


def test_while_paused_details_come_from_what_is_shown_and_only_when_asked_for() -> None:
    conversation = watching(greeted(), "")
    conversation.receive(Query(paused=True))
    gone = tick(Flow(ctid=2))
    newest = replace(gone, snapshot=replace(gone.snapshot, seq=2, at=moment(11.0)))
    conversation.receive(FlowRequest(ID))
    assert details(heard(conversation, newest)) == [True]
    assert details(heard(conversation, newest)) == []
    conversation.receive(Query(tag=1))
    assert details(heard(conversation, newest)) == [False]


def test_a_detail_has_the_rates_up_to_what_is_shown() -> None:
    table, rates = FlowTable(), RateHistory()
    sent = (0, 100, 300)
    ticks = [
        replace(FIRST, snapshot=table.apply(batch(Flow().counted(total, 0), at_s=float(at)), moment(float(at))))
        for at, total in enumerate(sent)
    ]
    for one in ticks:
        rates.add(one.snapshot)
    conversation = greeted()
    conversation.receive(Query(paused=True))
    told: list[DaemonMessage] = []
    for newest in (ticks[1], ticks[2]):
        conversation.receive(FlowRequest(ID))
        told += conversation.answers(Published(newest, Results(newest.snapshot), rates), 1.0, 1)
    first, second = (message.history for message in told if isinstance(message, Detail))
    start = moment(0.0).wall_s
    assert first == second == [[start, None, None], [start + 1, 100.0, 0.0]]
    conversation.receive(Query())
    (detail, _snapshot) = conversation.answers(Published(ticks[2], Results(ticks[2].snapshot), rates), 1.0, 1)
    assert isinstance(detail, Detail)
    assert detail.history == [*first, [start + 2, 200.0, 0.0]]


def test_what_the_viewer_sees_is_what_it_acts_on() -> None:
    conversation = greeted()
    assert conversation.shown(None) is None
    conversation.receive(Query(paused=True))
    heard(conversation, FIRST)
    for newest in (FIRST, later(1.0)):
        seen = conversation.shown(Published(newest, Results(newest.snapshot)))
        assert seen is not None
        assert seen.tick is FIRST


@pytest.mark.parametrize(("names", "times"), [(True, 1), (False, 0)])
def test_names_of_all_ends_are_asked_for_where_the_viewer_wants_names(names: bool, times: int) -> None:
    asked: list[list[tuple[int, int]]] = []
    conversation = greeted(asked.append)
    conversation.receive(Query(names=names, fields=("dst",)))
    heard(conversation, FIRST)
    conversation.receive(FlowRequest(ID))
    heard(conversation, FIRST)
    assert [set(addresses) for addresses in asked] == [{NEAR, FAR}] * times


def test_a_viewer_is_told_what_it_may_do() -> None:
    conversation = Conversation("", "", _nobody, (Right.UPDATE, Right.ACT))
    conversation.receive(HELLO)
    assert heard(conversation) == [Welcome(PROTOCOL_VERSION, "", "", ("update", "act"))]


GONE = Flow(sport=9, ctid=9)


def with_closed() -> Tick:
    gone = joined(tick(GONE).snapshot)
    gone = replace(gone, columns=gone.columns | {"stop_ns": np.array([1], np.uint64)})
    return replace(FIRST, snapshot=replace(joined(FIRST.snapshot), closed=gone))


@pytest.mark.parametrize(("query", "rows"), [(Query(), [[False]]), (Query(closed=True), [[False], [True]])])
def test_closed_flows_are_rows_for_who_wants_them_and_flows_of_the_kernel_for_nobody(
    query: Query, rows: list[list[bool]]
) -> None:
    conversation = greeted()
    conversation.receive(replace(query, fields=("closed",), sort="closed", descending=False))
    (answer,) = heard(conversation, with_closed())
    assert isinstance(answer, Snapshot)
    assert answer.rows == rows
    assert (answer.status.matched, answer.status.flows) == (len(rows), 1)


def test_a_closed_flow_is_told_in_full_too() -> None:
    conversation = greeted()
    conversation.receive(Query())
    (key,) = tick(GONE).snapshot.columns["key"].tolist()
    conversation.receive(FlowRequest(f"{key:016x}"))
    detail = next(message for message in heard(conversation, with_closed()) if isinstance(message, Detail))
    assert detail.flow is not None
    assert (detail.flow["closed"], detail.flow["sport"]) == (True, 9)


def test_a_viewer_wants_means_as_long_as_it_wants_ticks() -> None:
    conversation = greeted()
    assert conversation.mean_s == 0
    conversation.receive(Query(mean=10))
    assert conversation.mean_s == 10
    conversation.receive(Query(mean=10, paused=True))
    assert conversation.mean_s == 0


class Told:
    """A viewer's view of the history over ticks of a second each."""

    def __init__(self) -> None:
        self.conversation = greeted()
        self._samples: list[Sample] = []

    def tick(self, *, read: bool = True) -> list[list[float]] | None:
        seq = len(self._samples) + 1
        self._samples.append(Sample(seq, float(seq), None if seq == 1 else seq * 10.0, 0.0))
        taken = later(float(seq), seq)
        if not read:
            return None
        published = Published(taken, Results(taken.snapshot), history=tuple(self._samples))
        (answer,) = self.conversation.answers(published, 1.0, 1)
        assert isinstance(answer, Snapshot)
        return decoded.history if isinstance(decoded := decode_daemon(encode_daemon(answer)[4:]), Snapshot) else []


def test_the_history_is_told_whole_and_then_what_is_new_also_of_ticks_that_were_missed() -> None:
    told = Told()
    told.conversation.receive(Query(history=True))
    told.tick(read=False)
    assert told.tick() == [[1.0, None, 0.0], [2.0, 20.0, 0.0]]
    assert told.tick() == [[3.0, 30.0, 0.0]]
    told.tick(read=False)
    told.conversation.receive(Query(history=True, sort="bytes"))
    assert told.tick() == [[4.0, 40.0, 0.0], [5.0, 50.0, 0.0]]


def test_who_does_not_ask_for_history_gets_none_and_whole_when_asking_again() -> None:
    told = Told()
    told.conversation.receive(Query(history=True))
    told.tick()
    told.conversation.receive(Query())
    assert told.tick() is None
    told.conversation.receive(Query(history=True))
    assert told.tick() == [[1.0, None, 0.0], [2.0, 20.0, 0.0], [3.0, 30.0, 0.0]]


def test_a_paused_viewer_is_told_the_rest_when_it_goes_on() -> None:
    told = Told()
    told.conversation.receive(Query(history=True))
    told.tick()
    told.conversation.receive(Query(history=True, paused=True))
    assert told.tick() == []
    told.tick(read=False)
    told.conversation.receive(Query(history=True))
    assert told.tick() == [[2.0, 20.0, 0.0], [3.0, 30.0, 0.0], [4.0, 40.0, 0.0]]


FAR, NEAR = (0, 0xFFFF_0101_0101), (0, 0xFFFF_0A00_0001)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(fields=("dst_name",)), [FAR]),
        (Query(fields=("src_name", "dst_name")), [NEAR, FAR]),
        (Query(), [NEAR, FAR]),
        (Query(names=False), None),
        (Query(fields=("dst",)), None),
        (Query(fields=("dst_name",), limit=0), None),
    ],
)
def test_names_are_asked_for_what_is_shown_and_only_then(query: Query, wanted: list[tuple[int, int]] | None) -> None:
    asked: list[list[tuple[int, int]]] = []
    conversation = greeted(asked.append)
    conversation.receive(query)
    two = tick(Flow(), Flow(sport=2, ctid=2))
    heard(conversation, replace(two, snapshot=joined(two.snapshot)))
    assert asked == ([] if wanted is None else [wanted])


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (Query(), ["one.example", "AU", "PL"]),
        (Query(names=False), [None, "AU", "PL"]),
        (Query(geoip=False), ["one.example", None, "PL"]),
    ],
)
def test_what_a_viewer_does_not_want_to_see_is_null(query: Query, shown: list[str | None]) -> None:
    table = AddressTable()
    ids = table.add(FIRST.snapshot.columns["dst"])
    for name in ("name", "place"):
        table.put(name, ids, 1)
    dimensions = Dimensions(
        table.columns, (None, "one.example"), (Place(), Place("AU")), owners=(Owner(), Owner(1, 0, "PL"))
    )
    taken = joined(FIRST.snapshot, dimensions, dst_at=ids.tolist(), owner=[1])
    conversation = greeted()
    conversation.receive(replace(query, fields=("dst_name", "dst_country", "process")))
    (answer,) = heard(conversation, replace(FIRST, snapshot=taken))
    assert isinstance(answer, Snapshot)
    assert answer.rows == [shown]


def seeking() -> tuple[Conversation, list[Seek]]:
    wanted: list[Seek] = []
    conversation = Conversation("", "", _nobody, seek=wanted.append)
    conversation.receive(HELLO)
    heard(conversation)
    return conversation, wanted


def test_a_seek_is_passed_on() -> None:
    conversation, wanted = seeking()
    conversation.receive(Seek(seconds=-10.0, paused=True))
    assert wanted == [Seek(seconds=-10.0, paused=True)]


@pytest.mark.parametrize(
    "wrong",
    [Seek(seconds=math.nan), Seek(seconds=math.inf), Seek(seconds=-2e9), Seek(speed=0.0), Seek(speed=1000.0)],
)
def test_a_seek_that_makes_no_sense_ends_the_session(wrong: Seek) -> None:
    conversation, wanted = seeking()
    with pytest.raises(RemoteProtocolError) as caught:
        conversation.receive(wrong)
    assert (caught.value.code, wanted) == (ErrorCode.FIELD, [])


def test_where_there_is_no_recording_a_seek_is_out_of_place() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        greeted().receive(Seek())
    assert caught.value.code is ErrorCode.STATE


def test_another_place_of_a_recording_is_shown_at_once_and_says_where_it_is() -> None:
    conversation, _ = seeking()
    conversation.receive(Query(interval=5.0))
    heard(conversation, FIRST)
    assert heard(conversation, later(0.1)) == []
    where = Replay(position=3.0, duration=60.0, speed=1.0, paused=False, ended=False)
    (answer,) = heard(conversation, replace(later(0.2), jumps=1, replay=where))
    assert isinstance(answer, Snapshot)
    assert answer.replay == where


def test_the_fields_of_a_recording_are_given_to_who_asks_for_them() -> None:
    conversation = greeted()
    conversation.receive(Query(fields=RECORDED_FIELD_NAMES))
    (answer,) = heard(conversation, FIRST)
    assert isinstance(answer, Snapshot)
    flow = dict(zip(answer.fields, answer.rows[0], strict=True))
    assert (flow["sampled"], flow["own"], flow["local"], flow["src_scope"]) == (10.0, False, None, "remote")
    with pytest.raises(RemoteProtocolError):
        conversation.receive(Query(view=View.HOSTS, sort="key", fields=("sampled",)))


def test_offloaded_flows_stand_still_only_where_a_flowtable_does_not_count() -> None:
    taken = tick(Flow(ctid=1, status=0xE | 1 << 14), Flow(ctid=2, counters=None))
    for freezes, frozen in ((False, 0), (True, 1)):
        conversation = greeted()
        conversation.receive(Query())
        (said,) = heard(
            conversation, replace(taken, kernel=replace(taken.kernel, freezes=freezes), places=("country",))
        )
        assert isinstance(said, Snapshot)
        assert (said.status.frozen, said.status.uncounted, said.status.places) == (frozen, 1, ("country",))
