"""flowtopd.reload: which keys count at once, and a real daemon that gets SIGHUP."""

import os
import signal
from dataclasses import fields
from pathlib import Path

import pytest

from flowtopd.config import Config, parse
from flowtopd.reload import LIVE, changed, live
from flowtopd.wire.messages import Query
from testbed.connections import connections
from testbed.daemon import Daemon
from testbed.netns import Namespace, wait_until
from testbed.viewer import Viewer, rows

NOW = parse(
    '[conntrack]\nsysctl = "keep"\n[access]\ngroup = "users"\nadmin_group = "adm"\n[daemon]\nlog_level = "debug"\n',
    Path("x"),
)


def test_what_has_changed_is_named() -> None:
    assert set(changed(Config(), NOW)) == {
        *("conntrack.sysctl", "access.group", "access.admin_group", "daemon.log_level")
    }
    assert list(changed(NOW, NOW)) == []


def test_only_what_is_live_counts() -> None:
    taken = live(Config(), NOW)
    assert (taken.conntrack, taken.daemon) == (NOW.conntrack, NOW.daemon)
    assert (taken.access.group, taken.access.admin_group) == ("flowtop", "adm")


def test_live_keys_exist() -> None:
    known = {
        f"{section.name}.{key.name}" for section in fields(Config) for key in fields(getattr(Config(), section.name))
    }
    assert known >= LIVE


@pytest.mark.kernel
def test_a_viewer_goes_on_over_a_reload_and_sees_what_is_new(namespace: Namespace, tmp_path: Path) -> None:
    for name in ("acct", "timestamp"):
        namespace.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
    with connections(namespace, 5), Daemon(namespace, tmp_path) as daemon, Viewer(daemon) as viewer:
        viewer.ask(Query(interval=0.1, names=False))
        first = viewer.next()
        assert len(rows(first)) == 5
        assert namespace.sysctl("net.netfilter.nf_conntrack_acct") == "1"
        daemon.configure('[conntrack]\nsysctl = "never"\n[access]\ngroup = "users"\n')
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: "reloaded" in daemon.log)
        assert namespace.sysctl("net.netfilter.nf_conntrack_acct") == "0"
        assert "access.group has changed: that needs a restart" in daemon.log
        seq = viewer.next().seq
        assert viewer.next().seq == seq + 1
        daemon.configure("[conntrack]\nnonsense = 1\n")
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: "everything stays as it was" in daemon.log)
        assert rows(viewer.next())
        assert daemon.stop() == 0
