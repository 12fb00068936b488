"""What is asked of the C library's allocator, so that memory that is not in use goes back to the system.

Two kinds of memory are large. The columns of a tick live from one to the next: those of the kernel are mapped apart
(`netlink.ctrecord`). What a tick or a question works with for a moment comes from the heap, again and again from the
same place: a new page costs more than all that is done with it. glibc would map blocks from 128 KiB on by themselves,
and raise that size with each that is freed, until few are; here it is LARGE from the start. A heap gets holes: now and
then they are given back, which takes 2 ms. And glibc gives threads heaps of their own; the interpreter lets one
allocate at a time, so that one heap does and spares 0.8 MB.
"""

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

LARGE: Final = 32 * 1024 * 1024
"""Bytes from which a block is mapped by itself, and that may be free at the end of the heap: the most that glibc takes.
A column of 8 bytes of four million flows."""

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
    """Return what is free to the system: after something that took much for a moment, or to mend what ticks tore."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
