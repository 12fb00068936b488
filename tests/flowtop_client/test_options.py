"""From argv to Options, and what is refused because it does not go together."""

from pathlib import Path
from typing import Any

import pytest

from flowtop_client.cli import main
from flowtop_client.formats import Format
from flowtop_client.options import parse
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup
from flowtopd.wire.demo import DEMO
from flowtopd.wire.messages import Family, View

P = ProtocolGroup


def state(*argv: str) -> Any:
    return parse(argv, terminal=True).state


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), {"protocols": {P.TCP}, "families": (Family.IPV4, Family.IPV6), "sort": "rate", "descending": True}),
        (("-4",), {"families": (Family.IPV4,)}),
        (("-6",), {"families": (Family.IPV6,)}),
        (("--ipv6", "--ipv4"), {"families": (Family.IPV4, Family.IPV6)}),
        (("-U",), {"protocols": {P.UDP}}),
        (("--tcp", "--udp", "--dccp", "--icmp", "--sctp"), {"protocols": ALL_PROTOCOLS - {P.OTHER}}),
        (("--all",), {"protocols": ALL_PROTOCOLS}),
        (("-46UTDISs",), {"protocols": ALL_PROTOCOLS - {P.OTHER}, "source": True}),
        (("-nGsb",), {"names": False, "geoip": False, "source": True, "bits": True}),
        (("--no-dns", "--no-geoip", "--show-src", "--bits"), {"names": False, "geoip": False, "bits": True}),
        (("-t", "0.1"), {"interval": 0.1}),
        (("-t3600",), {"interval": 3600.0}),
        (("--interval", "2"), {"interval": 2.0}),
        (("--loopback",), {"loopback": True}),
        (("--sort", "dst"), {"sort": "dst", "descending": False}),
        (("--sort", "bytes"), {"sort": "bytes", "descending": True}),
        (("--sort", "rate:asc"), {"sort": "rate", "descending": False}),
        (("--sort", "dst:desc"), {"sort": "dst", "descending": True}),
        ((), {"view": View.FLOWS, "filter": "", "history": ()}),
        (("--view", "processes"), {"view": View.PROCESSES, "sort": "rate"}),
        (("--view", "hosts", "--sort", "flows"), {"view": View.HOSTS, "sort": "flows", "descending": True}),
        (("--sort", "name", "--view", "hosts"), {"sort": "name", "descending": False}),
        (("-f", " tcp or udp "), {"filter": "tcp or udp", "history": ("tcp or udp",)}),
        (("--filter", "port 443"), {"filter": "port 443"}),
    ],
)
def test_the_options_of_the_classic_tool_and_ours_are_understood(
    argv: tuple[str, ...], expected: dict[str, Any]
) -> None:
    given = state(*argv)
    assert {name: getattr(given, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("argv", "terminal", "form"),
    [
        ((), True, None),
        ((), False, Format.TEXT),
        (("--once",), True, Format.TEXT),
        (("--json",), True, Format.JSON),
        (("--json",), False, Format.JSON),
        (("--csv", "--once"), True, Format.CSV),
        (("--text",), True, Format.TEXT),
    ],
)
def test_without_a_terminal_text_is_the_default(argv: tuple[str, ...], terminal: bool, form: Format | None) -> None:
    assert parse(argv, terminal=terminal).form is form


def test_a_limit_is_for_output_and_the_screen_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["--limit", "3"], terminal=False).limit == 3
    assert parse(["--limit", "3", "--once"], terminal=True).limit == 3
    with pytest.raises(SystemExit):
        parse(["--limit", "3"], terminal=True)
    assert "--limit is for output, as with --once or --json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--jsno"], "unknown option --jsno\nflowtop: did you mean --json?"),
        (["-x"], "unknown option -x"),
        (["eth0"], "unexpected argument 'eth0'"),
        (["-t", "0"], "-t/--interval: '0' is no number of seconds from 0.1 to 3600"),
        (["-t", "0.09"], "from 0.1 to 3600"),
        (["-t", "3601"], "from 0.1 to 3600"),
        (["-t", "fast"], "'fast' is no number"),
        (["-t", "nan"], "'nan' is no number"),
        (["-t", "inf"], "'inf' is no number"),
        (["--mean", "3"], "--mean: '3' is none of 2, 10 and 40 seconds"),
        (["--mean", "long"], "'long' is none of 2, 10 and 40 seconds"),
        (["--sort", "rte"], "--sort: 'rte' is no sort field: did you mean 'rate'?"),
        (["--sort", "Ω"], "some that are: rate, bytes"),
        (["--sort", "rate:up"], "'up' is no order: rate:asc or rate:desc"),
        (["--sort", "rate:"], "'' is no order"),
        (["--limit", "0"], "'0' is no number of rows, 1 or more"),
        (["--view", "proceses"], "'proceses' is no view: did you mean 'processes'?"),
        (["--view", "x"], "'x' is no view: flows, processes, devices, hosts"),
        (["--view", "hosts", "--sort", "dport"], "--sort: 'dport' is no sort field of hosts: "),
        (["--view", "hosts", "--sort", "Ω"], "some that are: rate, bytes, flows"),
        (["--view", "hosts", "--sort", "filter"], "'filter' is no sort field of hosts"),
        (["--view", "countries", "-G"], "--no-geoip and --view countries: nothing would be left"),
        (["--limit", "-3"], "--limit"),
        (["--limit", "1.5"], "'1.5' is no number of rows"),
        (["--json", "--csv"], "not allowed with"),
        (["-H", "-oProxyCommand=reboot"], "argument -H/--host: expected one argument"),
        (["--host=-oProxyCommand=reboot"], "'-oProxyCommand=reboot' has no host that ssh could take"),
        (["-H", "two words"], "'two words' has no host"),
        (["-H", "router", "-H", "ap", "-H", "ssh://router"], "--host ssh://router: it is there twice"),
        (["-H", "router", "--standalone"], "--host shows the daemon of another host"),
        (["-H", "router", "--activate"], "--host shows the daemon of another host"),
        (["-H", "router", "--demo"], "--host shows the daemon of another host"),
        (["-H", "router", "--socket", "here.sock"], "PATH is an absolute one at the host"),
        (["-H", "router", "--socket", "/a:b"], "PATH is an absolute one at the host"),
        (["-H", "router", "-H", "ap", "--record", "/x"], "--record and several --host: it is for one host at a time"),
        (["-H", "router", "-H", "ap", "-u"], "--update and several --host: it is for one host at a time"),
        (["-H", "router", "-H", "ap", "--format", "openmetrics"], "metrics are those of one host"),
        (["--standalone", "--socket", "/x"], "a private daemon has no socket"),
        (["--replay", "/x", "--socket", "/x"], "a recording is shown without a daemon"),
        (["--demo", "--standalone"], "a recording is shown without a daemon"),
        (["--demo", "-u"], "a recording is shown without a daemon"),
        (["--demo", "--replay", "/x"], "not allowed with"),
        (["--record", "/x", "--replay", "/x"], "not allowed with"),
        (["--record", "/x", "--json"], "`flowtop --replay FILE --json`"),
        (["--view", "devices", "--exit-if", "tcp"], "--exit-if: devices cannot be asked for 'tcp', flows can: -f"),
        (["--record", "/x", "--exit-if", "tcp"], "--record and --exit-if: it is for"),
        (["--record", "/x", "--limit", "9"], "--record and --limit: it is for"),
        (["-u", "--record", "/x"], "--update shows no flows"),
        (["-u", "--once"], "--update shows no flows"),
        (["-u", "--json"], "--update shows no flows"),
        (["--speed", "2"], "--speed is that of --replay FILE or --demo"),
        (["--demo", "--speed", "0"], "--speed: '0' is no speed from 0.1 to 100"),
        (["--demo", "--speed", "nan"], "'nan' is no speed"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert 1 <= err.count("\n") <= 2
    assert all(line.startswith("flowtop: ") for line in err.splitlines())


def test_of_several_hosts_the_screen_begins_with_their_names() -> None:
    assert [host.name for host in state("-H", "alice@router:22", "-H", "ap").hosts] == ["router", "ap"]
    assert state("-H", "alice@router").hosts == ()


def test_a_recording_is_an_option_and_the_demo_is_one() -> None:
    given = parse(["--replay", "x.flowtop", "--speed", "2.5"], terminal=True)
    assert (given.replay, given.speed, given.record) == (Path("x.flowtop"), 2.5, None)
    assert parse(["--demo"], terminal=True).replay == DEMO
    assert parse(["--record", "x"], terminal=True).record == Path("x")
