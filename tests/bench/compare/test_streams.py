import pytest

from bench.compare.streams import missing
from testbed.churn import ports


def event(kind: str, flow: int) -> str:
    sport, dport = ports(flow)
    return (
        f"    [{kind}] tcp      6 120 SYN_SENT src=192.168.1.11 dst=8.8.4.4 sport={sport} dport={dport} [UNREPLIED] "
        f"src=8.8.4.4 dst=203.0.113.1 sport={dport} dport={sport}\n"
    )


def test_events_that_are_all_there_are_none_missing() -> None:
    assert missing([event(kind, flow) for flow in range(100, 200) for kind in ("NEW", "DESTROY")]) == 0


@pytest.mark.parametrize("kind", ["NEW", "DESTROY"])
def test_what_is_missing_between_the_first_and_the_last_is_lost(kind: str) -> None:
    lines = [event(kind, flow) for flow in range(60_000) if not 40_000 <= flow < 55_000]
    assert missing(lines) == 15_000


def test_events_of_others_do_not_count() -> None:
    other = (
        "    [NEW] udp      17 30 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1\n"
    )
    assert missing([other, event("NEW", 7)]) == 0
    assert missing([]) == 0
