"""Make the kernel track connections: a small nftables table of our own, for as long as `Activation` is open.

    table inet flowtop {
        flags owner
        chain track {
            ct state new accept
        }
    }

The kernel tracks connections in a network namespace while some rule there needs it. That a rule with `ct state`
exists is enough (nft_ct_get_init → nf_ct_netns_get): the chain has no hook, so no packet ever runs
through it. It costs nothing per packet beyond the tracking, and it cannot accept or drop anything.

Rules
1. The table belongs to our netlink socket (NFT_TABLE_F_OWNER, kernel ≥ 5.12): the kernel removes it when the
   socket closes, also after SIGKILL; nobody else can change it, and `nft flush ruleset` leaves it alone.
2. An older kernel gets a table without an owner, which `close` removes; one left by a killed daemon is
   replaced at the next start, and `nft flush ruleset` takes it away.
3. Where `flowtop` is taken, by another daemon in this namespace or by hand, ours is `flowtop_<pid>`, so that each
   lasts as long as its own daemon.
4. Only what is named here is sent; other tables are never read or changed.

This is the one module that imports pyroute2, which costs 13 MB on top of numpy and asyncio: import it only
where activation was asked for.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_ERROR
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    Cmp,
    Regs,
    nft_chain_msg,
    nft_rule_msg,
    nft_table_msg,
)
from pyroute2.nftables.expressions import genex, verdict

NAME: Final = "flowtop"
_CHAIN: Final = "track"

_NETLINK_NETFILTER: Final = 12  # linux/netlink.h; not in the socket module
_NFNL_MSG_BATCH_BEGIN: Final = 0x10  # linux/netfilter/nfnetlink.h
_NFNL_MSG_BATCH_END: Final = 0x11
_NFPROTO_INET: Final = 1  # linux/netfilter.h
_NFT_TABLE_F_OWNER: Final = 0x2  # linux/netfilter/nf_tables.h
_NFT_CT_STATE: Final = 0
_CT_STATE_NEW: Final = struct.pack("=I", 1 << 3)  # NF_CT_STATE_BIT(IP_CT_NEW)
_NF_ACCEPT: Final = 1

_ERROR: Final = struct.Struct("=IHHIIi")  # struct nlmsghdr, then nlmsgerr.error


def _message(kind: type[Any], number: int, sequence: int, flags: int, *attributes: tuple[str, Any]) -> bytes:
    """One message of a batch, encoded by pyroute2."""
    message = kind()
    message["nfgen_family"] = _NFPROTO_INET
    message["attrs"] = list(attributes)
    message["header"]["type"] = (NFNL_SUBSYS_NFTABLES << 8) | number
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    message["header"]["sequence_number"] = sequence
    message.encode()
    return bytes(message.data)


def _batch_edge(number: int) -> bytes:
    message = nfgen_msg()
    message["res_id"] = socket.htons(NFNL_SUBSYS_NFTABLES)
    message["header"]["type"] = number
    message["header"]["flags"] = NLM_F_REQUEST
    message.encode()
    return bytes(message.data)


def _new_table(name: str, flags: int) -> tuple[bytes, ...]:
    new = NLM_F_CREATE | NLM_F_EXCL
    state_is_new = (
        genex("ct", {"dreg": Regs.NFT_REG_1, "key": _NFT_CT_STATE}),
        genex(
            "cmp",
            {"sreg": Regs.NFT_REG_1, "op": Cmp.NFT_CMP_EQ, "data": {"attrs": [("NFTA_DATA_VALUE", _CT_STATE_NEW)]}},
        ),
    )
    table, chain = ("NFTA_RULE_TABLE", name), ("NFTA_RULE_CHAIN", _CHAIN)
    rule = ("NFTA_RULE_EXPRESSIONS", [*state_is_new, *verdict(_NF_ACCEPT)])
    return (
        _message(nft_table_msg, NFT_MSG_NEWTABLE, 1, new, ("NFTA_TABLE_NAME", name), ("NFTA_TABLE_FLAGS", flags)),
        _message(nft_chain_msg, NFT_MSG_NEWCHAIN, 2, new, ("NFTA_CHAIN_TABLE", name), ("NFTA_CHAIN_NAME", _CHAIN)),
        _message(nft_rule_msg, NFT_MSG_NEWRULE, 3, NLM_F_CREATE, table, chain, rule),
    )


def _deleted_table(name: str) -> tuple[bytes, ...]:
    return (_message(nft_table_msg, NFT_MSG_DELTABLE, 1, 0, ("NFTA_TABLE_NAME", name)),)


class Activation:
    """The table, until `close` or the end of the process. `name` is the table, `owned` is rule 1.

    Raises PermissionError without CAP_NET_ADMIN, OSError where the kernel has no nftables: each one line.
    """

    def __init__(self) -> None:
        self.name = NAME
        self.owned = True
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            self._create()
        except BaseException:
            self._socket.close()
            raise

    def _create(self) -> None:
        error = self._commit(_new_table(self.name, _NFT_TABLE_F_OWNER))
        if error in {errno.EPERM, errno.EEXIST}:
            # owned by another socket, or made by hand; without CAP_NET_ADMIN this fails with EPERM again
            self.name = f"{NAME}_{os.getpid()}"
            error = self._commit(_new_table(self.name, _NFT_TABLE_F_OWNER))
        if error in {errno.EINVAL, errno.EOPNOTSUPP}:
            self.name, self.owned = NAME, False
            self._commit(_deleted_table(self.name))  # of a daemon that was killed; mostly there is none
            error = self._commit(_new_table(self.name, 0))
        if error:
            raise _failure(error)

    def _commit(self, messages: Sequence[bytes]) -> int:
        """Send a batch, which the kernel takes as a whole or not at all. Returns the first errno, 0 when it is in."""
        batch = (_batch_edge(_NFNL_MSG_BATCH_BEGIN), *messages, _batch_edge(_NFNL_MSG_BATCH_END))
        self._socket.send(b"".join(batch))
        first = 0
        with contextlib.suppress(BlockingIOError):
            while True:  # the kernel has answered everything before send returns (netlink_unicast_kernel)
                reply = self._socket.recv(8192, socket.MSG_DONTWAIT)
                _, kind, _, _, _, error = _ERROR.unpack_from(reply)
                if kind == NLMSG_ERROR:
                    first = first or -error
        return first

    def close(self) -> None:
        """Remove the table. The kernel stops tracking if no other rule needs it; its entries expire."""
        try:
            if not self.owned and self._socket.fileno() != -1:
                self._commit(_deleted_table(self.name))
        finally:
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _failure(number: int) -> OSError:
    """An OSError, or what Python makes of its number, with a line for a person."""
    if number == errno.EPERM:
        return PermissionError(number, "tracking cannot be turned on: that needs CAP_NET_ADMIN")
    return OSError(number, f"tracking cannot be turned on with nftables: {os.strerror(number)}")
