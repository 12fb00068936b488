"""What has been, end to end: closed flows, means against known traffic, and the history of the whole line."""

import itertools
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowtopd.wire.messages import Query, Snapshot
from testbed.daemon import Daemon
from testbed.entries import mix
from testbed.inject import inject
from testbed.netns import Namespace, wait_until
from testbed.programs import Program
from testbed.router import Router
from testbed.traffic import Flow
from testbed.viewer import Viewer, rows

pytestmark = pytest.mark.kernel

EVERYTHING = Query(loopback=True, closed=True, interval=0.2)
SLOWLY = Query(loopback=True, closed=True, interval=1.5)

KEPT = (
    *("id", "proto", "src", "sport", "dst", "dport", "status", "start", "process", "pid", "user", "attribution"),
    *("orig_packets", "orig_bytes", "reply_packets", "reply_bytes"),
)

TALK = """
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 443))
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.connect(server.getsockname())
made.send(b"x" * 1000)
say(made.getsockname()[1])
"""
"""UDP, because nothing follows its last packet: a late acknowledgement would make a flow anew."""


def by_port(snapshot: Snapshot, port: int) -> dict[str, Any] | None:
    return next((row for row in rows(snapshot) if row["sport"] == port), None)


def closed_one(port: int, snapshot: Snapshot) -> dict[str, Any] | None:
    row = by_port(snapshot, port)
    return row if row is not None and row["closed"] else None


def without(port: int, snapshot: Snapshot) -> Snapshot | None:
    return snapshot if by_port(snapshot, port) is None else None


def delete(namespace: Namespace, port: int) -> None:
    namespace.run(["conntrack", "-D", "-p", "udp", "--sport", str(port)])


def test_a_destroyed_flow_stays_with_its_id_its_process_and_its_final_counters(
    namespace: Namespace, tmp_path: Path
) -> None:
    with Daemon(namespace, tmp_path) as daemon, Viewer(daemon) as viewer, Program(namespace, TALK) as program:
        viewer.ask(EVERYTHING)

        def named(snapshot: Snapshot) -> dict[str, Any] | None:
            row = by_port(snapshot, program.said)
            return row if row is not None and row["pid"] == program.pid else None

        alive = viewer.until(named)
        assert (alive["closed"], alive["timeout"] is None) == (False, False)
        delete(namespace, program.said)
        gone = viewer.until(lambda snapshot: closed_one(program.said, snapshot))
        assert [gone[name] for name in KEPT] == [alive[name] for name in KEPT]
        assert (gone["orig_rate"], gone["reply_rate"], gone["timeout"]) == (None, None, None)
        assert gone["duration"] >= alive["duration"]
        later = viewer.next()
        still = closed_one(program.said, later)
        assert still is not None
        assert [still[name] for name in (*KEPT, "duration")] == [gone[name] for name in (*KEPT, "duration")]
        assert later.status.flows == 0
        assert later.totals.orig_bytes is None
        viewer.ask(Query(loopback=True))
        assert viewer.next().rows == []


def test_a_flow_that_lived_between_two_ticks_is_closed_and_has_its_process(
    namespace: Namespace, tmp_path: Path
) -> None:
    with Daemon(namespace, tmp_path) as daemon, Viewer(daemon) as viewer:
        viewer.ask(SLOWLY)
        viewer.next()
        first = viewer.next()
        with Program(namespace, TALK) as program:
            delete(namespace, program.said)
            gone = viewer.until(lambda snapshot: closed_one(program.said, snapshot))
            assert gone["pid"] == program.pid
    assert gone["orig_bytes"] > 1000
    assert gone["service_port"] == gone["dport"]
    assert gone["direction"] == "local"
    assert gone["start"] > first.time
    assert 0 < gone["duration"] < 1.5


def test_what_moved_after_the_last_dump_is_in_the_final_counters(namespace: Namespace, tmp_path: Path) -> None:
    script = TALK + "sys.stdin.readline(); made.send(b'y' * 5000); say()"
    with Daemon(namespace, tmp_path) as daemon, Viewer(daemon) as viewer:
        viewer.ask(SLOWLY)
        viewer.next()  # of flows that begin before somebody listens the kernel tells no end
        with Program(namespace, script) as program:
            alive = viewer.until(lambda snapshot: by_port(snapshot, program.said))
            program.tell()
            program.listen()
            delete(namespace, program.said)

            def final(snapshot: Snapshot) -> dict[str, Any] | None:
                row = closed_one(program.said, snapshot)  # its event may be read after the next dump only
                return row if row is not None and row["orig_bytes"] >= alive["orig_bytes"] + 5000 else None

            assert viewer.until(final)["start"] == alive["start"]


