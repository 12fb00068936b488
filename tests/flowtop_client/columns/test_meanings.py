from flowtop_client.columns.meanings import all_columns, meaning
from flowtopd.wire.messages import View


def test_every_column_of_every_view_has_a_name_of_its_own_and_a_meaning() -> None:
    for view in View:
        names = [column.name for column in all_columns(view, hosts=True)]
        assert len(names) == len(set(names))
        assert [name for name in names if not meaning(view, name)] == []


def test_what_is_switched_off_cannot_be_chosen() -> None:
    assert {"geo", "sgeo", "city"} & {column.name for column in all_columns(View.FLOWS, geoip=False)} == set()
