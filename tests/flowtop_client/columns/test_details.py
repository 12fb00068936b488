from typing import Any

import pytest

from flowtop_client.columns.details import groups, stations
from flowtopd.wire.fields import DETAIL_FIELDS, END_FIELDS, ENDS, FLOW_FIELDS, Kind
from flowtopd.wire.messages import Detail
from tests.flowtop_client.scripted_daemon import NO_FLOW, flow
from tests.flowtop_client.scripted_details import LOCAL, NATTED, detail_of, end


def told(detail: Detail, *, bits: bool = False) -> dict[str, dict[str, str]]:
    return {group.heading: dict(group.pairs) for group in groups(detail, bits=bits)}


def test_source_nat_is_a_station_between_the_ends() -> None:
    path = [(station.what, station.who, station.address) for station in stations(detail_of(NATTED))]
    assert path == [
        ("source", "laptop", "192.168.1.11:40001"),
        ("seen as", "this host", "203.0.113.1:40001"),
        ("destination", "one.one.one.one", "1.1.1.1:443"),
    ]


def test_destination_nat_leads_from_what_was_asked_for_to_who_answers() -> None:
    changed = {"reply_src": "192.168.1.12", "reply_sport": 8443, "reply_dst": "10.0.0.1", "reply_dport": 40001}
    each = flow(1, nat="dnat", direction="inbound", process="nginx", pid=7, **changed)
    path = [(station.what, station.who, station.address) for station in stations(detail_of(each))]
    assert path == [
        ("source", "laptop", "10.0.0.1:40001"),
        ("asked for", "one.one.one.one", "192.0.2.2:443"),
        ("destination", "nginx[7]", "192.168.1.12:8443"),
    ]
    both = stations(detail_of(each | {"nat": "both"}))
    assert [station.what for station in both] == ["source", "asked for", "seen as", "destination"]


def test_a_local_flow_begins_at_its_process() -> None:
    path = stations(detail_of(LOCAL))
    assert [station.who for station in path] == ["firefox[4711]", "one.one.one.one"]


def test_a_process_is_told_with_its_parent_and_control_group() -> None:
    shown = told(detail_of(LOCAL))["Process"]
    assert (shown["process"], shown["parent"]) == ("firefox[4711]", "gnome-shell[4000]")
    assert shown["cgroup"].endswith("/app-firefox-4711.scope")
    assert told(detail_of(LOCAL, parent=None))["Process"]["parent"] == "-[4000]"
    assert "parent" not in told(detail_of(LOCAL, parent=None, parent_pid=None))["Process"]


def test_a_helper_and_labels_are_told_where_there_are_some() -> None:
    shown = told(detail_of(NATTED, helper="ftp", labels=["eth0-in", "100"]))["Connection"]
    assert (shown["helper"], shown["labels"]) == ("ftp", "eth0-in, 100")
    none: tuple[Any, ...] = ([], None)
    for labels in none:
        assert not {"helper", "labels"} & set(told(detail_of(NATTED, labels=labels))["Connection"])


def test_a_device_without_a_name_is_called_by_its_address() -> None:
    detail = detail_of(NATTED)
    assert detail.ends is not None
    for known, who in (({"vendor": "Apple, Inc."}, "Apple 12:34:56"), ({}, "3c:22:fb:12:34:56")):
        ends = detail.ends | {"src": end("192.168.1.11", mac="3c:22:fb:12:34:56", scope="lan", **known)}
        assert stations(Detail("1", detail.flow, ends, []))[0].who == who


