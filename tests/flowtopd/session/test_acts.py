"""Who may end flows, what they hear, and what the log says of it. That flows end: tests/test_acts.py."""

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable

import pytest

from flowtopd.query.rows import flow_id
from flowtopd.session.acts import MOST, Acts
from flowtopd.session.conversation import Conversation
from flowtopd.session.hub import Hub
from flowtopd.session.peers import Peer
from flowtopd.wire.codec import encode_daemon
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.messages import PROTOCOL_VERSION, Delete, Done, Error, Hello, Kill, Right
from tests.flowtopd.batches import Flow, snapshot
from tests.flowtopd.session.acting import WAIT_S, Scripted, no_acts

SEEN = snapshot(Flow(), Flow(src="fd00::1", dst="fd00::2"), Flow(sport=None, dport=None, proto=1, ctid=9))
IDS = [flow_id(key) for key in SEEN.columns["key"].tolist()]
TEXTS = ["tcp 10.0.0.1:40000 > 1.1.1.1:443", "tcp [fd00::1]:40000 > [fd00::2]:443", "icmp 10.0.0.1 > 1.1.1.1"]
ROOT, ALICE = Peer(7, 0, frozenset()), Peer(8, 1000, frozenset())
ACT = (Right.ACT,)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def played(play: Callable[[Acts, Scripted, Scripted], Awaitable[None]]) -> tuple[Scripted, Scripted]:
    delete, kill = Scripted(), Scripted("its connection is closed")

    async def run() -> None:
        with Acts(delete, kill) as acts:
            try:
                await play(acts, delete, kill)
            finally:
                delete.go.set()
                kill.go.set()

    asyncio.run(run())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("act")]
    return delete, kill


@pytest.mark.parametrize(("row", "text"), [*enumerate(TEXTS)])
def test_what_is_asked_for_is_done_to_that_flow_told_and_logged(
    row: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Done | Error] = []

    async def play(acts: Acts, delete: Scripted, kill: Scripted) -> None:
        delete.go.set()
        kill.go.set()
        acts.ask(ROOT, ACT, Delete(IDS[row]), SEEN, heard.append)
        await until(lambda: len(heard) == 1)
        acts.ask(ROOT, ACT, Kill(IDS[row]), SEEN, heard.append)
        await until(lambda: len(heard) == 2)

    caplog.set_level("INFO", "flowtopd")
    delete, kill = played(play)
    assert (delete.begun, kill.begun) == ([row], [row])
    assert heard == [
        Done(IDS[row], f"{text}: its entry is deleted"),
        Done(IDS[row], f"{text}: its connection is closed"),
    ]
    assert caplog.messages == [
        f"uid 0, pid 7: delete {text}: its entry is deleted",
        f"uid 0, pid 7: kill {text}: its connection is closed",
    ]


def test_who_has_no_right_is_denied_and_nothing_happens_and_that_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(acts: Acts, _delete: Scripted, _kill: Scripted) -> None:
        for wanted in (Delete(IDS[0]), Kill(IDS[0]), Delete("gone")):
            with pytest.raises(RemoteProtocolError) as caught:
                acts.ask(ALICE, (Right.UPDATE,), wanted, SEEN, lambda _end: None)
            assert caught.value.code is ErrorCode.DENIED

    caplog.set_level("INFO", "flowtopd")
    delete, kill = played(play)
    assert (delete.begun, kill.begun) == ([], [])
    assert caplog.messages == [f"uid 1000, pid 8: delete {TEXTS[0]}: denied"]


