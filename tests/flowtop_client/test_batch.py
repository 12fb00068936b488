"""Output for scripts: what it waits for, what ends it, and several hosts."""

import asyncio
import io
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowtop_client.batch import Refused, run, run_each
from flowtop_client.connection.link import Connection, Unavailable
from flowtop_client.connection.many import Many
from flowtop_client.formats import Format
from flowtop_client.several import Member
from flowtop_client.view_state.state import ALL_PROTOCOLS, ViewState
from flowtop_client.writers import query_of, writer_for
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import DaemonMessage, Error, Query, Snapshot, View, ViewerMessage
from testbed.daemon import Daemon
from testbed.netns import Namespace
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import Peer, ScriptedDaemon, flow, made_up, plain_answer, refusing
from tests.flowtop_client.written import output, streamed


def test_json_streams_a_line_a_snapshot(make_daemon: MakeDaemon) -> None:
    lines = streamed(make_daemon(), Format.JSON, ticks=3).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]


def test_once_waits_for_rates(make_daemon: MakeDaemon) -> None:
    def second_tick_has_rates(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        daemon.interval = None
        plain_answer(daemon, peer, message)
        if isinstance(message, Query):
            daemon.interval, daemon.seq = 1.25, 2
            daemon.answer_query(peer)

    daemon = make_daemon(answer=second_tick_has_rates)
    assert json.loads(output(daemon, Format.JSON))["interval"] == 1.25


def in_parts(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
    """Sends every window two rows at a time."""

    def cut(said: DaemonMessage) -> list[DaemonMessage]:
        if not isinstance(said, Snapshot):
            return [said]
        ends = range(0, len(said.rows), 2)
        return [replace(said, offset=at, rows=said.rows[at : at + 2], more=at != ends[-1]) for at in ends]

    peer.rewrite = cut
    plain_answer(daemon, peer, message)


FIVE = [flow(number) for number in range(1, 6)]


@pytest.mark.parametrize("form", list(Format))
def test_a_snapshot_in_parts_reads_like_one_in_one_piece(make_daemon: MakeDaemon, form: Format) -> None:
    daemon = make_daemon(FIVE)
    whole = output(daemon, form)
    daemon._answer = in_parts
    assert output(daemon, form) == whole


def test_a_snapshot_that_breaks_off_is_a_failure_not_a_mixture(make_daemon: MakeDaemon) -> None:
    def broken(daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        peer.rewrite = lambda said: [replace(said, more=True) if isinstance(said, Snapshot) else said]
        plain_answer(daemon, peer, message)
        if isinstance(message, Query):
            daemon.seq += 1
            daemon.answer_query(peer)

    with pytest.raises(Unavailable, match="broke off"):
        output(make_daemon(answer=broken), Format.JSON)


def test_a_lost_daemon_ends_batch_output(make_daemon: MakeDaemon) -> None:
    def hang_up(_: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        if isinstance(message, Query):
            peer.sock.shutdown(2)
        else:
            plain_answer(_, peer, message)

    with pytest.raises(Unavailable, match="lost the daemon: it closed the connection"):
        output(make_daemon(answer=hang_up), Format.JSON)


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (Error(ErrorCode.SORT, "no sort field 'x'"), Refused, "no sort field 'x'"),
        (Error(ErrorCode.FILTER, "no such word: hots", 4), Refused, "no such word: hots"),
        (Error(ErrorCode.INTERNAL, "see the\x1b log"), Unavailable, "the daemon says: see the? log"),
        (Error(ErrorCode.FIELD, "no such field", 3), Unavailable, "the daemon says: no such field"),
    ],
)
@pytest.mark.parametrize("form", Format)
def test_an_error_from_the_daemon_ends_batch_output(
    make_daemon: MakeDaemon, form: Format, error: Error, raised: type[Exception], said: str
) -> None:
    out = io.StringIO()
    with pytest.raises(raised) as caught:
        output(make_daemon(answer=refusing(error)), form, out=out)
    assert str(caught.value) == said
    assert out.getvalue() == ""


ALL = ViewState(protocols=ALL_PROTOCOLS)
GROUPED = [view for view in View if view is not View.FLOWS]


def test_the_filter_goes_to_the_daemon_in_every_view(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(made_up(100))
    state = replace(ALL, filter="process firefox")
    flows = json.loads(output(daemon, Format.JSON, state=state))["flows"]
    assert {flow["process"] for flow in flows} == {"firefox"}
    groups = json.loads(output(daemon, Format.JSON, state=replace(state, view=View.PROCESSES)))["groups"]
    assert [group["flows"] for group in groups] == [len(flows)]


@pytest.mark.kernel
def test_the_groups_of_a_real_daemon_add_up_and_their_filters_mean_their_flows(
    namespace: Namespace, daemon: Daemon
) -> None:
    with namespace.socket() as server, namespace.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())

        def shown(*options: str) -> Any:
            done = daemon.flowtop("--once", "--json", "--all", "--loopback", "-t", "0.1", *options)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        port = server.getsockname()[1]
        flows = shown("-f", f"tcp and dst port {port}")["flows"]
        assert [(flow["proto"], flow["dport"]) for flow in flows] == [("tcp", port)]
        assert shown("-f", f"udp and dst port {port}")["flows"] == []
        for view in GROUPED:
            groups = shown("--view", view, "-f", f"port {port}")["groups"]
            assert sum(group["flows"] for group in groups) == 1
            for group in groups:
                opened = shown("-f", f"({group['filter']}) and port {port}")["flows"]
                assert [flow["id"] for flow in opened] == [flow["id"] for flow in flows], (view, group)


def of_each(daemons: dict[str, ScriptedDaemon], *, once: bool = True, fits: Any = None) -> tuple[bool, list[Any]]:
    """Whether something fits, and what is written about the flows of several hosts."""
    out = io.StringIO()

    async def conversation() -> bool:
        query = query_of(ViewState(), Format.JSON, None)
        connections = {name: Connection(daemon.path, query) for name, daemon in daemons.items()}
        try:
            for connection in connections.values():
                await connection.open()
            return await run_each(connections, out, once=once, fits=fits)
        finally:
            for connection in connections.values():
                await connection.close()

    found = asyncio.run(asyncio.wait_for(conversation(), 30))
    return found, [json.loads(line) for line in out.getvalue().splitlines()]


def test_of_several_hosts_each_has_lines_of_its_own(tmp_path: Path) -> None:
    many = [flow(number) for number in range(1, 3000)]  # more than one write
    with (
        ScriptedDaemon(str(tmp_path / "a"), many) as one,
        ScriptedDaemon(str(tmp_path / "b"), many[:7]) as other,
    ):
        found, lines = of_each({"router": one, "ap": other})
    assert not found
    assert {line["host"]: len(line["flows"]) for line in lines} == {"router": 2999, "ap": 7}


def test_what_fits_at_one_of_several_hosts_ends_the_output(tmp_path: Path) -> None:
    with (
        ScriptedDaemon(str(tmp_path / "a"), [flow(1)]) as one,
        ScriptedDaemon(str(tmp_path / "b"), [flow(2)]) as other,
    ):
        fits = lambda row: row["id"] == "2"  # noqa: E731
        found, lines = of_each({"router": one, "ap": other}, once=False, fits=fits)
    assert found
    assert [(line["host"], [each["id"] for each in line["flows"]]) for line in lines] == [("ap", ["2"])]


def test_the_loss_of_one_of_several_hosts_names_it(tmp_path: Path) -> None:
    def leave(_daemon: ScriptedDaemon, peer: Peer, message: ViewerMessage) -> None:
        plain_answer(_daemon, peer, message)
        if isinstance(message, Query):
            peer.sock.shutdown(socket.SHUT_RDWR)

    with (
        ScriptedDaemon(str(tmp_path / "a"), [flow(1)]) as one,
        ScriptedDaemon(str(tmp_path / "b"), [flow(2)], answer=leave) as other,
        pytest.raises(Unavailable, match=r"^ap: lost the daemon: "),
    ):
        of_each({"router": one, "ap": other}, once=False)


def test_csv_of_several_hosts_begins_with_the_host(tmp_path: Path) -> None:
    out = io.StringIO()
    state = ViewState(hosts=(Member("router"), Member("ap")))
    with (
        ScriptedDaemon(str(tmp_path / "a"), [flow(1), flow(3)]) as one,
        ScriptedDaemon(str(tmp_path / "b"), [flow(2), flow(4)]) as other,
    ):

        async def conversation() -> None:
            for form in (Format.CSV, Format.TEXT):
                link = Many([("router", one.path), ("ap", other.path)], query_of(state, form, 3), whole=True)
                up = await link.open()
                writer = writer_for(form, out, state, host=up.host, width=None)
                await run(link, writer, out, once=True)
                await link.close()

        asyncio.run(asyncio.wait_for(conversation(), 30))
    lines = out.getvalue().splitlines()
    assert [line.split(",")[:2] for line in lines[:4]] == [
        ["host", "id"],
        ["router", "1"],
        ["ap", "2"],
        ["router", "3"],
    ]
    assert [line.split()[0] for line in lines[4:]] == ["HOST", "router", "ap", "router"]
