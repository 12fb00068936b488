"""Everything about one flow, compared field by field with what was put in."""

from dataclasses import replace

import pytest

from flowtopd.flows.addresses import AddressTable
from flowtopd.flows.dimensions import Attached, Attribution, Device, Dimensions, Owner, Parent, Place, Where
from flowtopd.flows.snapshot import Snapshot
from flowtopd.query.details import EXPLANATIONS, addresses, details, ends
from flowtopd.wire.codec import encode_daemon
from flowtopd.wire.fields import DETAIL_FIELDS, END_FIELDS, ENDS, FLOW_FIELD_NAMES, Kind
from flowtopd.wire.messages import Detail, Query
from tests.flowtopd.batches import Flow, joined, moment, snapshot

KINDS = {Kind.TEXT: str, Kind.INT: int, Kind.FLOAT: float, Kind.BOOL: bool, Kind.LIST: list}
PARENT = Parent(41, "shell", 1000)
BROWSER = Owner(
    42, 1_600_000_000.5, "browser", "browser --new-tab", 1000, "alice", "app.slice", None, "/user/app.slice", PARENT
)
HERE, THERE = (0, 0xFFFF_0A00_0001), (0, 0xFFFF_0101_0101)
UNKNOWN = {field.name: None for field in END_FIELDS}


def taken() -> Snapshot:
    """A laptop of the LAN and a server in Australia."""
    plain = snapshot(Flow(ctid=77))
    table = AddressTable()
    here, there = (table.add(plain.columns[end]) for end in ("src", "dst"))
    for name, row, value in (
        ("where", here, Where.LAN),
        ("device", here, 1),
        ("place", there, 1),
        ("name", there, 1),
    ):
        table.put(name, row, value)
    dimensions = Dimensions(
        table.columns,
        (None, "one.example"),
        (Place(), Place("AU", "Sydney", 13335, "One")),
        (Device(), Device("laptop", "00:11:22:33:44:55", "Maker")),
        (Owner(), BROWSER),
    )
    at = {"src_at": here, "reply_dst_at": here, "dst_at": there, "reply_src_at": there}
    ids: dict[str, list[int]] = {name: number.tolist() for name, number in at.items()}
    made = joined(plain, dimensions, owner=[1], attribution=[Attribution.EXACT], **ids)
    return replace(made, attached={int(made.columns["key"][0]): Attached("ftp", ("eth0-in", "100"))})


LAPTOP = UNKNOWN | {
    "address": "10.0.0.1",
    "scope": "lan",
    "device": "laptop",
    "mac": "00:11:22:33:44:55",
    "vendor": "Maker",
}
SERVER = UNKNOWN | {
    "address": "1.1.1.1",
    "name": "one.example",
    "country": "AU",
    "city": "Sydney",
    "asn": 13335,
    "org": "One",
    "scope": "remote",
}


def test_a_detail_has_the_fields_of_a_row_and_those_that_are_too_long_for_one() -> None:
    found = details(taken(), 0, Query())
    assert tuple(found) == (*FLOW_FIELD_NAMES, *(field.name for field in DETAIL_FIELDS))
    assert {field.name: found[field.name] for field in DETAIL_FIELDS} == {
        "command": "browser --new-tab",
        "parent": "shell",
        "parent_pid": 41,
        "cgroup": "/user/app.slice",
        "started": 1_600_000_000.5,
        "explanation": "the process has a connected socket with this very tuple",
        "first_seen": moment(10.0).wall_s,
        "own": False,
        "ctid": 77,
        "helper": "ftp",
        "labels": ["eth0-in", "100"],
    }
    assert (found["process"], found["dst_name"], found["dst"]) == ("browser", "one.example", "1.1.1.1")


def test_each_end_is_told_with_all_that_is_known_of_it() -> None:
    assert ends(taken(), 0, Query()) == dict(zip(ENDS, (LAPTOP, SERVER, SERVER, LAPTOP), strict=True))


def test_values_have_the_kinds_that_are_declared_and_can_be_sent() -> None:
    found, places = details(taken(), 0, Query()), ends(taken(), 0, Query())
    for field in DETAIL_FIELDS:
        assert type(found[field.name]) is KINDS[field.kind], field.name
    for end in places.values():
        assert tuple(sorted(end)) == tuple(sorted(field.name for field in END_FIELDS))
        for field in END_FIELDS:
            assert end[field.name] is None or type(end[field.name]) is KINDS[field.kind], field.name
    encode_daemon(Detail(found["id"], found, places, []))


@pytest.mark.parametrize(
    ("query", "hidden"),
    [(Query(names=False), {"name"}), (Query(geoip=False), {"country", "city", "asn", "org"})],
)
def test_what_the_viewer_has_turned_off_is_null(query: Query, hidden: set[str]) -> None:
    server = {name: None if name in hidden else value for name, value in SERVER.items()}
    assert ends(taken(), 0, query)["dst"] == server
    found = details(taken(), 0, query)
    assert {name: found[f"dst_{name}"] for name in ("name", "country", "city", "asn", "org")} == {
        name: server[name] for name in ("name", "country", "city", "asn", "org")
    }


def test_of_an_address_that_nobody_has_looked_at_only_the_address_is_known() -> None:
    assert ends(snapshot(Flow()), 0, Query())["dst"] == UNKNOWN | {"address": "1.1.1.1"}


def test_of_a_process_that_nobody_has_found_nothing_is_told() -> None:
    found = details(snapshot(Flow()), 0, Query())
    assert {found[name] for name in ("command", "parent", "parent_pid", "cgroup", "started")} == {None}


def test_what_is_attached_to_a_flow_is_unknown_until_the_kernel_was_asked() -> None:
    asked = snapshot(Flow())
    told = replace(asked, attached={int(asked.columns["key"][0]): Attached(None, ())})
    assert [[details(each, 0, Query())[name] for name in ("helper", "labels")] for each in (asked, told)] == [
        [None, None],
        [None, []],
    ]


def test_every_attribution_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Attribution)
    assert len(set(EXPLANATIONS.values())) == len(Attribution)


def test_addresses_are_named_once() -> None:
    assert addresses(snapshot(Flow()), 0) == [HERE, THERE]
