"""Batches and snapshots made of a few words, for the tests of what comes after the decoder."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Dimensions
from flowtopd.flows.schema import JOINED
from flowtopd.flows.snapshot import KernelState, Moment, Snapshot, Tick
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctnetlink import Batch
from flowtopd.netlink.ctrecord import COLUMNS, Has


@dataclass(frozen=True, slots=True)
class Flow:
    """One row of a batch. None where the message does not carry the value."""

    src: str = "10.0.0.1"
    dst: str = "1.1.1.1"
    sport: int | None = 40000
    dport: int | None = 443
    proto: int = 6
    state: int | None = 3
    ctid: int = 1
    counters: tuple[int, int, int, int] | None = (1, 100, 2, 200)
    start_ns: int = 0
    status: int = 0xE
    timeout: int = 60
    mark: int = 0
    zone: int = 0
    icmp: tuple[int, int, int] | None = None
    at_s: float | None = None

    def counted(self, orig_bytes: int, reply_bytes: int) -> "Flow":
        """The same flow, further on."""
        return replace(self, counters=(orig_bytes // 100, orig_bytes, reply_bytes // 100, reply_bytes))


def _halves(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    number = int(parsed) if parsed.version == 6 else 0xFFFF << 32 | int(parsed)
    return number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF


def _row(flow: Flow, at_s: float) -> dict[str, Any]:
    has = Has(0)
    has |= Has.PORTS if flow.sport is not None else Has(0)
    has |= Has.ICMP if flow.icmp else Has(0)
    has |= Has.STATE if flow.state is not None else Has(0)
    has |= Has.COUNTERS if flow.counters else Has(0)
    has |= Has.START if flow.start_ns else Has(0)
    packets_and_bytes = flow.counters or (0, 0, 0, 0)
    icmp_type, icmp_code, icmp_id = flow.icmp or (0, 0, 0)
    return {
        "src": _halves(flow.src),
        "dst": _halves(flow.dst),
        "reply_src": _halves(flow.dst),
        "reply_dst": _halves(flow.src),
        **dict(zip(("orig_packets", "orig_bytes", "reply_packets", "reply_bytes"), packets_and_bytes, strict=True)),
        "start_ns": flow.start_ns,
        "stop_ns": 0,
        "sampled_s": at_s if flow.at_s is None else flow.at_s,
        "ctid": flow.ctid,
        "status": flow.status,
        "timeout": flow.timeout,
        "mark": flow.mark,
        "zone": flow.zone,
        "sport": flow.sport or 0,
        "dport": flow.dport or 0,
        "reply_sport": flow.dport or 0,
        "reply_dport": flow.sport or 0,
        "icmp_id": icmp_id,
        "icmp_type": icmp_type,
        "icmp_code": icmp_code,
        "family": 10 if ":" in flow.src else 2,
        "proto": flow.proto,
        "state": flow.state or 0,
        "has": int(has),
    }


def batch(*flows: Flow, at_s: float = 0.0) -> Batch:
    """The dump in which the kernel lists these flows."""
    rows = [_row(flow, at_s) for flow in flows]
    columns = {}
    for name, dtype in COLUMNS.items():
        values = [row[name] for row in rows]
        pair = dtype == "u8,u8"
        columns[name] = np.array(values, np.uint64 if pair else dtype).reshape((len(rows), 2) if pair else len(rows))
    return Batch(len(rows), columns, interrupted=False)


def moment(at_s: float) -> Moment:
    return Moment(1_700_000_000 + at_s, at_s)


def snapshot(*flows: Flow, before: tuple[Flow, ...] = ()) -> Snapshot:
    """The snapshot of these flows at 10 s; with `before`, those were there a second earlier."""
    table = FlowTable()
    if before:
        table.apply(batch(*before, at_s=9.0), moment(9.0))
    return table.apply(batch(*flows, at_s=10.0), moment(10.0))


def joined(taken: Snapshot, dimensions: Dimensions | None = None, **columns: Sequence[int]) -> Snapshot:
    """The same snapshot with these columns of `schema.JOINED`, and with its addresses in the address table."""
    table = AddressTable()
    ends: dict[str, Any] = {
        f"{end}_at": table.add(taken.columns[end]) for end in ("src", "dst", "reply_src", "reply_dst")
    }
    dimensions = dimensions or Dimensions()
    given = {name: np.array(values, JOINED[name]) for name, values in columns.items()}
    addresses = dimensions.addresses if len(dimensions.addresses["address"]) > 1 else table.columns
    return replace(taken, columns=taken.columns | ends | given, dimensions=replace(dimensions, addresses=addresses))


def tick(*flows: Flow, before: tuple[Flow, ...] = ()) -> Tick:
    state = KernelState(accounting=True, timestamps=True, max=262144, tracking=True)
    return Tick(snapshot(*flows, before=before), state, 0.01)
