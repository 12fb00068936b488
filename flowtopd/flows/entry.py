"""A row of a snapshot as the entry that it was, by the names of `netlink.ctentry`: what requests are made of."""

from typing import Any, Final

from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctrecord import Has

_PLAIN: Final = ("family", "proto", "ctid", "zone")
_CARRIED: Final = {Has.PORTS: ("sport", "dport"), Has.ICMP: ("icmp_id", "icmp_type", "icmp_code")}


def entry(snapshot: Snapshot, row: int) -> dict[str, Any]:
    """Return the original tuple, zone and id of the flow in this row.

    A zone that holds for the reply alone looks the same in a dump: who names the entry tries its zone, and none.
    """
    columns = snapshot.columns
    has = int(columns["has"][row])
    names = (*_PLAIN, *(name for bit, carried in _CARRIED.items() if has & bit for name in carried))
    made = {name: int(columns[name][row]) for name in names}
    for name in ("src", "dst"):
        high, low = columns[name][row].tolist()
        made[name] = high << 64 | low
    return made
