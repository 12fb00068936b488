"""Snapshots with everything that flows may point at, made of a seed or drawn by hypothesis."""

import random
from typing import Any

import numpy as np

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Attribution, Device, Dimensions, Direction, Owner, Parent, Place, ServiceBy, Where
from flowtopd.flows.snapshot import Snapshot
from tests.flowtopd.batches import Flow, joined, snapshot

ADDRESSES = ("10.0.0.1", "10.0.0.2", "192.168.1.7", "1.1.1.1", "8.8.8.8", "2606:4700::1111", "fd00::1", "127.0.0.1")
NAMES = (None, "one.one.one.one", "www.Example.com", "example.com", "tv.lan")
PLACES = (
    Place(),
    Place("AU", None, 13335, "CLOUDFLARENET"),
    Place("US", "Ashburn", 15169, "GOOGLE"),
    Place("US", None, 15169, "GOOGLE"),
    Place("DE", "Berlin", None, 'A "quoted" \\ org*'),
)
DEVICES = (
    Device(),
    Device("tv", "02:00:00:00:00:01", "Acme"),
    Device(None, "02:00:00:00:00:02", None),
    Device("a?b", None, None),
    Device("tv", "02:00:00:00:00:03", "Acme"),
)
HERE = (1, 4)
"""Devices of this host's addresses: interfaces of one name."""

OWNERS = (
    Owner(),
    Owner(10, 0.0, "curl", "curl x", 1000, "ann", "session-3.scope", None, "/user.slice/3", Parent(9, "bash", 1000)),
    Owner(11, 0.0, "firefox", "firefox", 1000, "ann", None, None),
    Owner(11, 0.0, "firefox", "firefox", 1001, "bob", None, None),
    Owner(uid=0, user="root", container="web"),
    Owner(uid=0, user="root", unit="nginx.service"),
    Owner(12, 0.0, "nginx", "nginx", 33, "www-data", "nginx.service", "web", "/", Parent(1, "systemd", 0)),
)
SERVICES = (None, "https", "domain", "ssh")
PORTS = (22, 53, 80, 443, 40000, 50000)
STATUS = (0xE, 0xE | 1 << 4, 0xE | 1 << 5, 0xE | 3 << 4, 1 << 14)


def table(seed: int, size: int) -> Snapshot:
    """A snapshot of `size` flows, the same for the same seed."""
    rng = random.Random(seed)

    def flow(number: int) -> Flow:
        proto = rng.choice((6, 6, 17, 1, 47))
        src = rng.choice(ADDRESSES)
        dst = rng.choice([address for address in ADDRESSES if (":" in address) == (":" in src)])
        return Flow(
            src=src,
            dst=dst,
            proto=proto,
            sport=None if proto == 1 else rng.choice(PORTS),
            dport=None if proto == 1 else rng.choice(PORTS),
            state=rng.choice((1, 3, 7)) if proto == 6 else None,
            ctid=number,
            counters=rng.choice((None, (1, 2**33, 2, 200), (10, 1000, 20, 2**54), (0, 0, 0, 0))),
            start_ns=rng.choice((0, 1_699_999_990 * 10**9, 1_699_990_000 * 10**9)),
            status=rng.choice(STATUS),
            timeout=rng.choice((1, 60, 3600)),
            mark=rng.choice((0, 7)),
            icmp=(8, 0, 77) if proto == 1 else None,
        )

    flows = [flow(number) for number in range(size)]
    before = tuple(each for each in flows if rng.random() < 0.8)
    taken = snapshot(*flows, before=before)
    return _pointing(taken, rng)


def _pointing(taken: Snapshot, rng: random.Random) -> Snapshot:
    addresses = AddressTable()
    ends = {end: addresses.add(taken.columns[end]) for end in ("src", "dst", "reply_src")}
    high, low = addresses.columns["address"].T
    everyone = np.lexsort((low, high)).astype(np.int32)  # their rows are in another order in every process
    for name, records in (("name", NAMES), ("place", PLACES), ("device", DEVICES), ("where", Where)):
        addresses.put(name, everyone, [rng.randrange(len(records)) for _ in everyone])
    here = everyone[addresses.columns["where"][everyone] == Where.HOST]
    addresses.put("device", here, [rng.choice(HERE) for _ in here])

    def choices(values: Any) -> list[int]:
        return [rng.choice(list(values)) for _ in range(taken.size)]

    local = [rng.choice((0, int(src), int(reply))) for src, reply in zip(ends["src"], ends["reply_src"], strict=True)]
    columns = taken.columns
    ports = [rng.choice((int(a), int(b))) for a, b in zip(columns["sport"], columns["dport"], strict=True)]
    by = choices(ServiceBy)
    owner = choices(range(len(OWNERS)))
    known = {("exact"): Attribution.EXACT}
    attribution = [int(known["exact"]) if number else rng.choice((0, 4, 5, 6)) for number in owner]
    return joined(
        taken,
        Dimensions(addresses.columns, NAMES, PLACES, DEVICES, OWNERS, SERVICES),
        src_at=ends["src"].tolist(),
        dst_at=ends["dst"].tolist(),
        local_at=local,
        owner=owner,
        attribution=attribution,
        service=choices(range(len(SERVICES))),
        service_port=[port if how else 0 for port, how in zip(ports, by, strict=True)],
        service_by=by,
        direction=choices(Direction),
    )
