"""Hostile names, end to end: from a program, a database and a viewer to every output of the viewer and to the log."""

import csv
import fcntl
import io
import json
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from flowtopd.wire.codec import encode_viewer
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello
from testbed.daemon import Daemon
from testbed.netns import Namespace
from testbed.programs import Program
from tests.flowtopd.enrich.geoip import databases

pytestmark = pytest.mark.kernel

EVIL = "\x1b]0;pwned\x07\x1b[31m\nx\u202e\u200b"
NAME = b"\x1b]0;p\x07\n\xff=\x1b[2J"
"""A name of a process is 15 bytes."""
SCRIPT = f"""
import ctypes
ctypes.CDLL(None).prctl(15, {NAME!r})
waiting = socket.create_server(("198.51.100.2", 443))
made = socket.create_connection(("198.51.100.2", 443), source_address=("198.51.100.1", 0))
made.send(b"x")
say()
"""
CONFIG = """
[access]
group = "no\\u001b[31m\\nflowtopd: forged"
[geoip]
files = ["{}"]
"""
OPTIONS = ("--once", "--all", "--loopback", "-s", "-n", "-t", "0.2")


@pytest.fixture
def daemon(namespace: Namespace, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that sees one connection of such a program to such a place."""
    for address in ("198.51.100.1/32", "198.51.100.2/32"):
        namespace.run(["ip", "address", "add", address, "dev", "lo"])
    place = {"country": {"iso_code": "DE"}, "city": {"names": {"en": f"City{EVIL}"}}}
    network = {"autonomous_system_number": 64500, "autonomous_system_organization": f"=Org{EVIL}"}
    database = databases.write(tmp_path / "city.mmdb", {"198.51.100.0/24": place | network})
    running = Daemon(namespace, tmp_path)
    running.configure(CONFIG.format(database))
    with Program(namespace, SCRIPT), running:
        yield running


def told(daemon: Daemon, *options: str) -> str:
    done = daemon.flowtop(*OPTIONS, *options)
    assert done.returncode == 0, done.stderr + daemon.log
    return done.stdout


def test_every_output_is_plain_but_json_is_exact(daemon: Daemon) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        out = told(daemon, "--json")
        (flow,) = json.loads(out)["flows"]
        if flow["process"] and flow["dst_city"] and flow["dst_org"]:
            break
    assert out.isascii()
    assert out.rstrip("\n").isprintable()
    assert flow["process"].startswith("\x1b]0;p\x07\n\ufffd=")  # so the rest of this is about something
    assert flow["dst_city"].startswith("City ]0;pwned")
    for form in ("--format=text", "--format=csv", "--format=openmetrics"):
        lines = told(daemon, form).splitlines()
        assert all(line.isprintable() for line in lines), lines
        assert "?]0;p?" in "".join(lines)
    header, row = csv.reader(io.StringIO(told(daemon, "--csv")))
    assert dict(zip(header, row, strict=True))["dst_org"].startswith("'=Org")


def test_the_screen_writes_no_code_of_theirs(daemon: Daemon) -> None:
    written = bytearray()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    argv = daemon.viewer_argv("--all", "--loopback", "-n", "-t", "0.2")
    env = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env) as viewer:
        os.close(slave)
        deadline = time.monotonic() + 20
        while b"]0;p" not in written and time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                written += os.read(master, 65_536)
        viewer.kill()
        viewer.wait()
        os.close(master)
    assert b"]0;p" in written
    for code in (b"\x1b]0;p", b"\x07", "\u202e".encode(), "\u200b".encode()):
        assert code not in written, bytes(written)


def test_no_line_of_the_log_is_theirs(daemon: Daemon) -> None:
    hello = encode_viewer(Hello(PROTOCOL_VERSION, EVIL))
    said = msgpack.packb({"type": EVIL})
    for body in (said, msgpack.packb({"type": "query", EVIL: 1}), msgpack.packb({"type": "query", "view": EVIL})):
        with socket.socket(socket.AF_UNIX) as viewer:
            viewer.connect(str(daemon.socket))
            viewer.sendall(hello + len(body).to_bytes(4) + body)
            while viewer.recv(65_536):
                pass
    lines = daemon.log.split("\n")
    assert "closed" in daemon.log
    assert all(line.isprintable() for line in lines), lines
    assert not any(line.startswith("flowtopd: forged") for line in lines)
