"""The memory of columns. What is in records is shown by test_ctnetlink.py."""

import gc
import mmap
from pathlib import Path

import numpy as np
import pytest

from flowtopd.netlink.ctrecord import COLUMNS, ROW_BYTES, allocate

SIZES = (0, 1, 7, 100, 851, 852, 1001, 4_099)


@pytest.mark.parametrize("size", SIZES)
def test_columns_are_of_their_shape_and_type_and_aligned_and_none_is_in_another(size: int) -> None:
    columns = allocate(size)
    assert list(columns) == list(COLUMNS)
    for number, (name, column) in enumerate(columns.items()):
        assert column.shape == ((size, 2) if COLUMNS[name] == "u8,u8" else (size,))
        assert column.dtype == np.dtype(COLUMNS[name][:2])
        assert column.flags.aligned
        assert column.flags.writeable
        column.view(np.uint8)[:] = number
    assert sum(column.nbytes for column in columns.values()) == size * ROW_BYTES
    for number, column in enumerate(columns.values()):
        assert (column.view(np.uint8) == number).all()


def mapped_kib() -> int:
    """What this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE // 1024


def test_large_columns_go_back_to_the_system_with_the_last_of_them() -> None:
    size = 400_000
    gc.collect()
    before = mapped_kib()
    columns = allocate(size)
    last = columns.pop("has")
    columns.clear()
    assert mapped_kib() - before >= size * ROW_BYTES // 1024
    del last
    assert mapped_kib() - before < size * ROW_BYTES // 4096
