import pytest

from testbed import conntrack
from testbed.connections import ADDRESS, PORT, connections
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel


def test_every_connection_is_an_established_flow_that_has_moved_bytes(namespace: Namespace) -> None:
    with connections(namespace, 50) as pid:
        entries = conntrack.listing(namespace)
        assert namespace.pids() == [pid]
    assert len(entries) == 50
    assert {(entry["src"], entry["dst"], entry["dport"], entry["state"]) for entry in entries} == {
        (ADDRESS, ADDRESS, PORT, "ESTABLISHED")
    }
    assert all(entry["orig_bytes"] > 200 and entry["reply_bytes"] > 3_000 for entry in entries)
    assert namespace.pids() == []
