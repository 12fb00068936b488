"""Ends flows: deletes the entry of one from the kernel's table, closes the sockets of one. Blocks: for a thread.

    delete   full original tuple, zone, CTA_ID ─▶ this entry and no other
    close    both tuples ─▶ dump of the TCP sockets ─▶ those with these very ends, by cookie ─▶ SOCK_DESTROY for each
    end      close, then delete

All return what they did, in words, or raise OSError whose `strerror` says in words why not. They act in the network
namespace of the thread that calls. A connection whose entry was deleted goes on, and may be tracked anew with its next
packet; one whose socket was closed is over: its program gets ECONNABORTED, the other end a RST.
"""

import errno
import os
from functools import partial
from typing import Final

from flowtopd.flows.dimensions import Attribution, Direction
from flowtopd.flows.entry import entry
from flowtopd.flows.names import TCP
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink import uapi
from flowtopd.netlink.command import command
from flowtopd.netlink.ctdelete import delete_request
from flowtopd.netlink.nlmsg import NetlinkError
from flowtopd.netlink.nlsocket import NetlinkSocket, open_netfilter, open_sock_diag
from flowtopd.netlink.sock_destroy import Ends, SocketId, connected, destroy_request
from flowtopd.netlink.sock_diag import LIVE, dump_request


def delete(snapshot: Snapshot, row: int) -> str:
    """Delete the entry of the flow in this row."""
    wanted = entry(snapshot, row)
    zones = dict.fromkeys((wanted["zone"], 0))  # CTA_ID keeps both tries to the one entry
    with open_netfilter() as opened:
        for zone in zones:
            try:
                command(opened, partial(delete_request, wanted, zone))
            except NetlinkError as error:
                if error.errno != errno.ENOENT:
                    raise _refused(error) from None
            else:
                return "its entry is deleted"
    raise OSError(errno.ENOENT, "its entry is gone already")


def close_sockets(snapshot: Snapshot, row: int) -> str:
    """Close the sockets of this host that the flow in this row has: one, or both ends of a local connection."""
    columns = snapshot.columns
    if columns["proto"][row] != TCP:
        raise OSError(errno.EPROTONOSUPPORT, "only TCP connections can be closed")
    if columns["direction"][row] == Direction.FORWARDED:
        elsewhere = columns["attribution"][row] != Attribution.FORWARDED
        place = "its socket is in another network namespace" if elsewhere else "it is forwarded, neither end is here"
        raise OSError(errno.ENOTSOCK, place)
    try:
        sockets = _sockets(int(columns["family"][row]), _ends(snapshot, row))
        was_there = _destroy(sockets)
    except NetlinkError as error:
        raise _refused(error) from None
    if not was_there:
        raise OSError(errno.ENOTCONN, "no socket of this host has it any more")
    return "its connection is closed"


def end_flow(snapshot: Snapshot, row: int) -> str:
    """Close the sockets of this host that the flow has, and delete its entry, which would stay for some seconds."""
    try:
        closed = close_sockets(snapshot, row)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        return delete(snapshot, row)  # its sockets have gone before, as in TIME_WAIT
    try:
        return f"{closed}, {delete(snapshot, row)}"
    except FileNotFoundError:
        return closed


def _ends(snapshot: Snapshot, row: int) -> tuple[Ends, Ends]:
    """The flow as its opener sees it, and as the one who was called does."""

    def ends(local: str, local_port: str, remote: str, remote_port: str) -> Ends:
        here, there = (tuple(snapshot.columns[name][row].tolist()) for name in (local, remote))
        ports = (int(snapshot.columns[name][row]) for name in (local_port, remote_port))
        return Ends(here, next(ports), there, next(ports))

    return (
        ends("src", "sport", "dst", "dport"),
        ends("reply_src", "reply_sport", "reply_dst", "reply_dport"),
    )


def _sockets(family: int, wanted: tuple[Ends, Ends]) -> list[SocketId]:
    """Find the sockets. An AF_INET6 socket may serve IPv4."""
    families = (uapi.AF_INET6,) if family == uapi.AF_INET6 else (uapi.AF_INET, uapi.AF_INET6)
    with NetlinkSocket(open_sock_diag) as netlink:
        return [
            socket
            for each in families
            for block in netlink.dump(partial(dump_request, each, TCP, LIVE))
            for socket in connected(block.data, block.seq, TCP, wanted)
        ]


def _destroy(sockets: list[SocketId]) -> bool:
    """Close these sockets; tell whether any was still there. Of two ends here, the RST of one may close the other."""
    was_there = False
    with open_sock_diag() as opened:
        for socket in sockets:
            try:
                command(opened, partial(destroy_request, socket, TCP))
                was_there = True
            except NetlinkError as error:
                if error.errno not in {errno.ENOENT, errno.ESTALE}:  # it was closed since the dump
                    raise
    return was_there


_WORDS: Final = {
    errno.EPERM: "the kernel does not let the daemon do this (CAP_NET_ADMIN)",
    errno.EOPNOTSUPP: "this kernel cannot close the sockets of others (CONFIG_INET_DIAG_DESTROY)",
    errno.EBUSY: "the kernel is using its entry",
}


def _refused(error: NetlinkError) -> OSError:
    number = error.errno or errno.EIO
    return OSError(number, _WORDS.get(number) or f"the kernel refused: {os.strerror(number)}")
