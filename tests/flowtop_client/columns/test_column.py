from flowtop_client.columns.column import Column, Units, cells, needed_fields
from flowtop_client.columns.flows import flow_columns


def named(name: str) -> Column:
    return next(column for column in flow_columns(source=True) if column.name == name)


def test_every_needed_field_is_asked_for_once() -> None:
    assert needed_fields([named("bytes"), named("orig_bytes"), named("pid")]) == (
        "id",
        "closed",
        "orig_bytes",
        "reply_bytes",
        "pid",
    )


def test_fields_may_come_in_any_order_and_a_missing_one_is_unknown() -> None:
    columns = [named("address"), named("port"), named("state")]
    assert cells(columns, ("dport", "dst"), Units())([53, "9.9.9.9"]) == ["9.9.9.9", "53", "-"]
