"""recvmmsg(2): many datagrams in one call, each into a slot of its own. Python's socket module does not have it.

slot 0              slot 1              slot 2
┌ datagram ───┬ · ┐┌ datagram ─────┬ ┐┌ · · ·          `sizes` tells how long each is
└─────────────┴───┘└───────────────┴─┘└
"""

import ctypes
import errno
import mmap
import os
import socket
from typing import Final

import numpy as np
from numpy.typing import NDArray

MSG_WAITFORONE: Final = 0x10000  # linux/socket.h: wait for the first datagram only


class _Iovec(ctypes.Structure):
    _fields_ = (("iov_base", ctypes.c_void_p), ("iov_len", ctypes.c_size_t))  # type: ignore[mutable-override]


class _Msghdr(ctypes.Structure):
    # struct user_msghdr of linux/socket.h
    _fields_ = (  # type: ignore[mutable-override]
        ("msg_name", ctypes.c_void_p),
        ("msg_namelen", ctypes.c_int),
        ("msg_iov", ctypes.c_void_p),
        ("msg_iovlen", ctypes.c_size_t),
        ("msg_control", ctypes.c_void_p),
        ("msg_controllen", ctypes.c_size_t),
        ("msg_flags", ctypes.c_uint),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("msg_hdr", _Msghdr), ("msg_len", ctypes.c_uint))  # type: ignore[mutable-override]


_recvmmsg: Final = ctypes.CDLL(None, use_errno=True).recvmmsg


class Slots:
    """A buffer of `count` slots of `size` bytes, and the headers that say so to the kernel."""

    def __init__(self, count: int, size: int) -> None:
        # pages of a map become memory when they are first written to: most dumps need the first slots alone
        self._memory = (ctypes.c_char * (count * size)).from_buffer(mmap.mmap(-1, count * size))
        self._vectors = (_Iovec * count)()
        self._headers = (_Mmsghdr * count)()
        start, vectors = ctypes.addressof(self._memory), ctypes.addressof(self._vectors)
        for index in range(count):
            self._vectors[index] = _Iovec(start + index * size, size)
            header = self._headers[index].msg_hdr
            # a number: of pointers ctypes would keep three objects for every slot
            header.msg_iov, header.msg_iovlen = vectors + index * ctypes.sizeof(_Iovec), 1
        self.view = memoryview(self._memory).cast("B")
        """All slots, one after the other."""
        stride = ctypes.sizeof(_Mmsghdr)
        self._lengths: NDArray[np.uint32] = np.ndarray(
            (count,), np.uint32, memoryview(self._headers).cast("B"), _Mmsghdr.msg_len.offset, (stride,)
        )

    def receive(self, descriptor: int, count: int) -> int:
        """Fill up to `count` slots, waiting for the first only; return how many. Raises OSError.

        The interpreter's lock is not held meanwhile.
        """
        while True:
            received: int = _recvmmsg(descriptor, self._headers, count, MSG_WAITFORONE | socket.MSG_TRUNC, None)
            if received > 0:
                return received
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))

    def lengths(self, count: int) -> NDArray[np.intp]:
        """How long the datagrams of the last `receive` were, also where a slot was too short for one."""
        return self._lengths[:count].astype(np.intp)

    def sizes(self, count: int) -> list[int]:
        """The same, as numbers of Python."""
        sizes: list[int] = self._lengths[:count].tolist()
        return sizes
