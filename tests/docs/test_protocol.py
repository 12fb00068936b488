"""docs/protocol.md is true: its tables are the code's, its bytes are what is sent, its example runs."""

import dataclasses
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from flowtopd.wire.codec import decode_viewer, encode_daemon
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.fields import DETAIL_FIELDS, END_FIELDS, EXTRA_FIELDS, FLOW_FIELDS, GROUP_FIELDS, VIEW_FIELDS, Field
from flowtopd.wire.framing import MAX_VIEWER_FRAME, FrameReader
from flowtopd.wire.messages import (
    PROTOCOL_VERSION,
    DaemonMessage,
    Error,
    Hello,
    Query,
    Replay,
    Seek,
    Snapshot,
    Status,
    Totals,
    View,
    ViewerMessage,
    Welcome,
)
from testbed.daemon import Daemon
from testbed.netns import Namespace

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    found = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}$\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def documented_fields(text: str) -> list[tuple[str, str]]:
    """(message, field) for every row; a message is named in its first row only."""
    out, message = [], ""
    for cells in rows(text):
        message = cells[0].strip("`") or message
        out.append((message, cells[1].strip("`")))
    return out


@pytest.mark.parametrize(("heading", "fields"), [("Details of a flow", DETAIL_FIELDS), ("Ends of a flow", END_FIELDS)])
def test_the_fields_of_a_detail_are_the_codes(heading: str, fields: tuple[Field, ...]) -> None:
    assert rows(section(heading)) == [[f"`{field.name}`", field.kind, field.doc] for field in fields]


def test_the_fields_of_a_flow_are_the_codes() -> None:
    fields, extras = section("Fields of a flow").split("Some more")
    for text, declared in ((fields, FLOW_FIELDS), (extras, EXTRA_FIELDS)):
        assert rows(text) == [[f"`{field.name}`", field.kind, field.doc] for field in declared]


def test_the_fields_of_a_group_are_the_codes() -> None:
    views, fields = section("Fields of a group").split("\n| field")
    assert rows(views) == [
        [f"`{view}`", ", ".join(f"`{name}`" for name in names)]
        for view, names in VIEW_FIELDS.items()
        if view is not View.FLOWS
    ]
    assert rows(f"| field{fields}") == [[f"`{field.name}`", field.kind, field.doc] for field in GROUP_FIELDS]


def test_every_view_is_named() -> None:
    (row,) = re.findall(r"^\| \| `view` .*", section("Messages from a viewer"), re.MULTILINE)
    assert [view for view in View if f"`{view}`" not in row] == []


def test_the_error_codes_are_the_codes() -> None:
    assert [cells[0].strip("`") for cells in rows(section("Errors"))] == list(ErrorCode)


@pytest.mark.parametrize(("side", "messages"), [("a viewer", ViewerMessage), ("the daemon", DaemonMessage)])
def test_the_messages_are_the_codes(side: str, messages: Any) -> None:
    declared = [(kind.TYPE, field.name) for kind in messages.__args__ for field in dataclasses.fields(kind)]
    assert sorted(documented_fields(section(f"Messages from {side}"))) == sorted(declared)


def test_the_defaults_are_the_codes() -> None:
    made: dict[str, ViewerMessage] = {"query": Query(), "seek": Seek()}
    text = section("Messages from a viewer")
    for (message, field), cells in zip(documented_fields(text), rows(text), strict=True):
        if message in made and field != "families":
            value = getattr(made[message], field)
            plain = list(value) if isinstance(value, tuple) else value
            assert cells[3].strip("`") == ("nil" if plain is None else json.dumps(plain)), (message, field)


def test_status_is_described_in_full() -> None:
    described = section("Messages from the daemon").split("`status`: ")[1].split("\n\n")[0]
    assert re.findall(r"`(\w+)`", described) == [field.name for field in dataclasses.fields(Status)]


def test_replay_is_described_in_full() -> None:
    described = section("Messages from the daemon").split("`replay`: ")[1].split("`time`")[0]
    assert re.findall(r"`(\w+)`", described) == [field.name for field in dataclasses.fields(Replay)]


def test_the_version_is_the_codes() -> None:
    assert f"Version {PROTOCOL_VERSION}." in TEXT


def test_the_bytes_are_what_they_say() -> None:
    hexes, jsons = blocks("hex"), blocks("json")
    assert len(hexes) == len(jsons) > 0
    for digits, text in zip(hexes, jsons, strict=True):
        (body,) = FrameReader(MAX_VIEWER_FRAME).feed(bytes.fromhex(digits))
        assert msgpack.unpackb(body) == json.loads(text)


# the example

SNAPSHOT = Snapshot(
    tag=0,
    seq=1,
    time=1_700_000_000.0,
    interval=1.0,
    view=View.FLOWS,
    status=Status(
        flows=1,
        matched=1,
        max=None,
        accounting=True,
        timestamps=True,
        tracking=True,
        events_lost=0,
        resets=0,
        tick_seconds=0.001,
        pace=1.0,
        viewers=1,
    ),
    totals=Totals(None, None, None, None),
    fields=("proto", "src", "dst", "dport", "orig_rate", "reply_rate"),
    offset=0,
    rows=[["tcp", "192.0.2.1", "198.51.100.7", 443, 10.5, None]],
)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (text,) = blocks("python")
    path = tmp_path / "viewer.py"
    path.write_text(text)
    return path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "flowtop.sock"))
        listening.listen()
        listening.settimeout(10)
        yield listening


def test_the_example_says_what_it_should_and_prints_rows(example: Path, listener: socket.socket) -> None:
    """Against a daemon of three messages; against the real one below."""
    argv = [sys.executable, str(example), str(listener.getsockname())]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as viewer:
        session, _ = listener.accept()
        with session:
            session.settimeout(10)
            reader = FrameReader(MAX_VIEWER_FRAME)
            said: list[ViewerMessage] = []
            while len(said) < 2:
                said += [decode_viewer(body) for body in reader.feed(session.recv(4096))]
            for message in (Welcome(1, "test", "host"), SNAPSHOT, Error(ErrorCode.INTERNAL, "that was all")):
                session.sendall(encode_daemon(message))
            out, err = viewer.communicate(timeout=10)
    assert [type(message) for message in said] == [Hello, Query]
    assert out == "tcp 192.0.2.1 198.51.100.7 443 10.5 None\n"
    assert err == "that was all\n"
    assert viewer.returncode == 1


@pytest.mark.kernel
def test_the_example_shows_a_flow_of_a_real_daemon(example: Path, namespace: Namespace, tmp_path: Path) -> None:
    example.write_text(example.read_text().replace("limit=10", "limit=10, loopback=True"))
    with Daemon(namespace, tmp_path) as daemon:
        server = namespace.socket()
        client = namespace.socket()
        with server, client:
            server.bind(("127.0.0.1", 0))
            server.listen()
            client.connect(server.getsockname())
            argv = [sys.executable, str(example), str(daemon.socket)]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as viewer:
                assert viewer.stdout is not None
                line = viewer.stdout.readline()
                viewer.kill()
            assert line.split()[:4] == ["tcp", "127.0.0.1", "127.0.0.1", str(server.getsockname()[1])]