def test_everything_that_is_known_is_told() -> None:
    """Each value of a detail is different, and is found in the text, but for what the text says in other words."""
    words = {Kind.TEXT: "text-{}", Kind.INT: "{}", Kind.FLOAT: "{}"}
    other = {"id", "closed", "own", "nat", "direction", "service_by", "status", "sport", "dport", "icmp_type"}
    other |= {field.name for field in FLOW_FIELDS if field.name[4:] in {"name", "country", "city", "asn", "org"}}
    other |= {"device", "device_mac", "device_vendor"}  # those of the local end
    other |= {field.name for field in (*FLOW_FIELDS, *DETAIL_FIELDS) if field.kind is Kind.FLOAT} | {"duration"}
    other |= {"mark", "orig_bytes", "reply_bytes", "timeout"}
    values: dict[str, Any] = {}
    for number, field in enumerate((*FLOW_FIELDS, *DETAIL_FIELDS), 101):
        value = words.get(field.kind, "").format(number)
        values[field.name] = int(value) if field.kind is Kind.INT else value
    values |= dict.fromkeys((name for name in other if name in values), None)
    values |= {"icmp_type": 8, "nat": "both"}
    ends = {name: {field.name: f"{name} {field.name}" for field in END_FIELDS} for number, name in enumerate(ENDS)}
    said = " ".join(text for group in told(Detail("1", values, ends, [])).values() for text in group.values())
    for name, value in values.items():
        assert value is None or str(value) in said, name
    for known in ends.values():
        for value in known.values():
            assert value in said


def test_amounts_and_times_are_told_as_people_write_them() -> None:
    shown = told(detail_of(NATTED))
    assert shown["Traffic"]["original"] == "1.00 MB/s, 1.00 kB, 1 packet"
    assert told(detail_of(NATTED), bits=True)["Traffic"]["original"].startswith("8.00 Mbit/s")
    connection = shown["Connection"]
    assert connection["began"] == "2023-11-14 22:12:20"
    assert connection["expires in"] == "5d"
    assert connection["service"] == "https, port 443 (a known port)"
    assert shown["Process"]["because"] == "neither end is on this host"
    assert shown["Destination"]["network"] == "CLOUDFLARENET (AS13335)"
    assert shown["Tuples"]["reply"] == "1.1.1.1:443 > 203.0.113.1:40001"


def test_what_is_not_known_is_left_out_but_for_amounts() -> None:
    shown = told(Detail("1", dict(NO_FLOW), {}, []))
    assert shown == {
        "Traffic": {"original": "-, -, - packets", "reply": "-, -, - packets"},
        "Connection": {"protocol": "- over -"},
    }
    assert [station.address for station in stations(Detail("1", dict(NO_FLOW), None, None))] == ["-", "-"]


@pytest.mark.parametrize("value", [1e300, -1e300, float("nan"), float("inf")])
def test_a_time_that_no_calendar_has_is_left_out(value: float) -> None:
    assert "began" not in told(detail_of(flow(1, start=value)))["Connection"]


def test_text_from_outside_is_cleaned() -> None:
    nasty = "\x1b[2J\u202e"
    each = flow(1, process=nasty, pid=1, user=nasty, unit=nasty, container=nasty, service=nasty, direction="outbound")
    detail = detail_of(each, command=nasty, explanation=nasty)
    ends = {name: end(nasty, name=nasty, city=nasty, org=nasty, device=nasty, mac=nasty, vendor=nasty) for name in ENDS}
    for shown in (detail, Detail("1", each, ends, [])):
        texts = [text for group in told(shown).values() for text in group.values()]
        texts += [part for each in stations(shown) for part in (each.who, each.address, each.what)]
        assert all(text.isprintable() for text in texts)


def test_what_no_database_tells_comes_with_the_command_that_gets_one() -> None:
    end = {"address": "1.1.1.1", "scope": "remote", "country": "AU"}
    missing = {"city": "`flowtop -u`", "asn": "`flowtop -u`"}

    def told(where: dict[str, Any], missing: dict[str, str]) -> dict[str, str]:
        detail = Detail("1", NATTED, {"dst": where}, [])
        found = [group for group in groups(detail, bits=False, missing=missing) if group.heading == "Destination"]
        return dict(found[0].pairs)

    assert told(end, missing)["place"] == "AU (cities: `flowtop -u`)"
    assert told(end, missing)["network"] == "not known (`flowtop -u` gets a database)"
    assert told(end, {})["place"] == "AU"
    assert "network" not in told(end, {})
    here = told(end | {"scope": "lan", "country": None}, missing)
    assert "place" not in here
    assert "network" not in here
