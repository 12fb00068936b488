import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowtop_client.batch import Format
from flowtop_client.cli import DEFAULT_SOCKET, main, parse
from flowtop_client.connection.advice import for_no_daemon
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup
from flowtopd.replay.recorder import sample_of
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.fields import EXTRA_FIELDS
from flowtopd.wire.messages import Error, Family, View
from flowtopd.wire.recording_file import DEMO, open_recording
from testbed.netns import wait_until
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import flow, refusing
from tests.flowtopd.batches import Flow, tick
from tests.flowtopd.wire.recorded import written

P = ProtocolGroup
SHORT = (
    "-4",
    "-6",
    "-T",
    "-U",
    "-D",
    "-I",
    "-S",
    "-n",
    "-G",
    "-s",
    "-b",
    "-t",
    "-u",
    "-v",
    "-h",
    "--all",
    "--once",
    "--json",
)
LONG = (
    *("--ipv4", "--ipv6", "--tcp", "--udp", "--dccp", "--icmp", "--sctp", "--no-dns", "--no-geoip", "--show-src"),
    *("--bits", "--interval", "--csv", "--text", "--sort", "--limit", "--socket", "--standalone", "--loopback"),
    *("--update", "--record", "--replay", "--demo", "--speed"),
)
FLOWTOP = [sys.executable, "-m", "flowtop_client"]


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


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "tcp and port 1-",
            ["flowtop: filter: port wants a whole number, or two as 1-1024", "  tcp and port 1-", " " * 15 + "^"],
        ),
        ("tcp and", ["flowtop: filter: a condition is missing at the end", "  tcp and", "         ^"]),
        ("例え (", ["flowtop: filter: a condition is missing at the end", "  例え (", " " * 8 + "^"]),
        ("tcp\x1b[2J (", ["flowtop: filter: a condition is missing at the end", "  tcp?[2J (", " " * 11 + "^"]),
    ],
)
def test_a_wrong_filter_is_shown_with_the_place_before_anything_is_connected(
    text: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--once", "--socket", "/nowhere", "-f", text])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == lines


def test_of_a_long_filter_the_part_around_the_mistake_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["-f", "port 443 or " * 100 + "port 1- or port 80" * 40])
    _, shown, mark = capsys.readouterr().err.splitlines()
    assert len(shown) <= 80
    assert shown[mark.index("^") :].startswith("1-")


