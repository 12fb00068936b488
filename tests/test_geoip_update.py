"""`flowtop -u` through the real daemon, in a namespace with a mirror of its own."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.daemon import ROOT, Daemon
from testbed.netns import Namespace, wait_until
from tests.flowtopd.enrich.geoip.databases import ASN, write
from tests.flowtopd.geoip_update.mirror import Mirror, Reply

pytestmark = pytest.mark.kernel


@pytest.fixture
def mirror(namespace: Namespace) -> Iterator[Mirror]:
    with namespace.entered():
        mirror = Mirror()
    with mirror.serving():
        yield mirror


@pytest.fixture
def updating(namespace: Namespace, tmp_path: Path, mirror: Mirror) -> Iterator[Daemon]:
    """A daemon whose list has one file of the mirror."""
    (tmp_path / "geoip.conf").write_text(f"{mirror.url}/asn.mmdb\n")
    daemon = Daemon(namespace, tmp_path)
    daemon.configure(f'[geoip]\ndirectory = "{tmp_path}/lib"\nmirrors = "{tmp_path}/geoip.conf"\n')
    with daemon:
        yield daemon


@pytest.fixture
def database(tmp_path: Path) -> bytes:
    return write(tmp_path / "made", ASN).read_bytes()


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()] + [
        int(text)
        for task in Path(f"/proc/{pid}/task").iterdir()
        if task.name != str(pid)
        for text in (task / "children").read_text(encoding="ascii").split()
    ]


def test_an_update_through_the_daemon(updating: Daemon, mirror: Mirror, database: bytes, tmp_path: Path) -> None:
    mirror.replies = {"/asn.mmdb": Reply(database, headers={"ETag": '"1"'})}
    done = updating.flowtop("-u")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"asn: 0.0 MB of 2023-11-14 from {mirror.host}"
    assert (tmp_path / "lib" / "asn.mmdb").read_bytes() == database
    assert updating.flowtop("-u").stdout == "asn: up to date\n"
    mirror.replies = {"/asn.mmdb": Reply(database[:100], announced=len(database))}
    done = updating.flowtop("-u")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"flowtop: asn: {mirror.host}: cut off after 100 of {len(database)} bytes\n"
    assert (tmp_path / "lib" / "asn.mmdb").read_bytes() == database
    assert "GeoIP update: asn: up to date" in updating.log


def test_the_download_has_none_of_the_daemons_rights_and_outlives_the_viewer(
    updating: Daemon, mirror: Mirror, database: bytes, tmp_path: Path
) -> None:
    held = threading.Event()
    mirror.replies = {"/asn.mmdb": Reply(database, held=held)}
    with subprocess.Popen(updating.viewer_argv("-u"), stdout=subprocess.PIPE, text=True, cwd=ROOT) as viewer:
        assert viewer.stdout is not None
        assert viewer.stdout.readline().startswith("asn: ")
        (child,) = children(updating.pid)
        status = Path(f"/proc/{child}/status").read_text(encoding="utf-8").splitlines()
        seen = {name: value.split() for name, _, value in (line.partition(":") for line in status)}
        assert seen["Uid"] == seen["Gid"] == ["65534"] * 4
        assert [int(seen[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
        viewer.send_signal(signal.SIGINT)
    assert viewer.returncode == 130
    held.set()
    wait_until((tmp_path / "lib" / "asn.mmdb").exists)
    wait_until(lambda: children(updating.pid) == [])


def test_a_daemon_that_is_stopped_does_not_wait_for_a_download(
    updating: Daemon, mirror: Mirror, database: bytes, tmp_path: Path
) -> None:
    mirror.replies = {"/asn.mmdb": Reply(database, held=threading.Event())}
    with subprocess.Popen(
        updating.viewer_argv("-u"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as viewer:
        assert viewer.stdout is not None
        viewer.stdout.readline()
        (child,) = children(updating.pid)
        assert updating.stop() == 0
        assert viewer.wait(10) == 1
    wait_until(lambda: not Path(f"/proc/{child}").exists())
    assert list((tmp_path / "lib").iterdir()) == []
