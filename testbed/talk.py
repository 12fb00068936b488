"""The viewer's side of a conversation with a daemon, message by message, on a socket that is connected already."""

import socket
from typing import TypeVar

from flowtopd.wire.codec import decode_daemon, encode_viewer
from flowtopd.wire.framing import MAX_DAEMON_FRAME, FrameReader
from flowtopd.wire.messages import DaemonMessage, ViewerMessage

MessageT = TypeVar("MessageT", bound=DaemonMessage)


class Talk:
    """What is said and heard on `connected`; nothing comes for `wait_s` at most."""

    def __init__(self, connected: socket.socket, wait_s: float) -> None:
        self._socket = connected
        connected.settimeout(wait_s)
        self._frames = FrameReader(MAX_DAEMON_FRAME)
        self._heard: list[DaemonMessage] = []

    def say(self, *messages: ViewerMessage) -> None:
        """Send these, all at once."""
        self._socket.sendall(b"".join(map(encode_viewer, messages)))

    def hear(self, *kinds: type[MessageT]) -> MessageT:
        """Wait for the next message of these kinds. Raises ConnectionError when the daemon leaves."""
        while True:
            while self._heard:
                message = self._heard.pop(0)
                if isinstance(message, kinds):
                    return message
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the daemon has closed the connection")
            self._heard += map(decode_daemon, self._frames.feed(data))
