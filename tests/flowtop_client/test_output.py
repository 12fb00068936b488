"""The mode without a screen: statuses, and what is said beside the output."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from flowtop_client.cli import main
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Error
from tests.flowtop_client.conftest import MakeDaemon
from tests.flowtop_client.scripted_daemon import flow, refusing

FLOWTOP = [sys.executable, "-m", "flowtop_client"]


def test_a_filter_that_only_the_daemon_refuses_is_shown_in_the_same_way(
    make_daemon: MakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = make_daemon(answer=refusing(Error(ErrorCode.FILTER, "no such word", 8)))
    assert main(["--once", "--socket", daemon.path, "-f", "tcp and udp"]) == 2
    assert capsys.readouterr().err.splitlines() == ["flowtop: no such word", "  tcp and udp", " " * 10 + "^"]


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


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_locale_without_arrows_gets_those_of_ascii_as_the_screen_does(make_daemon: MakeDaemon, encoding: str) -> None:
    daemon = make_daemon([flow(1, dst_name="例え.example.jp")])
    done = subprocess.run(
        [*FLOWTOP, "--once", "--text", "--socket", daemon.path],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE,
        check=True,
    )
    titles = done.stdout.splitlines()[0].split()
    assert {b">BYTES", b"<BYTES", b">RATE", b"<RATE"} <= set(titles)
    assert b"?BYTES" not in titles
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