def test_a_filter_that_only_the_daemon_refuses_is_shown_in_the_same_way(
    make_daemon: MakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = make_daemon(answer=refusing(Error(ErrorCode.FILTER, "no such word", 8)))
    assert main(["--once", "--socket", daemon.path, "-f", "tcp and udp"]) == 2
    assert capsys.readouterr().err.splitlines() == ["flowtop: no such word", "  tcp and udp", " " * 10 + "^"]


def test_help_lists_every_option_and_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(["-h"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for option in [
        "-4",
        "-6",
        "-T",
        "-U",
        "-D",
        "-I",
        "-S",
        "-n",
        "-G",
        "-s",
        "-b",
        "-t",
        "-v",
        "-h",
        "--all",
        "--once",
        "--json",
        "--csv",
        "--text",
        "--sort",
        "--limit",
        "--view",
        "-f",
    ]:
        assert f"{option} " in text or f"{option}," in text or f"{option}\n" in text
    for option in [
        "--ipv4",
        "--ipv6",
        "--tcp",
        "--udp",
        "--dccp",
        "--icmp",
        "--sctp",
        "--no-dns",
        "--no-geoip",
        "--show-src",
        "--bits",
    ]:
        assert option in text


def test_of_several_hosts_the_screen_begins_with_their_names() -> None:
    assert [host.name for host in state("-H", "alice@router:22", "-H", "ap").hosts] == ["router", "ap"]
    assert state("-H", "alice@router").hosts == ()


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("flowtop ")


def test_no_daemon_is_one_line_what_helps_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none.sock")
    assert main(["--once", "--socket", path]) == 1
    assert capsys.readouterr().err == f"flowtop: no daemon listens on {path}\nflowtop: {for_no_daemon()}\n"


def test_a_socket_out_of_the_environment_is_said_to_be_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWTOP_SOCKET", str(tmp_path / "none.sock"))
    assert main(["--once"]) == 1
    assert capsys.readouterr().err.startswith(f"flowtop: no daemon listens on {tmp_path}/none.sock ($FLOWTOP_SOCKET)\n")


def test_the_environment_names_the_socket(
    make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWTOP_SOCKET", make_daemon().path)
    assert main(["--once", "--json", "--limit", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["flows"]) == 2


def test_standalone_is_for_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--standalone", "--once"]) == 1
    assert capsys.readouterr().err.startswith("flowtop: --standalone needs root")


class _ScriptedPrivateDaemon:
    """What `PrivateDaemon` is to the command line: a socket, and last words."""

    def __init__(self, viewer: socket.socket, last_words: str) -> None:
        self.viewer = viewer
        self._last_words = last_words

    def stop(self) -> str:
        self.viewer.close()
        return self._last_words


def test_root_without_a_daemon_gets_a_private_one(
    make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    daemon = make_daemon(host="private")
    ours, theirs = socket.socketpair()
    daemon.serve(theirs)
    monkeypatch.delenv("FLOWTOP_SOCKET", raising=False)
    monkeypatch.setattr("flowtop_client.cli.DEFAULT_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr("flowtop_client.cli.PrivateDaemon", lambda _command: _ScriptedPrivateDaemon(ours, ""))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["host"] == "private"


def test_a_private_daemon_that_fails_is_quoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    monkeypatch.setattr(
        "flowtop_client.cli.PrivateDaemon", lambda _command: _ScriptedPrivateDaemon(ours, "flowtopd: no conntrack here")
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--standalone", "--once"]) == 1
    assert capsys.readouterr().err == "flowtop: the private daemon failed: flowtopd: no conntrack here\n"


def test_a_named_socket_never_falls_back_to_a_private_daemon(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["--once", "--socket", str(tmp_path / "none.sock")]) == 1
    assert "no daemon listens" in capsys.readouterr().err


def test_the_default_socket_is_the_documented_one() -> None:
    assert DEFAULT_SOCKET == "/run/flowtop/flowtop.sock"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Error(ErrorCode.SORT, "no sort field 'x'"), 2, "flowtop: no sort field 'x'\n"),
        (Error(ErrorCode.FILTER, "a closing bracket is missing", 9), 2, "flowtop: a closing bracket is missing\n"),
        (Error(ErrorCode.BUSY, "no more viewers"), 1, "flowtop: the daemon says: no more viewers\n"),
    ],
)
def test_a_query_that_the_daemon_refuses_is_a_mistake_of_the_user_and_anything_else_is_not(
    make_daemon: MakeDaemon, capsys: pytest.CaptureFixture[str], error: Error, status: int, said: str
) -> None:
    daemon = make_daemon(answer=refusing(error))
    assert main(["--once", "--socket", daemon.path]) == status
    captured = capsys.readouterr()
    assert captured.err.endswith(said)
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_a_reader_that_leaves_is_no_failure(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    with subprocess.Popen(
        [*FLOWTOP, "--text", "--socket", daemon.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flowtop:
        assert flowtop.stdout is not None
        assert flowtop.stderr is not None
        assert flowtop.stdout.readline().startswith(b"PROCESS")
        flowtop.stdout.close()
        while flowtop.poll() is None:
            daemon.push()
            try:
                flowtop.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert flowtop.stderr.read() == b""
    assert flowtop.returncode == 0


def test_ctrl_c_ends_batch_output_with_130_and_no_traceback(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    with subprocess.Popen(
        [*FLOWTOP, "--json", "--socket", daemon.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flowtop:
        assert flowtop.stdout is not None
        assert flowtop.stderr is not None
        assert json.loads(flowtop.stdout.readline())["seq"] == 1
        flowtop.send_signal(signal.SIGINT)
        assert flowtop.wait(20) == 130
        assert flowtop.stderr.read() == b""


def test_a_locale_without_arrows_gets_question_marks(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([flow(1, dst_name="例え.example.jp")])
    done = subprocess.run(
        [*FLOWTOP, "--once", "--text", "--socket", daemon.path],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert b"?BYTES" in done.stdout
    assert b" ??.example.jp " in done.stdout


def test_batch_output_never_imports_the_screen(make_daemon: MakeDaemon) -> None:
    program = """
    import sys
    from flowtop_client.cli import main
    assert main(sys.argv[1:]) == 0
    assert not {"prompt_toolkit", "numpy", "pyroute2"} & set(sys.modules), sorted(sys.modules)
    """
    body = "\n".join(line.strip() for line in program.splitlines())
    arguments = ["--once", "--json", "--socket", make_daemon().path]
    subprocess.run([sys.executable, "-c", body, *arguments], check=True, stdout=subprocess.DEVNULL)


# recordings


def test_a_recording_is_an_option_and_the_demo_is_one() -> None:
    given = parse(["--replay", "x.flowtop", "--speed", "2.5"], terminal=True)
    assert (given.replay, given.speed, given.record) == (Path("x.flowtop"), 2.5, None)
    assert parse(["--demo"], terminal=True).replay == DEMO
    assert parse(["--record", "x"], terminal=True).record == Path("x")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"nothing of ours", "this is no recording of flowtop"),
        (written([]), "there is nothing in it"),
    ],
    ids=["absent", "other", "empty"],
)
def test_a_file_that_cannot_be_shown_is_one_line(
    content: bytes | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.flowtop"
    if content is not None:
        path.write_bytes(content)
    assert main(["--replay", str(path), "--json"]) == 1
    assert capsys.readouterr().err == f"flowtop: {path}: {why}\n"


def test_a_recording_is_shown_by_a_private_daemon_without_root(tmp_path: Path) -> None:
    """The real one, as the user nobody: neither the kernel nor any file but the recording is needed."""
    path = tmp_path / "x.flowtop"
    path.write_bytes(written([sample_of(tick(Flow()), 0.0), sample_of(tick(Flow(), Flow(sport=7, ctid=2)), 0.2)]))
    done = replayed(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    snapshots = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(each["flows"]) for each in snapshots] == [1, 2]
    assert snapshots[0]["flows"][0]["dst"] == "1.1.1.1"
    assert snapshots[0]["host"] == "router"


def test_a_cut_recording_plays_to_the_break_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.flowtop"
    path.write_bytes(written([sample_of(tick(Flow()), 0.0), sample_of(tick(Flow(sport=7, ctid=2)), 0.2)])[:-3])
    done = replayed(path, "--json")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert re.fullmatch(r"flowtop: the recording is broken at byte \d+, after 0.0 s: it is cut there\n", done.stderr)


def test_the_demo_shows_devices_names_and_processes() -> None:
    done = replayed(DEMO, "--json", "--all", "--once", option="--demo")
    assert done.returncode == 0, done.stderr
    flows = json.loads(done.stdout)["flows"]
    assert {"laptop", "living-room-tv", "router"} <= {flow["device"] for flow in flows}
    assert {"unbound"} <= {flow["process"] for flow in flows}
    assert "cache7.video.example" in {flow["dst_name"] for flow in flows}
    assert DEMO.stat().st_size < 200_000


def replayed(path: Path, *options: str, option: str = "--replay") -> subprocess.CompletedProcess[str]:
    """Run the viewer with nobody's rights, where it can read the program."""
    argv = [*FLOWTOP, option, *([str(path)] if option == "--replay" else []), "-t", "0.1", *options]
    if os.geteuid() == 0:
        path.chmod(0o644)
        argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *argv]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_recording_ends_with_ctrl_c_and_a_word_about_it(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = make_daemon([flow(1, **dict.fromkeys(field.name for field in EXTRA_FIELDS))])
    path = tmp_path / "x.flowtop"
    with subprocess.Popen(
        [*FLOWTOP, "--record", str(path), "--socket", daemon.path], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as flowtop:
        wait_until(lambda: path.exists() and path.stat().st_size > len(written([])) + 20)
        flowtop.send_signal(signal.SIGINT)
        assert flowtop.wait(20) == 0
        assert flowtop.stderr is not None
        assert re.search(rb"x.flowtop: 1 snapshots of up to 1 flows in 0 s, \d+ bytes\n", flowtop.stderr.read())
    with open_recording(path) as recording:
        assert (len(recording), recording.trouble) == (1, "")


def run(*options: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """`flowtop` as a shell starts it, with these redirections."""
    command = " ".join([sys.executable, "-m", "flowtop_client", *options, shell])
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ) | environment,
    )


@pytest.mark.parametrize("form", ["--json", "--csv", "--text", "--json --once"])
def test_a_full_disk_is_one_line_and_status_1(make_daemon: MakeDaemon, form: str) -> None:
    done = run("--socket", make_daemon([flow(number) for number in range(1, 500)]).path, form, shell=">/dev/full")
    assert (done.returncode, done.stderr) == (1, "flowtop: cannot write: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_streams_do_no_harm(make_daemon: MakeDaemon, closed: str) -> None:
    done = run("--socket", make_daemon().path, "--once", shell=closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("192.0.2.2" in done.stdout) == (">" not in closed)


def test_what_makes_output_wrong_is_said_on_stderr_once(
    make_daemon: MakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = make_daemon()
    daemon.status = replace(daemon.status, accounting=False, max=3, frozen=2)
    assert main(["--once", "--json", "--socket", daemon.path]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["flows"]) == 3
    assert [line.split(" ")[1] for line in err.splitlines()] == ["table", "accounting"]
    assert main(["--once", "--socket", daemon.path]) == 0
    assert "2 flows are offloaded" in capsys.readouterr().err
    assert main(["--once", "--exit-if", "port 1", "--socket", daemon.path]) == 0
    assert capsys.readouterr().err == ""


def test_activate_is_a_private_daemon_that_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []

    def start(command: tuple[str, ...]) -> _ScriptedPrivateDaemon:
        commands.append(command)
        ours, theirs = socket.socketpair()
        theirs.close()
        return _ScriptedPrivateDaemon(ours, "")

    monkeypatch.setattr("flowtop_client.cli.PrivateDaemon", start)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    main(["--activate", "--once"])
    main(["--standalone", "--once"])
    assert [command[-1] for command in commands] == ["--activate", "flowtopd"]


def test_activate_is_for_root_and_has_no_socket(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--activate", "--once"]) == 1
    assert "`sudo flowtop --activate`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--activate", "--socket", "/s"])
    assert "--activate and --socket" in capsys.readouterr().err
