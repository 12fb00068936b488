import asyncio
import contextlib
import socket
from collections.abc import Callable

from flowtopd.session.turns import Turns

Task = asyncio.Task[None]


class Order:
    """Who had a turn, in order."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.had: list[str] = []

    async def take(self, name: str, has_asked: Callable[[], bool]) -> None:
        async with self.turns.turn(has_asked):
            self.had.append(name)

    async def hold(self, release: asyncio.Event) -> None:
        async with self.turns.turn(lambda: False):
            await release.wait()


def woken() -> bool:
    return False


def asking() -> bool:
    return True


def order_of(wanted: list[tuple[str, Callable[[], bool]]], meanwhile: Callable[[list[Task]], object] = len) -> str:
    """In which order those have their turns who came, in this order, while one was taken. `meanwhile`: all wait."""

    async def run() -> str:
        order, release = Order(), asyncio.Event()
        async with asyncio.timeout(5):
            async with asyncio.TaskGroup() as group:
                group.create_task(order.hold(release))
                tasks = [group.create_task(order.take(name, has_asked)) for name, has_asked in wanted]
                await asyncio.sleep(0)  # now one holds the turn, and the others wait
                meanwhile(tasks)
                release.set()
            await order.take(".", woken)
        return "".join(order.had)

    return asyncio.run(run())


def test_turns_come_in_the_order_in_which_they_were_waited_for() -> None:
    assert order_of([("a", woken), ("b", woken), ("c", woken)]) == "abc."
    assert order_of([("a", asking), ("b", asking), ("c", asking)]) == "abc."


def test_who_has_asked_goes_before_whom_a_tick_has_woken() -> None:
    assert order_of([("a", woken), ("b", woken), ("K", asking)]) == "Kab."


def test_nobody_is_passed_by_twice_in_a_row() -> None:
    assert order_of([("a", woken), ("b", woken), ("K", asking), ("L", asking), ("M", asking)]) == "KaLbM."


def test_one_may_ask_while_one_waits_already() -> None:
    pressed: list[bool] = []
    assert order_of([("a", woken), ("K", lambda: bool(pressed))], lambda _tasks: pressed.append(True)) == "Ka."


def test_who_leaves_while_waiting_holds_up_nobody() -> None:
    assert order_of([("a", woken), ("b", woken), ("c", woken)], lambda tasks: tasks[0].cancel()) == "bc."


def test_who_leaves_with_the_turn_just_given_holds_up_nobody() -> None:
    leaving: list[Task] = []

    def given() -> bool:  # this is asked when the turn is given, and the task learns of it later than of its end
        asyncio.get_running_loop().call_soon(leaving[0].cancel)
        return True

    assert order_of([("a", given), ("b", woken)], leaving.extend) == "b."


def test_a_message_that_comes_in_while_a_turn_is_had_is_in_time_for_the_next() -> None:
    async def run() -> list[str]:
        order, release = Order(), asyncio.Event()
        here, there = socket.socketpair()
        with there:
            reader, writer = await asyncio.open_unix_connection(sock=here)
            heard = asyncio.Event()

            async def read() -> None:
                await reader.read(1)
                heard.set()

            async def answer() -> None:
                await heard.wait()
                await order.take("K", asking)

            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                for each in (order.hold(release), read(), answer(), order.take("a", woken), order.take("b", woken)):
                    group.create_task(each)
                await asyncio.sleep(0)
                there.send(b"k")
                release.set()
            writer.close()
        return order.had

    assert asyncio.run(run()) == ["K", "a", "b"]


def test_a_turn_that_fails_is_passed_on() -> None:
    async def run() -> None:
        turns = Turns()
        with contextlib.suppress(ValueError):
            async with turns.turn(woken):
                raise ValueError
        async with asyncio.timeout(5), turns.turn(woken):
            pass

    asyncio.run(run())
