import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.enrich.pipeline import _within

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12)


@given(st.lists(st.integers(0, 80), max_size=12), SPANS)
def test_a_moment_is_within_a_span_or_not(moments: list[int], spans: list[tuple[int, int]]) -> None:
    ends = [(begin, begin + length) for begin, length in spans]
    found = _within(np.array(moments, np.uint64), np.array(ends, np.int64).reshape(-1, 2))
    assert found.tolist() == [any(begin <= moment <= end for begin, end in ends) for moment in moments]
