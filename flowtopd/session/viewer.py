"""One viewer's connection, from the first byte to the last. Nothing it sends or fails to read gets past this module.

    reading   bytes ─▶ frames ─▶ messages ─▶ Conversation.receive, wake the writer
    updating  Updates, when the viewer has asked ─▶ Conversation.hear, wake the writer
    acting    Acts, the same
    writing   wait to be woken ─▶ one's turn: Conversation.answers with the newest tick ─▶ write, drain ─▶ again
    both      tell the hub what the viewer wants now: an answer may end that too (a slow filter, a flow that is gone)

A viewer that does not read stops its own writer in `drain`, and is answered with the newest tick when it reads again.
A viewer that breaks the protocol gets one `error` and is closed. One that talks too fast is read more slowly: it waits,
and the kernel holds what it says meanwhile.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from flowtopd.session.acts import Ask
from flowtopd.session.conversation import Conversation
from flowtopd.session.hub import Hub
from flowtopd.session.own_hub import OwnHub
from flowtopd.session.pacing import Bucket
from flowtopd.session.turns import Turns
from flowtopd.session.updates import Updates
from flowtopd.wire.codec import decode_viewer, encode_daemon
from flowtopd.wire.errors import ErrorCode, RemoteProtocolError
from flowtopd.wire.framing import MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import DaemonMessage, Done, Error, Progress, Snapshot

WRITE_BUFFER: Final = 64 * 1024
"""Bytes that may wait for a slow reader, beside the frame that is being written."""

HELLO_S: Final = 10.0
"""How long a peer may take to say hello."""

FAREWELL_S: Final = 2.0
"""How long a peer may take to read its last message."""

Complain = Callable[[RemoteProtocolError], None]
"""Told why a viewer is closed."""


async def serve_viewer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    hub: Hub | OwnHub,
    updates: Updates,
    conversation: Conversation,
    *,
    turns: Turns,
    ask_act: Ask,
    complain: Complain,
) -> None:
    """Talk to a viewer until it leaves, breaks the protocol, or this task is cancelled; then close the connection."""
    writer.transport.set_write_buffer_limits(high=WRITE_BUFFER)
    wake = asyncio.Event()

    def hear(told: Progress | Done | Error) -> None:
        conversation.hear(told)
        wake.set()

    def want() -> None:
        hub.want(wake.set, conversation.interval_s, conversation.mean_s, conversation.watched)

    def received() -> None:
        if conversation.wants_update:
            conversation.wants_update = False
            updates.join(hear)
        if conversation.wants_act is not None:
            act, conversation.wants_act = conversation.wants_act, None
            shown = conversation.shown(hub.latest)
            ask_act(act, None if shown is None else shown.tick.snapshot, hear)
        want()
        wake.set()

    try:
        async with asyncio.TaskGroup() as both:
            writing = both.create_task(_write(writer, hub, conversation, wake, turns, answered=want))
            await _read(reader, hub, conversation, wake.set, received)
            writing.cancel()
    except* RemoteProtocolError as group:
        await _say_goodbye(writer, group.exceptions[0], complain)
    except* ConnectionError:
        pass
    finally:
        if conversation.greeted:
            hub.leave(wake.set)
        updates.leave(hear)
        writer.transport.abort()  # what it has not read by now it does not want
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read(
    reader: asyncio.StreamReader,
    hub: Hub | OwnHub,
    conversation: Conversation,
    wake: Callable[[], None],
    received: Callable[[], None],
) -> None:
    """Hear the viewer until it closes its end; call `received` after each message. Raises RemoteProtocolError."""
    frames = FrameReader(MAX_VIEWER_FRAME)
    bucket = Bucket(time.monotonic)
    try:
        async with asyncio.timeout(HELLO_S) as silence:
            while data := await reader.read(MAX_VIEWER_FRAME):
                for body in frames.feed(data):
                    greeted = conversation.greeted
                    conversation.receive(decode_viewer(body))
                    if not greeted:
                        silence.reschedule(None)
                        hub.join(wake)
                    received()
                    if wait_s := bucket.take():
                        await asyncio.sleep(wait_s)
    except TimeoutError:
        raise RemoteProtocolError(ErrorCode.STATE, f"no hello within {HELLO_S:.0f} s") from None


async def _write(
    writer: asyncio.StreamWriter,
    hub: Hub | OwnHub,
    conversation: Conversation,
    wake: asyncio.Event,
    turns: Turns,
    *,
    answered: Callable[[], None],
) -> None:
    """Answer whenever something is due, as fast as the viewer reads; call `answered` after each time."""
    while True:
        answers = None  # nothing is held of a tick while there is nothing to say
        await wake.wait()
        more = True
        while more:
            async with turns.turn(conversation.has_asked):
                if answers is None:  # the newest tick is looked at when the turn has come
                    wake.clear()
                    answers = conversation.answers(hub.latest, hub.pace_s, hub.viewers)
                frames, more = _part(answers)
            if not more:
                answered()
            writer.write(frames)
            await writer.drain()


def _part(answers: Iterator[DaemonMessage]) -> tuple[bytes, bool]:
    """Return the frames of one turn, as far as the next part of a snapshot, and whether there are more of its parts."""
    frames = bytearray()
    for message in answers:
        frames += encode_daemon(message)
        if isinstance(message, Snapshot):
            return bytes(frames), message.more
    return bytes(frames), False


async def _say_goodbye(writer: asyncio.StreamWriter, error: BaseException, complain: Complain) -> None:
    """Tell the viewer what it did wrong, if it listens."""
    assert isinstance(error, RemoteProtocolError)
    complain(error)
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            writer.write(encode_daemon(Error(error.code, error.message, error.offset)))
            writer.transport.set_write_buffer_limits(high=0)
            await writer.drain()
