import numpy as np
from numpy.typing import NDArray

from flowtopd.flows.addresses import AddressTable


def pairs(*addresses: tuple[int, int]) -> NDArray[np.uint64]:
    return np.array(addresses, np.uint64).reshape(-1, 2)


ONE, TWO, THREE = (0, 0xFFFF_0A00_0001), (0x2001_0DB8 << 32, 1), (0x2001_0DB8 << 32, 2)


def test_an_address_has_one_row_however_often_it_comes() -> None:
    table = AddressTable()
    first = table.add(pairs(ONE, TWO, ONE))
    assert first[0] == first[2] != first[1]
    assert table.add(pairs(TWO, THREE))[0] == first[1]
    assert table.size == 4
    assert table.columns["address"][table.find(pairs(THREE, TWO, ONE))].tolist() == [list(THREE), list(TWO), list(ONE)]


def test_an_address_that_is_not_there_is_row_0() -> None:
    table = AddressTable()
    assert table.find(pairs(ONE)).tolist() == [0]
    table.add(pairs(ONE))
    assert table.find(pairs(TWO, THREE)).tolist() == [0, 0]
    assert table.find(pairs()).tolist() == []


def test_the_unspecified_address_is_one_like_any_other() -> None:
    table = AddressTable()
    assert table.add(pairs((0, 0))).tolist() == [1]
    assert table.find(pairs((0, 0))).tolist() == [1]


def test_columns_that_were_handed_out_never_change() -> None:
    table = AddressTable()
    ids = table.add(pairs(ONE, TWO))
    before = table.columns
    table.put("place", ids, [7, 8])
    table.add(pairs(THREE))
    assert before["place"].tolist() == [0, 0, 0]
    assert not before["place"].flags.writeable
    assert table.columns["place"][ids].tolist() == [7, 8]


def test_nothing_can_be_written_to_row_0() -> None:
    table = AddressTable()
    table.put("name", np.array([0], np.int32), 5)
    assert table.columns["name"].tolist() == [0]


def test_what_is_not_used_can_be_dropped() -> None:
    table = AddressTable()
    ids = table.add(pairs(ONE, TWO, THREE))
    table.put("place", ids, [1, 2, 3])
    before = table.columns
    used = np.zeros(table.size, np.bool_)
    used[ids[[0, 2]]] = True
    mapping = table.compact(used)
    assert table.size == 3
    assert table.find(pairs(ONE, TWO, THREE)).tolist() == mapping[ids].tolist()
    assert mapping[ids[1]] == 0
    assert table.columns["place"][mapping[ids]].tolist() == [1, 0, 3]
    assert table.add(pairs(TWO)).tolist() == [3]
    assert before["place"][ids].tolist() == [1, 2, 3]


def test_many_addresses_are_told_apart() -> None:
    table = AddressTable()
    many = np.stack((np.zeros(50_000, np.uint64), np.arange(50_000, dtype=np.uint64) + np.uint64(0xFFFF << 32)), axis=1)
    many = np.concatenate((many, many[:, ::-1]))
    ids = table.add(many)
    assert len(np.unique(ids)) == len(many)
    assert (table.columns["address"][ids] == many).all()