@pytest.mark.parametrize(
    ("raised", "says", "logged"),
    [
        (OSError(errno.ENOENT, "its entry is gone already"), "its entry is gone already", "its entry is gone already"),
        (ZeroDivisionError("oh"), "the daemon failed, its log says more", "failed"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_reason(
    raised: Exception, says: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Done | Error] = []

    async def play(acts: Acts, delete: Scripted, _kill: Scripted) -> None:
        delete.result = raised
        delete.go.set()
        acts.ask(ROOT, ACT, Delete(IDS[0]), SEEN, heard.append)
        await until(lambda: bool(heard))

    played(play)
    assert heard == [Error(ErrorCode.FAILED, f"{TEXTS[0]}: {says}")]
    assert caplog.messages == [f"uid 0, pid 7: delete {TEXTS[0]}: {logged}"]


@pytest.mark.parametrize("flow", ["", "0" * 16, "nonsense", "-" + "0" * 14 + "1", IDS[0].upper() + "0"])
def test_a_flow_that_is_not_there_is_said_to_be_gone(flow: str) -> None:
    heard: list[Done | Error] = []

    async def play(acts: Acts, _delete: Scripted, _kill: Scripted) -> None:
        acts.ask(ROOT, ACT, Delete(flow), SEEN, heard.append)
        acts.ask(ROOT, ACT, Kill(IDS[0]), None, heard.append)

    delete, kill = played(play)
    assert heard == [Error(ErrorCode.FAILED, "no such flow, it may be gone")] * 2
    assert (delete.begun, kill.begun) == ([], [])


def test_nothing_is_done_by_two_at_once_and_a_session_has_one_under_way() -> None:
    first: list[Done | Error] = []
    second: list[Done | Error] = []

    async def play(acts: Acts, delete: Scripted, kill: Scripted) -> None:
        kill.go.set()
        acts.ask(ROOT, ACT, Delete(IDS[0]), SEEN, first.append)
        acts.ask(ALICE, ACT, Kill(IDS[0]), SEEN, second.append)
        acts.ask(ROOT, ACT, Delete(IDS[1]), SEEN, first.append)
        assert first == [
            Error(ErrorCode.FAILED, f"{TEXTS[1]}: not done, the one before it is still under way"),
        ]
        await until(lambda: bool(delete.begun))
        assert kill.begun == []
        delete.go.set()
        await until(lambda: bool(second))
        acts.ask(ROOT, ACT, Delete(IDS[1]), SEEN, first.append)
        await until(lambda: len(first) == 3)

    delete, kill = played(play)
    assert (delete.begun, delete.together, kill.begun) == ([0, 1], 1, [0])


def test_acts_under_way_are_bounded_and_those_not_begun_are_dropped_at_the_end() -> None:
    async def play(acts: Acts, delete: Scripted, _kill: Scripted) -> None:
        told: list[list[Done | Error]] = [[] for _ in range(MOST + 5)]
        for heard in told:
            acts.ask(ROOT, ACT, Delete(IDS[0]), SEEN, heard.append)
        assert [bool(heard) for heard in told] == [False] * MOST + [True] * 5
        await until(lambda: bool(delete.begun))
        threading.Timer(0.02, delete.go.set).start()

    delete, _kill = played(play)
    assert len(delete.begun) < MOST


def test_a_daemon_that_nobody_asks_has_no_thread_for_it() -> None:
    before = threading.active_count()
    with no_acts():
        assert threading.active_count() == before


# the conversation


def greeted() -> Conversation:
    conversation = Conversation("", "", lambda _addresses: None, ACT)
    conversation.receive(Hello(PROTOCOL_VERSION))
    list(conversation.answers(None, 1.0, 1))
    return conversation


@pytest.mark.parametrize("wanted", [Delete("1"), Kill("1")])
def test_acts_come_after_hello_and_are_left_to_the_session(wanted: Delete | Kill) -> None:
    with pytest.raises(RemoteProtocolError):
        Conversation("", "", lambda _addresses: None, ACT).receive(wanted)
    conversation = greeted()
    conversation.receive(wanted)
    assert conversation.wants_act == wanted
    assert conversation.interval_s is None


def test_what_became_of_it_is_told_once_and_bounded_for_who_does_not_read() -> None:
    conversation = greeted()
    conversation.hear(Done("1", "done"))
    assert list(conversation.answers(Hub().latest, 1.0, 1)) == [Done("1", "done")]
    for number in range(1000):
        conversation.hear(Error(ErrorCode.FAILED, str(number)))
    waiting = list(conversation.answers(None, 1.0, 1))
    assert len(waiting) == 16
    assert waiting[-1] == Error(ErrorCode.FAILED, "999")
    for message in waiting:
        encode_daemon(message)
