import pytest

from bench.compare.__main__ import SIZES, possible


@pytest.mark.parametrize(
    ("room", "fitting", "dropped"),
    [
        (2_000_000, list(SIZES), []),
        (252_144, list(SIZES[:-1]), [1_000_000]),
        (240_900, [*SIZES[:-2], 240_000], [250_000, 1_000_000]),
        (56_000, [*SIZES[:4], 56_000], list(SIZES[4:])),
        (21_000, list(SIZES[:4]), list(SIZES[4:])),
    ],
)
def test_tables_that_do_not_fit_are_replaced_by_the_largest_that_does(
    room: int, fitting: list[int], dropped: list[int]
) -> None:
    assert possible(SIZES, room) == (fitting, dropped)
