import numpy as np

from flowtopd.flows.identity import flow_keys
from flowtopd.netlink.ctrecord import COLUMNS


def test_a_million_neighbours_have_a_million_keys() -> None:
    """Flows of a scan differ in a few low bits of a few fields: the hardest case for a weak mix."""
    count = 1_000_000
    number = np.arange(count, dtype=np.uint64)
    columns = {
        name: np.zeros((count, 2), np.uint64) if dtype == "u8,u8" else np.zeros(count, dtype)
        for name, dtype in COLUMNS.items()
    }
    columns["src"][:, 1] = 0xFFFF0A000000 + number % 1000
    columns["dst"][:, 1] = 0xFFFF01010101 + number // 1000 % 100
    columns["sport"][:] = number // 100_000
    columns["ctid"][:] = 7  # as bad as can be: CTA_ID tells nothing
    keys = flow_keys(columns)
    assert len(np.unique(keys)) == count
    # the low bits choose the slot of the index: they must be spread as well
    assert len(np.unique(keys & np.uint64(0xFFFFF))) > 600_000
