"""flowtopd.enrich.rdns with the real resolver of this host: a hosts file, dnsmasq, and servers that hang and lie."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowtopd.enrich.rdns.resolver import Limits
from testbed import conntrack
from testbed.dns import NO_SUCH_NAME, REFUSED, SERVER_FAILURE, TRUNCATED, Dnsmasq, Query, ScriptedServer, wire_name
from testbed.netns import Namespace, wait_until
from tests.flowtopd.enrich.rdns.agents import Agent

pytestmark = pytest.mark.kernel

WEB, MAIL, NAS, NOBODY = "192.0.2.1", "2001:db8::25", "192.168.1.7", "192.0.2.99"
THREADS = Limits().threads


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made


@pytest.fixture
def agent(host: Namespace, tmp_path: Path) -> Iterator[Agent]:
    with Agent(host, tmp_path) as made:
        yield made


@pytest.fixture
def hurried(host: Namespace, tmp_path: Path) -> Iterator[Agent]:
    """Its resolver gives up after a second."""
    with Agent(host, tmp_path, options="timeout:1 attempts:1", hosts=b"192.168.1.7 nas\n") as made:
        yield made


def test_names_of_both_families_and_that_there_is_none_are_asked_for_once(
    host: Namespace, agent: Agent, tmp_path: Path
) -> None:
    with Dnsmasq(host, tmp_path, {WEB: "web.example", MAIL: "mail.example", NAS: "nas.lan"}) as server:
        expected = {WEB: "web.example", MAIL: "mail.example", NAS: "nas.lan", NOBODY: None}
        for _ in range(3):
            assert agent.names(WEB, MAIL, NAS, NOBODY) == expected
        assert [server.asked(address) for address in expected] == [1, 1, 1, 1]
        assert len(agent.ask("lookups")) == 4


def test_the_hosts_file_comes_first(host: Namespace, tmp_path: Path) -> None:
    hosts = b"192.0.2.1 web.home web\n2001:db8::25 mailbox\n"
    with (
        Dnsmasq(host, tmp_path, {WEB: "web.example", NAS: "nas.lan"}) as server,
        Agent(host, tmp_path, hosts=hosts) as agent,
    ):
        assert agent.names(WEB, MAIL, NAS) == {WEB: "web.home", MAIL: "mailbox", NAS: "nas.lan"}
        assert [server.asked(address) for address in (WEB, MAIL, NAS)] == [0, 0, 1]


def test_rubbish_in_the_hosts_file_is_no_name(host: Namespace, tmp_path: Path) -> None:
    lines = [b"\033[31mred", b"\xff\xfenot-utf-8", "grün".encode(), b"a" * 1100, b"8.8.8.8", b"x" * 300, b"-rf"]
    hosts = b"".join(b"192.0.2.%d %s\n" % (number, name) for number, name in enumerate([*lines, b"fine"]))
    with Agent(host, tmp_path, hosts=hosts) as agent:
        addresses = [f"192.0.2.{number}" for number in range(len(lines) + 1)]
        assert agent.names(*addresses) == dict.fromkeys(addresses) | {addresses[-1]: "fine"}


def test_a_server_that_does_not_answer_one_question_delays_nothing_but_that_name(host: Namespace, agent: Agent) -> None:
    held: list[Query] = []

    def answer(query: Query) -> None:
        if query.address == WEB:
            held.append(query)
        else:
            query.reply(query.names([b"other", b"example"]))

    others = {f"10.0.0.{number}": "other.example" for number in range(100)}
    with ScriptedServer(host, answer):
        agent.ask("want", [WEB, *others])
        assert agent.told(100) == others
        wait_until(lambda: bool(held))  # of the first four any may be sent last
        held[0].reply(held[0].names([b"web", b"example"]))
        assert agent.told(1) == {WEB: "web.example"}


def test_stop_does_not_wait_for_a_lookup_that_hangs(host: Namespace, agent: Agent) -> None:
    held: list[Query] = []
    addresses = [f"10.0.0.{number}" for number in range(100)]
    with ScriptedServer(host, held.append) as server:
        agent.ask("want", addresses)
        wait_until(lambda: len(server.asked) == THREADS)
        assert agent.ask("stop") < 1.0
        assert agent.ask("threads") == THREADS
        for query in held:
            query.reply(query.nothing())
        wait_until(lambda: agent.ask("threads") == 0)
        assert set(server.asked) == set(addresses[:THREADS])


def test_a_dead_server_is_asked_by_one_at_a_time_until_it_lives(host: Namespace, hurried: Agent) -> None:
    def answer(query: Query) -> None:
        if len(server.asked) > THREADS:
            query.reply(query.names([b"alive", b"example"]))

    addresses = [f"10.0.0.{number}" for number in range(100)]
    with ScriptedServer(host, answer) as server:
        hurried.ask("want", addresses)
        wait_until(lambda: len(server.asked) == THREADS)
        # the four give up, there is a pause, and the next one is answered
        assert hurried.told(100 - THREADS) == dict.fromkeys(addresses[THREADS:], "alive.example")
        assert len(server.asked) == 100


def test_where_nobody_listens_names_of_the_hosts_file_are_there_and_the_others_come_later(
    host: Namespace, hurried: Agent, tmp_path: Path
) -> None:
    addresses = [f"10.0.0.{number}" for number in range(200)]
    hurried.ask("want", [*addresses, NAS])
    assert hurried.told(1) == {NAS: "nas"}
    with Dnsmasq(host, tmp_path, {"10.0.0.7": "late.example"}):
        hurried.ask("want", ["10.0.0.7"])
        assert hurried.ask("take") == {}, "a failure is left alone for ten seconds"
        hurried.ask("forget")
        assert hurried.names("10.0.0.7") == {"10.0.0.7": "late.example"}


FINE = wire_name([b"web", b"example"])
LONGEST = [b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61]

NAMES: dict[str, tuple[list[bytes], str | None]] = {
    "one": ([FINE], "web.example"),
    "two": ([FINE, wire_name([b"other", b"example"])], "web.example"),
    "punycode": ([wire_name([b"xn--80ak6aa92e", b"com"])], "xn--80ak6aa92e.com"),
    "an underscore": ([wire_name([b"under_score", b"example"])], "under_score.example"),
    "253 letters": ([wire_name(LONGEST)], b".".join(LONGEST).decode()),
    "colours": ([wire_name([b"\x1b[31mred", b"example"])], None),
    "a new line": ([wire_name([b"two\nlines", b"example"])], None),
    "a null": ([wire_name([b"nul\0nul", b"example"])], None),
    "no text": ([wire_name([b"\xff\xfe\x80", b"example"])], None),
    "other letters": ([wire_name(["\u0430pple".encode(), b"com"])], None),
    "a dot in a label": ([wire_name([b"www.bank.example", b"evil", b"example"])], None),
    "255 bytes of rubbish": ([wire_name([bytes(range(first, first + 62)) for first in (1, 63, 125, 187)])], None),
    "an option": ([wire_name([b"-rf", b"example"])], None),
    "a space": ([wire_name([b"two words", b"example"])], None),
    "an address": ([wire_name([b"8", b"8", b"8", b"8"])], None),
    "the question again": ([b"\xc0\x0c"], None),
    "the root": ([wire_name([])], None),
    "none": ([], None),
    "a pointer to nowhere": ([b"\xff\xff"], None),
    "a pointer that is cut": ([b"\xc0"], None),
    "a label that is cut": ([b"\x3fshort"], None),
}
"""What the records of an answer hold, and what is shown."""


def test_what_a_server_says_is_shown_as_it_is_or_not_at_all(host: Namespace, agent: Agent) -> None:
    cases = {f"192.0.2.{number}": case for number, case in enumerate(NAMES)}
    with ScriptedServer(host, lambda query: query.reply(query.records(*NAMES[cases[query.address]][0]))):
        found = agent.names(*cases)
    assert {cases[address]: name for address, name in found.items()} == {
        case: expected for case, (_, expected) in NAMES.items()
    }


def pointer_loop(query: Query) -> bytes:
    """The name in the answer is a pointer to itself."""
    at = len(query.records(b""))
    return query.records(bytes([0xC0 | at >> 8, at & 0xFF]))


NOT_MEANT: dict[str, Callable[[Query], bytes]] = {
    "another number": lambda query: query.records(wire_name([b"lie", b"example"]), number=query.number ^ 1),
    "another question": lambda query: query.message[:2] + bytes(200),
}


def test_an_answer_to_another_question_is_passed_over(host: Namespace, agent: Agent) -> None:
    def answer(query: Query) -> None:
        query.reply(cases[query.address](query))
        query.reply(query.names([b"truth", b"example"]))

    cases = {f"192.0.2.{number}": lie for number, lie in enumerate(NOT_MEANT.values())}
    with ScriptedServer(host, answer):
        assert agent.names(*cases) == dict.fromkeys(cases, "truth.example")


def test_a_name_that_goes_round_in_circles_is_none(host: Namespace, agent: Agent) -> None:
    with ScriptedServer(host, lambda query: query.reply(pointer_loop(query))):
        assert agent.names(WEB) == {WEB: None}


FAILURES: dict[str, Callable[[Query], bytes]] = {
    "SERVFAIL": lambda query: query.nothing(SERVER_FAILURE),
    "REFUSED": lambda query: query.nothing(REFUSED),
    "a few bytes": lambda query: query.message[:5],
    "the question sent back": lambda query: query.message,
    "to be asked again by TCP, where nobody listens": lambda query: query.nothing(TRUNCATED),
}


def test_a_failure_says_nothing_and_the_next_question_is_answered(host: Namespace, agent: Agent) -> None:
    def answer(query: Query) -> None:
        query.reply(cases[query.address](query) if query.address in cases else query.names([b"web", b"example"]))

    cases = {f"10.0.0.{number}": failure for number, failure in enumerate(FAILURES.values())}
    with ScriptedServer(host, answer):
        agent.ask("want", [*cases])
        wait_until(lambda: len(agent.ask("lookups")) == len(cases))
        assert agent.names(WEB) == {WEB: "web.example"}
        agent.ask("want", [*cases, WEB])
        assert agent.ask("take") == {WEB: "web.example"}


def test_the_flows_of_its_questions_begin_while_one_was_under_way(namespace: Namespace, tmp_path: Path) -> None:
    """By this the daemon's own flows are known whose sockets nobody has seen."""
    names = {f"192.0.2.{number}": f"host-{number}.example" for number in range(50)}
    with Dnsmasq(namespace, tmp_path, names), Agent(namespace, tmp_path) as agent:
        assert agent.names(*names) == names
        spans = agent.ask("lookups")
        flows = [entry["start_ns"] for entry in conntrack.listing(namespace) if entry["dport"] == 53]
    assert 45 <= len(flows) <= 50  # two questions from one port are one flow: once in 20 runs
    assert all(any(begin <= start <= end for begin, end in spans) for start in flows)


def test_that_there_is_no_such_name_is_an_answer(host: Namespace, agent: Agent) -> None:
    with ScriptedServer(host, lambda query: query.reply(query.nothing(NO_SUCH_NAME))) as server:
        for _ in range(3):
            assert agent.names(NOBODY) == {NOBODY: None}
        assert server.asked == [NOBODY]
