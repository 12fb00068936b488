"""Conversations with two scripted daemons over real Unix sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flowtop_client.connection.link import Down, Members, Unavailable, Up
from flowtop_client.connection.many import LATE_S, Many
from flowtop_client.connection.merging import query_of_host
from flowtop_client.several import Member, Merged
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Delete, Detail, Error, FlowRequest, Query, Seek, ViewerMessage
from tests.flowtop_client.scripted_daemon import ScriptedDaemon, flow, refusing
from tests.flowtop_client.scripted_details import Deeds

QUERY = Query(tag=1, limit=10, fields=("id", "dst"))

Two = tuple[ScriptedDaemon, ScriptedDaemon]
Next = Callable[..., Any]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    router = [flow(number) for number in (1, 3, 5)]
    ap = [flow(number) for number in (2, 3, 4)]
    with (
        ScriptedDaemon(str(tmp_path / "router"), router) as one,
        ScriptedDaemon(str(tmp_path / "ap"), ap) as other,
    ):
        yield one, other


@asynccontextmanager
async def talk(two: Two, query: Query = QUERY, **options: Any) -> AsyncIterator[tuple[Many, Up, Next]]:
    """An open link, its greeting, and a function that waits for the next event of a kind, and that fits."""
    many = Many([("router", two[0].path), ("ap", two[1].path)], query, **options)
    up = await many.open()
    try:
        async with aclosing(many.events()) as events:

            async def until(kind: Any, fits: Callable[[Any], bool] = lambda _: True) -> Any:
                async with asyncio.timeout(20):
                    async for event in events:
                        if isinstance(event, kind) and fits(event):
                            return event
                raise AssertionError("no more events")

            yield many, up, until
    finally:
        await many.close()


def _hear(daemon: ScriptedDaemon, message: ViewerMessage) -> None:
    daemon.wait_for(lambda: message in daemon.got)


def hosts_and_ids(snapshot: Merged) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in snapshot.rows]


def test_rows_of_all_hosts_come_in_one_order(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (_, up, until):
            assert up == Up("router, ap", "")
            snapshot = await until(Merged)
            assert hosts_and_ids(snapshot) == [
                ("router", "1"),
                ("ap", "2"),
                ("router", "3"),
                ("ap", "3"),
                ("ap", "4"),
                ("router", "5"),
            ]
            assert snapshot.status.matched == 6

    asyncio.run(conversation())


def test_a_tick_is_told_when_all_hosts_have_ticked(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (_, _, until):
            first = await until(Merged)
            two[0].push([flow(7)])
            two[1].push([flow(8)])
            snapshot = await until(Merged)
            assert hosts_and_ids(snapshot) == [("router", "7"), ("ap", "8")]
            assert snapshot.seq == first.seq + 1

    asyncio.run(conversation())


def test_a_slow_host_does_not_hold_up_the_others(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (_, _, until):
            await until(Merged)
            two[0].push([flow(7)])
            two[0].push([flow(9)])
            snapshot = await until(Merged)
            assert ("router", "9") in hosts_and_ids(snapshot)
            assert ("ap", "2") in hosts_and_ids(snapshot)

    asyncio.run(conversation())


def test_a_host_that_does_not_answer_a_new_query_is_left_out_when_it_is_late(two: Two) -> None:
    now = [100.0]

    async def conversation() -> None:
        async with talk(two, monotonic=lambda: now[0]) as (many, _, until):
            await until(Merged)
            two[1].answers = False
            many.ask(Query(tag=2, limit=10, fields=("id", "dst"), sort="dst"))
            two[0].wait_for(lambda: two[0].queries()[-1].tag == 2)
            now[0] += LATE_S
            two[0].push()
            snapshot = await until(Merged, lambda snapshot: snapshot.tag == 2)
            assert {host for host, _ in hosts_and_ids(snapshot)} == {"router"}

    asyncio.run(conversation())


def test_a_window_is_asked_for_from_the_first_row_on(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two, Query(tag=1, offset=2, limit=3, fields=("id",))) as (_, _, until):
            snapshot = await until(Merged)
            assert (snapshot.offset, hosts_and_ids(snapshot)) == (2, [("router", "3"), ("ap", "3"), ("ap", "4")])
        (query,) = two[0].queries()
        assert (query.offset, query.limit, query.fields) == (0, 5, ("id", "orig_rate", "reply_rate"))

    asyncio.run(conversation())


def test_a_host_that_vanishes_leaves_the_others_and_comes_back(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (_, _, until):
            await until(Merged)
            two[1].close()
            news = await until(Members, lambda news: news.members[1].trouble)
            assert news.members[0] == Member("router")
            assert news.members[1].trouble.startswith("gone: ")
            two[0].push()
            snapshot = await until(Merged, lambda snapshot: len(snapshot.hosts) == 1)
            assert {host for host, _ in hosts_and_ids(snapshot)} == {"router"}
            two[1].listen()
            assert await until(Members, lambda news: not news.members[1].trouble)
            two[0].push()
            assert await until(Merged, lambda snapshot: len(snapshot.hosts) == 2)

    asyncio.run(conversation())


def test_only_where_all_hosts_are_gone_the_daemon_is(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (_, _, until):
            await until(Merged)
            two[0].close()
            await until(Members, lambda news: news.members[0].trouble)
            two[1].close()
            assert await until(Down)
            two[1].listen()
            assert await until(Up)

    asyncio.run(conversation())


def test_a_host_that_is_missing_at_first_joins_when_it_is_there(two: Two) -> None:
    two[1].close()

    async def conversation() -> None:
        async with talk(two) as (_, _, until):
            news = await until(Members)
            assert "no daemon listens" in news.members[1].trouble
            two[1].listen()
            two[0].push()
            assert await until(Merged, lambda snapshot: len(snapshot.hosts) == 2)

    asyncio.run(conversation())


def test_what_somebody_counts_with_is_never_without_a_host(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two, whole=True) as (_, _, until):
            await until(Merged)
            two[1].close()
            assert (await until(Down)).why.startswith("ap: ")
        with pytest.raises(Unavailable, match=r"^ap: no daemon listens"):
            async with talk(two, whole=True):
                pass

    asyncio.run(conversation())


def test_without_any_host_there_is_nothing_to_open(two: Two) -> None:
    for daemon in two:
        daemon.close()

    async def conversation() -> None:
        with pytest.raises(Unavailable, match=r"^router: "):
            async with talk(two):
                pass

    asyncio.run(conversation())


def test_what_is_about_one_flow_goes_to_its_host(tmp_path: Path) -> None:
    deeds = Deeds(), Deeds()
    with (
        ScriptedDaemon(str(tmp_path / "router"), [flow(3)], answer=deeds[0]) as one,
        ScriptedDaemon(str(tmp_path / "ap"), [flow(3)], answer=deeds[1]) as other,
    ):

        async def conversation() -> None:
            async with talk((one, other)) as (many, _, until):
                many.watch("3@ap")
                detail = await until(Detail)
                assert detail.id == "3@ap"
                assert detail.flow is not None
                assert detail.flow["host"] == "ap"
                many.tell(Delete("3@ap"))
                other.wait_for(lambda: Delete("3") in other.got)

        asyncio.run(conversation())
        assert FlowRequest("3") in other.got
        assert Delete("3") in other.got
        assert FlowRequest("3") not in one.got
        assert Delete("3") not in one.got


def test_what_is_about_no_flow_goes_to_all(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (many, _, _):
            many.tell(Seek(seconds=1.0))
            for daemon in two:
                await asyncio.to_thread(_hear, daemon, Seek(seconds=1.0))

    asyncio.run(conversation())


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    mistake = Error(ErrorCode.FILTER, "a word is missing", 3)
    with (
        ScriptedDaemon(str(tmp_path / "router"), [], answer=refusing(mistake)) as one,
        ScriptedDaemon(str(tmp_path / "ap"), [], answer=refusing(mistake)) as other,
    ):

        async def conversation() -> None:
            async with talk((one, other)) as (many, _, until):
                assert await until(Error) == mistake
                for daemon in (one, other):
                    await asyncio.to_thread(_hear, daemon, query_of_host(QUERY))
                one.close()
                other.close()
                # what the second daemon said comes before its end
                assert isinstance(await until(Error | Down), Down)
                one.listen()
                assert await until(Up)
                many.ask(Query(tag=2))
                assert await until(Error) == mistake

        asyncio.run(conversation())


def test_rights_are_those_of_each_host(two: Two) -> None:
    async def conversation() -> None:
        async with talk(two) as (many, _, until):
            assert (await until(Members)).members == (Member("router"), Member("ap"))
            assert many.target is None

    asyncio.run(conversation())
