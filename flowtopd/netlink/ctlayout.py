"""Layouts: messages with the same attributes have the same attribute headers at the same offsets.

    message  ┌ nlmsghdr ┬ nfgenmsg ┬ hdr │ hdr │ hdr │ src ┬ hdr │ dst ┬ … ┬ hdr │ orig_bytes ┬ … ┐
    matrix     one row a message, one column a 32-bit word: headers are compared, words of values are copied, in bulk

A `Layout` is learned from one message, attribute by attribute, and then holds for every message of that length whose
nfgenmsg and attribute headers are equal word for word. A header holds an attribute's type and length, so what the
one message proved about its lengths is proved for all of them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flowtopd.netlink.ctattrs import CONNTRACK, Coding, Leaf, Tree
from flowtopd.netlink.ctentry import PAYLOAD, check_complete, check_length
from flowtopd.netlink.ctrecord import FIRST_WORD, PLACES, RECORD_WORDS, Records, has_bits, words_of
from flowtopd.netlink.nlmsg import NFGENMSG, NLATTR, NLMSGHDR, Indices, Words, align, attributes

Matrix = NDArray[np.uint32]
"""Shape (messages, words of a message), C-contiguous."""


# In a matrix the words of nlmsghdr, which have done their duty, hold what records need and messages do not have.
_FAMILY_AND_HAS: Final = 1
_MAPPED: Final = 2
_ZERO: Final = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the headers and values of one kind of message stand, in words from its beginning."""

    header_at: Indices
    headers: Words
    constants: Words
    """What to put into the words from _FAMILY_AND_HAS to _ZERO."""
    record_at: Indices
    """For every word of a record the word of the message."""


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
    constants = np.frombuffer(bytes((family, has_bits(names), 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0)), np.uint32)
    return Layout(header_at, words[header_at], constants, _record_at(values))


def _record_at(values: list[tuple[Leaf, int]]) -> Indices:
    """Find the words of a record in a message; what the message does not carry is 0."""
    record_at = np.full(RECORD_WORDS, _ZERO, np.intp)
    record_at[FIRST_WORD] = _FAMILY_AND_HAS
    for leaf, offset in values:
        place = PLACES.get(leaf.name)
        if place is None:
            continue
        if leaf.coding is Coding.IPV4:  # ::ffff:a.b.c.d
            record_at[place : place + 4] = (_ZERO, _ZERO, _MAPPED, offset // 4)
        else:
            count = words_of(leaf.name)
            record_at[place : place + count] = np.arange(offset // 4, offset // 4 + count)
    return record_at


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


def extract(layout: Layout, matrix: Matrix, records: Records) -> None:
    """Write the values of all rows, which have this layout, into as many records. The headers are lost."""
    matrix[:, _FAMILY_AND_HAS : _ZERO + 1] = layout.constants
    matrix.take(layout.record_at, axis=1, out=records, mode="clip")  # other modes go through a buffer
