"""Other programs that read the same kernel's table do no harm, and neither do we: on real tables and traffic."""

import subprocess
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from flowtopd.wire.messages import Query, Snapshot
from testbed.daemon import Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, stop_process, wait_until
from testbed.programs import Program
from testbed.router import Router
from testbed.traffic import Flow
from testbed.viewer import Viewer, rows

pytestmark = pytest.mark.kernel

EVERYTHING = Query(loopback=True, interval=0.2)
RATE = 200_000

A_FEW = 100
"""Events that `conntrack -E` has room for: the 208 KiB that sockets have by default hold 166 of 1 280 bytes. The
option -b does not help: version 1.4.7 sets it for another socket than the one on which it listens."""

TALK = """
made = socket.create_connection(("127.0.0.1", {port}))
say(made.getsockname()[1])
"""


def heard_of(file: Path) -> int:
    return file.read_bytes().count(b"[NEW]")


def by_port(snapshot: Snapshot, port: int) -> dict[str, Any] | None:
    return next((row for row in rows(snapshot) if row["sport"] == port), None)


def test_who_sets_counters_back_makes_no_byte_fall_and_no_rate_absurd(router: Router, tmp_path: Path) -> None:
    """As nlbwmon does on OpenWrt, every 30 s: IPCTNL_MSG_CT_GET_CTRZERO."""
    with (
        Daemon(router.router, tmp_path) as daemon,
        Viewer(daemon) as viewer,
        Flow(router.lan[0], router.wan, "1.1.1.1", 4000, udp=True, rate=RATE, seconds=60) as flow,
    ):
        began = time.monotonic()
        viewer.ask(EVERYTHING)
        viewer.until(lambda snapshot: (row := by_port(snapshot, flow.sport)) and row["orig_rate"])
        seen: list[tuple[int, float]] = []
        resets = 0
        for tick in range(24):
            if tick % 3 == 0:
                router.router.run(["conntrack", "-L", "-z"])
                zeroed = time.monotonic()
            row = viewer.until(lambda snapshot: by_port(snapshot, flow.sport))
            seen.append((row["orig_bytes"], row["orig_rate"]))
        took = time.monotonic() - began
        resets = viewer.next().status.resets
    counted = [one for one, _rate in seen]
    assert counted == sorted(counted)
    assert all(0 <= rate <= 2 * RATE for _bytes, rate in seen)
    assert resets >= 8, "and it is said"
    assert zeroed > began
    # what moves between our look and a reset nobody can know; it is under a tick of eight in twenty-four
    assert took * RATE * 0.5 <= counted[-1] <= took * RATE * 1.1


def test_two_daemons_and_conntrack_hear_all_and_disturb_nobody(namespace: Namespace, tmp_path: Path) -> None:
    heard = tmp_path / "events"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        heard.open("wb") as output,
        Daemon(namespace, tmp_path / "one") as one,
        Daemon(namespace, tmp_path / "two") as two,
        Viewer(one) as first,
        Viewer(two) as second,
        namespace.socket() as server,
    ):
        listening = namespace.popen(["stdbuf", "-oL", "conntrack", "-E"], stdout=output, stderr=subprocess.DEVNULL)
        try:
            for viewer in (first, second):
                viewer.ask(EVERYTHING)
                viewer.until(lambda snapshot: snapshot.status.events == "on" or None)
            server.bind(("127.0.0.1", 0))
            server.listen()

            def hears() -> bool:
                ends = ["-s", "9.9.9.9", "-d", "9.9.9.8", "-p", "udp"]
                namespace.run(["conntrack", "-I", *ends, "--sport", "1", "--dport", "2", "-t", "60"])
                namespace.run(["conntrack", "-D", *ends])
                return heard.stat().st_size > 0

            wait_until(hears)
            with Program(namespace, TALK.format(port=server.getsockname()[1])) as program:
                for viewer in (first, second):
                    row = viewer.until(
                        lambda snapshot: (
                            row if (row := by_port(snapshot, program.said)) and row["pid"] == program.pid else None
                        )
                    )
                    assert row["attribution"] == "exact"
            before = heard_of(heard)
            entries = mix(5000)
            for sent in range(A_FEW, 5000 + A_FEW, A_FEW):
                inject(namespace, islice(entries, A_FEW))
                wait_until(lambda: heard_of(heard) >= before + sent)  # noqa: B023 (called here)
            flows = int(namespace.run(["conntrack", "-C"]))
            for viewer in (first, second):
                snapshot = viewer.until(lambda snapshot: snapshot if snapshot.status.flows >= 5000 else None)
                assert snapshot.status.flows == flows
                assert (snapshot.status.events_lost, snapshot.status.resets) == (0, 0)
            assert heard_of(heard) == before + 5000
        finally:
            stop_process(listening)
        two.stop()
        # the second one leaves the counters to the first, who has turned them on
        assert first.next().status.accounting
