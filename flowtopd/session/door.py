"""The door: takes one connection after the other off a listening socket, also when there are no file descriptors left.

Rules: nothing a peer does ends it, and nothing makes it spin: what the kernel refuses for want of memory is tried again
after RETRY_S. A descriptor is kept in reserve: when all others are in use, it is given up for as long as it takes to
tell the next peer `busy`, which would otherwise hang in the queue.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from typing import Final

from flowtopd.session.complaints import Complaints
from flowtopd.wire.codec import encode_daemon
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error

RETRY_S: Final = 0.2

_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
_GONE: Final = frozenset({errno.ECONNABORTED, errno.EINTR, errno.EPERM})


class Door:
    """One listening socket. `close` it at the end."""

    def __init__(self, listener: socket.socket, complaints: Complaints) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._complaints = complaints
        self._spare: int | None = _reserve()

    def close(self) -> None:
        """Give up the reserve; the listening socket is not ours."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    async def next(self) -> socket.socket:
        """Wait for the next connection."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)  # accepting does not wait while somebody is there; sessions have their turn here
            try:
                connected, _address = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno not in _GONE:
                    self._complaints.say(logging.WARNING, 0, "accept", f"cannot take a viewer: {error.strerror}")
                    if error.errno not in _NO_DESCRIPTORS or not self._turn_one_away():
                        await asyncio.sleep(RETRY_S)
            else:
                return connected

    def _turn_one_away(self) -> bool:
        """Tell the next peer with the descriptor that is in reserve. Return whether that was possible."""
        self.close()
        try:
            connected, _address = self._listener.accept()
        except OSError:  # another thread was faster
            return False
        else:
            turn_away(connected, ErrorCode.BUSY, "the daemon has no file descriptors left")
            return True
        finally:
            self._spare = _reserve()


def _reserve() -> int | None:
    with contextlib.suppress(OSError):
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return None


def turn_away(connected: socket.socket, code: ErrorCode, message: str) -> None:
    """Tell a peer why it is not served and close the connection, without waiting."""
    with connected, contextlib.suppress(OSError):
        connected.setblocking(False)
        connected.send(encode_daemon(Error(code, message)))  # the first bytes always fit