def test_closed_flows_go_after_their_time_and_are_not_kept_where_it_is_none(
    namespace: Namespace, tmp_path: Path
) -> None:
    with Daemon(namespace, tmp_path) as daemon:
        for seconds in (1, 0):
            daemon.stop()
            daemon.configure(f"[history]\nclosed = {seconds}\n")
            daemon.start()
            with Viewer(daemon) as viewer, Program(namespace, TALK) as program:
                viewer.ask(EVERYTHING)
                viewer.until(partial(by_port, port=program.said))
                delete(namespace, program.said)
                seen = [viewer.until(partial(closed_one, program.said))] if seconds else []
                since = time.monotonic()
                viewer.until(partial(without, program.said))
                assert seen == [] or time.monotonic() - since == pytest.approx(1, abs=0.6)


def test_a_storm_of_endings_leaves_the_last_that_there_is_room_for(namespace: Namespace, tmp_path: Path) -> None:
    with Daemon(namespace, tmp_path) as daemon, Viewer(daemon) as viewer:
        viewer.ask(Query(loopback=True, closed=True, limit=1, interval=0.5))
        viewer.next()
        inject(namespace, mix(20_000))
        viewer.until(lambda snapshot: snapshot if snapshot.status.flows == 20_000 else None)
        namespace.run(["conntrack", "-F"])
        after = viewer.until(lambda snapshot: snapshot if snapshot.status.flows == 0 else None)
        assert after.status.matched == 10_000


def test_a_mean_of_known_traffic_is_its_rate_and_that_of_a_burst_is_thinned(router: Router, tmp_path: Path) -> None:
    rate = 400_000
    with (
        Daemon(router.router, tmp_path) as daemon,
        Viewer(daemon) as viewer,
        Viewer(daemon) as other,
        Flow(router.lan[0], router.wan, "1.1.1.1", 4000, udp=True, rate=rate, seconds=60) as steady,
    ):
        viewer.ask(Query(mean=2, interval=0.25))
        other.ask(Query(mean=40, interval=0.25))
        start_s = time.time()

        def old_enough(snapshot: Snapshot) -> dict[str, Any] | None:
            return by_port(snapshot, steady.sport) if snapshot.time > start_s + 3 else None

        for one in (viewer, other):
            row = one.until(old_enough)
            assert row["orig_rate"] == pytest.approx(rate, rel=0.03)
        steady.stop()
        stopped_s = time.time()
        assert viewer.until(
            lambda snapshot: snapshot if (by_port(snapshot, steady.sport) or {}).get("orig_rate") == 0 else None
        ).time - stopped_s == pytest.approx(2.0, abs=0.7)
        thinned = other.until(lambda snapshot: snapshot if snapshot.time > stopped_s + 1 else None)
        shown = by_port(thinned, steady.sport)
        assert shown is not None
        assert 0.2 * rate < shown["orig_rate"] < 0.9 * rate
        assert thinned.totals.orig_rate == pytest.approx(shown["orig_rate"], rel=0.05)


def test_the_history_begins_with_what_was_and_goes_on_with_what_is_new(router: Router, tmp_path: Path) -> None:
    with (
        Daemon(router.router, tmp_path) as daemon,
        Flow(router.lan[0], router.wan, "1.1.1.1", 4000, udp=True, rate=200_000, seconds=30),
        Viewer(daemon) as first,
    ):
        first.ask(Query(interval=0.2, history=True))
        told: list[list[float]] = []
        while len(told) < 10:
            told += first.next().history or []
        with Viewer(daemon) as second:
            second.ask(Query(interval=0.2, history=True))
            whole = second.next().history
    assert whole is not None
    assert whole[: len(told)] == told
    times = [sample[0] for sample in told]
    assert times == sorted(set(times))
    assert sum(sample[1] for sample in told[2:]) / len(told[2:]) == pytest.approx(200_000, rel=0.1)


def test_with_always_the_history_goes_on_while_nobody_looks(namespace: Namespace, tmp_path: Path) -> None:
    with Daemon(namespace, tmp_path) as daemon:
        daemon.stop()
        daemon.configure("[history]\nalways = true\ninterval = 1\n")
        daemon.start()
        ticks = wait_for_samples(daemon, 3)
        assert all(later - earlier == pytest.approx(1, abs=0.3) for earlier, later in itertools.pairwise(ticks))


def wait_for_samples(daemon: Daemon, count: int) -> list[float]:
    """Look now and then, for a moment only, until the daemon remembers so many ticks that nobody saw."""
    found: list[float] = []

    def enough() -> bool:
        with Viewer(daemon) as viewer:
            viewer.ask(Query(history=True, interval=3600))
            found[:] = [sample[0] for sample in viewer.next().history or []]
        return len(found) >= count

    wait_until(enough, timeout=20)
    return found
