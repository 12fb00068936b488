import pytest

from testbed import conntrack
from testbed.churn import ADDRESS, Churn, number, ports
from testbed.netns import wait_until
from testbed.router import Router


@pytest.mark.parametrize("flow", [0, 1, 49_999, 50_000, 1_234_567])
def test_a_flow_is_known_by_its_ports(flow: int) -> None:
    assert number(*ports(flow)) == flow


def test_ports_of_others_are_no_flow_of_churn() -> None:
    with pytest.raises(ValueError, match="no flow"):
        number(443, 12_000)


@pytest.mark.kernel
def test_flows_are_forwarded_behind_nat_and_gone_soon_after(router: Router) -> None:
    def entries() -> list[int]:
        listed = conntrack.listing(router.router)
        assert all(entry["reply_dst"] == "203.0.113.1" for entry in listed if entry["dst"] == ADDRESS)
        return [number(entry["sport"], entry["dport"]) for entry in listed if entry["dst"] == ADDRESS]

    with Churn(router.lan[0], rate=400) as churn:
        wait_until(lambda: max(entries(), default=0) > 300)
        assert min(entries()) > 0, "the first ones have been taken back"
        begun = churn.stop()
        assert begun > 300
        assert churn.reached <= 420
        assert entries() == []
