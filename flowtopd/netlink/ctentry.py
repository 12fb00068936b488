"""One conntrack message to a plain dict: the general decoder, slow (about 25 µs a message) and obvious.

It knows every attribute of `ctattrs`, skips those it has never heard of, and checks every length. The columnar
decoder falls back to it for what is rare; a flow's details come from it; tests hold the columns against it.
"""

from typing import Any

from flowtopd.netlink.ctattrs import CONNTRACK, SIZES, Coding, Leaf, Tree
from flowtopd.netlink.nlmsg import NFGENMSG, NLMSGHDR, MalformedMessage, attributes

IPV4_MAPPED = 0xFFFF << 32

PAYLOAD = NLMSGHDR.size + NFGENMSG.size
"""Where the attributes of a message begin."""

REQUIRED = ("src", "dst", "proto", "reply_src", "reply_dst")


def decode_entry(buffer: Any, start: int, end: int) -> dict[str, Any]:
    """Decode the message in buffer[start:end] (a bytes-like object).

    Returns values by their names in `ctattrs`, and `family` (AF_INET, AF_INET6): integers in host order, addresses as
    128-bit integers, text without its NUL, opaque values as bytes. Raises MalformedMessage.
    """
    if end - start < PAYLOAD:
        raise MalformedMessage(start, f"a conntrack message of {end - start} bytes")
    family, _version, _res_id = NFGENMSG.unpack_from(buffer, start + NLMSGHDR.size)
    entry: dict[str, Any] = {"family": family}
    _decode_tree(buffer, start + PAYLOAD, end, CONNTRACK, entry)
    check_complete(entry, start)
    return entry


def check_complete(names: Any, offset: int) -> None:
    """Raise MalformedMessage unless what makes a flow a flow is there."""
    if missing := [name for name in REQUIRED if name not in names]:
        raise MalformedMessage(offset, f"no {', '.join(missing)} in a conntrack message")


def _decode_tree(buffer: Any, start: int, end: int, tree: Tree, entry: dict[str, Any]) -> None:
    for kind, value, value_end in attributes(buffer, start, end):
        node = tree.get(kind)
        if isinstance(node, Leaf):
            entry[node.name] = _decode_value(bytes(buffer[value:value_end]), node, value)
        elif node is not None:
            _decode_tree(buffer, value, value_end, node, entry)


def _decode_value(value: bytes, leaf: Leaf, offset: int) -> Any:
    check_length(len(value), leaf, offset)
    match leaf.coding:
        case Coding.TEXT:
            return value.split(b"\0", 1)[0].decode("ascii", "backslashreplace")
        case Coding.BYTES:
            return value
        case Coding.IPV4:
            return IPV4_MAPPED | int.from_bytes(value)
        case _:
            return int.from_bytes(value)


def check_length(length: int, leaf: Leaf, offset: int) -> None:
    """Raise MalformedMessage when a value of fixed size has another one."""
    if (size := SIZES.get(leaf.coding, length)) != length:
        raise MalformedMessage(offset, f"{leaf.name} of {length} bytes, not {size}")
