"""Layouts: messages with the same attributes have the same attribute headers at the same offsets.

    message  ┌ nlmsghdr ┬ nfgenmsg ┬ hdr │ hdr │ hdr │ src ┬ hdr │ dst ┬ … ┬ hdr │ orig_bytes ┬ … ┐
    matrix     one row a message, one column a 32-bit word: headers are compared, values are cut out, in bulk

A `Layout` is learned from one message, attribute by attribute, and then holds for every message of that length whose
nfgenmsg and attribute headers are equal word for word. A header holds an attribute's type and length, so what the
one message proved about its lengths is proved for all of them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink.ctattrs import CONNTRACK, Coding, Leaf, Tree
from flowtopd.netlink.ctentry import IPV4_MAPPED, PAYLOAD, check_complete, check_length
from flowtopd.netlink.nlmsg import NFGENMSG, NLATTR, NLMSGHDR, Indices, Words, align, attributes

Matrix = NDArray[np.uint32]
"""Shape (messages, words of a message), C-contiguous."""


_IPV4_MAPPED: Final = np.uint64(IPV4_MAPPED)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the headers and values of one kind of message stand."""

    length: int
    family: int
    header_at: Indices
    headers: Words
    values: tuple[tuple[Leaf, int], ...]
    """Leaf and byte offset from the start of the message, in the order of the message."""

    names: frozenset[str]
    """Names of the values that messages of this layout carry."""


def learn(buffer: Any, start: int, end: int) -> Layout:
    """Make the layout of the message in buffer[start:end]. Raises MalformedMessage."""
    headers_at = [NLMSGHDR.size]
    values: list[tuple[Leaf, int]] = []
    _learn_tree(buffer, (start, start + PAYLOAD, end), CONNTRACK, headers_at, values)
    names = frozenset(leaf.name for leaf, _offset in values)
    check_complete(names, start)
    words = np.frombuffer(bytes(buffer[start:end]).ljust(align(end - start), b"\0"), np.uint32)
    header_at = np.array(headers_at, np.intp) // 4
    family, _version, _res_id = NFGENMSG.unpack_from(buffer, start + NLMSGHDR.size)
    return Layout(end - start, family, header_at, words[header_at], tuple(values), names)


def _learn_tree(
    buffer: Any, span: tuple[int, int, int], tree: Tree, headers_at: list[int], values: list[tuple[Leaf, int]]
) -> None:
    """Collect header and value offsets; `span` is the message's start, and start and end of the attributes."""
    message, start, end = span
    for kind, value, value_end in attributes(buffer, start, end):
        headers_at.append(value - NLATTR.size - message)
        node = tree.get(kind)
        if isinstance(node, Leaf):
            check_length(value_end - value, node, value)
            values.append((node, value - message))
        elif node is not None:
            _learn_tree(buffer, (message, value, value_end), node, headers_at, values)


def gather(words: Words, starts: Indices, length: int) -> Matrix:
    """Copy the messages of one length that begin at these words into a matrix."""
    width = align(length) >> 2
    # every row of this view begins one word after the one before it, so that indexing rows copies whole messages
    windows: Matrix = np.ndarray((words.size - width + 1, width), np.uint32, words, 0, (4, 4))
    return windows[starts]


def matches(layout: Layout, matrix: Matrix) -> NDArray[np.bool_] | None:
    """Tell which rows have this layout; None says all, by far the most frequent answer and half as dear to find."""
    same = matrix[:, layout.header_at] == layout.headers
    return None if same.all() else same.all(axis=1)


def extract(layout: Layout, matrix: Matrix, columns: dict[str, NDArray[Any]], rows: slice) -> None:
    """Write the values of all rows of the matrix into `rows` of the columns, which are 0; other names are skipped."""
    count, stride = len(matrix), (matrix.strides[0],)
    for leaf, offset in layout.values:
        column = columns.get(leaf.name)
        if column is None:
            continue
        # a view of the value in every row; the assignment copies it, swaps its bytes and aligns it
        if leaf.coding is Coding.IPV4:
            ipv4: NDArray[Any] = np.ndarray((count,), ">u4", matrix, offset, stride)
            np.bitwise_or(ipv4, _IPV4_MAPPED, out=column[rows, 1])
        elif leaf.coding is Coding.IPV6:
            column[rows] = np.ndarray((count, 2), ">u8", matrix, offset, (*stride, 8))
        else:
            column[rows] = np.ndarray((count,), leaf.coding, matrix, offset, stride)
