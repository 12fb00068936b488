import pytest

from bench.sockets import CONNECTIONS, LIMIT, measure
from testbed.netns import Namespace


@pytest.mark.kernel
def test_twenty_thousand_sockets_cost_less_than_twice_their_raw_dump(namespace: Namespace) -> None:
    found = measure(namespace)
    assert found.sockets >= 2 * CONNECTIONS
    assert found.ratio <= LIMIT, found
