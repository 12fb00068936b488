"""One command to the kernel and its acknowledgement, for what is done rarely and must be known to be done.

request with NLM_F_ACK ─▶ kernel ─▶ NLMSG_ERROR with the number of the request: 0, or what went wrong
"""

import random
import socket
from collections.abc import Callable
from typing import Final

from flowtopd.netlink.nlmsg import NLMSGHDR, NetlinkError
from flowtopd.netlink.nlsocket import raise_code
from flowtopd.netlink.uapi import NLMSG_ERROR

_ANSWER: Final = 65_536


def command(opened: socket.socket, make_request: Callable[[int], bytes]) -> None:
    """Send the request that `make_request` builds for a sequence number, and wait until it is done.

    Raises NetlinkError: what the kernel refused, or EAGAIN when it is silent.
    """
    seq = random.randrange(1, 1 << 32)
    try:
        opened.send(make_request(seq))
        while True:
            answer = memoryview(opened.recv(_ANSWER))
            _length, kind, _flags, answered, _pid = NLMSGHDR.unpack_from(answer)
            if kind == NLMSG_ERROR and answered == seq:
                raise_code(answer, NLMSGHDR.size)
                return
    except OSError as error:
        raise NetlinkError(error.errno, error.strerror or str(error)) from error
