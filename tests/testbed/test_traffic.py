import time
from pathlib import Path

import pytest

from testbed import conntrack
from testbed.netns import Namespace
from testbed.router import Router
from testbed.traffic import Flow

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_conntrack_counts_what_the_source_says_it_sent(namespace: Namespace, address: str, udp: bool) -> None:
    with Flow(namespace, namespace, address, 5001, rate=400_000, seconds=0.5, udp=udp) as flow:
        assert "testbed.traffic" in Path(f"/proc/{flow.pid}/cmdline").read_text()
        sent = flow.wait()
        (entry,) = [entry for entry in conntrack.listing(namespace) if entry["sport"] == flow.sport]
    assert sent.bytes == pytest.approx(400_000 * 0.5, rel=0.1)
    # TCP adds a handshake, and the kernel may cut or join segments
    assert entry["orig_bytes"] == pytest.approx(sent.bytes, rel=0 if udp else 0.03)


def test_an_echo_has_the_same_rate_in_both_directions_through_a_router(router: Router) -> None:
    with Flow(router.lan[0], router.wan, "1.1.1.1", 443, rate=300_000, seconds=0.5, echo=True) as flow:
        sent = flow.wait()
        deadline = time.monotonic() + 5
        while True:  # the last echo may still be under way
            (entry,) = [entry for entry in conntrack.listing(router.router) if entry["sport"] == flow.sport]
            if entry["reply_bytes"] > sent.bytes * 0.95 or time.monotonic() > deadline:
                break
    assert entry["orig_bytes"] == pytest.approx(sent.bytes, rel=0.1)
    assert entry["reply_bytes"] == pytest.approx(sent.bytes, rel=0.1)


def test_both_ends_are_gone_afterwards(namespace: Namespace) -> None:
    with Flow(namespace, namespace, "127.0.0.1", 5001, seconds=60) as flow:
        pids = [flow.pid, flow.server_pid]
        assert set(namespace.pids()) == set(pids)
    assert namespace.pids() == []
