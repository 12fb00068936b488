"""What is asked of the C library's allocator, so that memory that is not in use goes back to the system.

glibc maps large blocks on their own and unmaps them when they are freed; but with each that is freed it raises the size
from which it does so, up to 32 MiB. Then the columns of a tick come from the heap, which has holes and never shrinks:
144 MB at 100 000 flows, where 94 are in use. With a size that is fixed, the pages of every tick are new ones: 1 % of a
tick. And it gives threads heaps of their own; the interpreter lets one allocate at a time, so that one heap does and
spares 0.8 MB.
"""

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

LARGE: Final = 128 * 1024
"""Bytes from which a block is mapped on its own: where glibc begins, too."""


_libc: Final = ctypes.CDLL(None)


def settle() -> None:
    """Call this when everything is imported. Does nothing to a C library that is another one, such as musl."""
    gc.collect()
    gc.freeze()  # a full collection walks the modules, 10 ms in the middle of somebody's key press; they stay anyway
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_MMAP_THRESHOLD, LARGE)
        _libc.mallopt(_M_TRIM_THRESHOLD, LARGE)
        _libc.mallopt(_M_ARENA_MAX, 1)
    give_back()


def give_back() -> None:
    """Return what is free to the system, after something that took much for a moment."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
