"""testbed.talk: messages that come together are heard one by one, and an end is no silence."""

import socket

import pytest

from flowtopd.wire.codec import decode_viewer, encode_daemon
from flowtopd.wire.framing import MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import PROTOCOL_VERSION, DaemonMessage, Done, Hello, Query, Welcome
from testbed.talk import Talk


def test_what_is_said_arrives_and_others_are_passed_over_until_one_of_the_kind_comes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        talk = Talk(ours, wait_s=10)
        talk.say(Hello(PROTOCOL_VERSION), Query(tag=3))
        said = list(map(decode_viewer, FrameReader(MAX_VIEWER_FRAME).feed(theirs.recv(65_536))))
        assert said == [Hello(PROTOCOL_VERSION), Query(tag=3)]
        answers: list[DaemonMessage] = [Welcome(PROTOCOL_VERSION, "d", "h"), Done("1", "a"), Done("2", "b")]
        theirs.sendall(b"".join(map(encode_daemon, answers)))
        assert talk.hear(Done).text == "a"
        assert talk.hear(Done).text == "b"
        theirs.close()
        with pytest.raises(ConnectionError):
            talk.hear(Done)
