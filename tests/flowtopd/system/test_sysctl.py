"""flowtopd.system.sysctl: whatever happens to the daemon, the old values come back, and only those.

The rules are tested on a folder of plain files, what is the kernel's on real sysctls in a namespace.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowtopd.config import SysctlMode
from flowtopd.system.runtime_dir import AlreadyRunningError, RuntimeDir
from flowtopd.system.sysctl import ACCT, TIMESTAMP, Outcome, Sysctls, SysctlState, restore
from testbed.netns import Namespace

BOTH_ON = SysctlState(accounting=True, timestamps=True)
BOTH_OFF = SysctlState(accounting=False, timestamps=False)
WHILE_RUNNING = SysctlMode.WHILE_RUNNING


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Sysctls of a kernel where both are off."""
    folder = tmp_path / "netfilter"
    folder.mkdir()
    (folder / ACCT).write_text("0\n")
    (folder / TIMESTAMP).write_text("0\n")
    (folder / "nf_conntrack_max").write_text("262144\n")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


def values(root: Path) -> tuple[str, str]:
    return (root / ACCT).read_text().strip(), (root / TIMESTAMP).read_text().strip()


def state_file(run: Path) -> Path:
    return run / "sysctls.json"


def killed(run: Path, root: Path, mode: SysctlMode = WHILE_RUNNING) -> None:
    """A daemon that starts and is never heard of again: its lock goes, its file stays."""
    with RuntimeDir(run) as runtime:
        Sysctls(runtime, root).acquire(mode)


def test_while_running_sets_both_and_puts_both_back(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == ()
        assert sysctls.read() == BOTH_ON
        saved = json.loads(state_file(run).read_text())
        assert saved["sysctls"] == {name: {"old": "0", "ours": "1"} for name in (ACCT, TIMESTAMP)}
        assert sysctls.release() == ()
    assert values(root) == ("0", "0")
    assert not state_file(run).exists()


def test_old_values_are_on_the_disk_before_a_sysctl_is_changed(run: Path, root: Path) -> None:
    class Watching(RuntimeDir):
        def write(self, name: str, content: bytes) -> None:
            assert values(root) == ("0", "0")
            super().write(name, content)

    with Watching(run) as runtime:
        assert Sysctls(runtime, root).acquire(WHILE_RUNNING) == ()
    assert values(root) == ("1", "1")


def test_what_was_on_before_stays_on(run: Path, root: Path) -> None:
    (root / ACCT).write_text("1\n")
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == ()
        assert list(json.loads(state_file(run).read_text())["sysctls"]) == [TIMESTAMP]
        sysctls.release()
    assert values(root) == ("1", "0")


def test_with_both_on_nothing_is_saved(run: Path, root: Path) -> None:
    (root / ACCT).write_text("1\n")
    (root / TIMESTAMP).write_text("1\n")
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == ()
        assert not state_file(run).exists()
        assert sysctls.release() == ()
    assert values(root) == ("1", "1")


def test_a_killed_daemon_is_restored_without_another(run: Path, root: Path) -> None:
    killed(run, root)
    assert values(root) == ("1", "1")
    outcome = restore(run, root)
    assert outcome.complete
    assert set(outcome.lines) == {f"restored {ACCT} = 0", f"restored {TIMESTAMP} = 0"}
    assert values(root) == ("0", "0")
    assert not state_file(run).exists()
    assert restore(run, root) == Outcome(("nothing to restore",))


def test_our_own_1_is_never_taken_for_an_old_value(run: Path, root: Path) -> None:
    """Three daemons are killed in a row, the fourth ends well."""
    for _ in range(3):
        killed(run, root)
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == ()
        assert sysctls.release() == ()
    assert values(root) == ("0", "0")


def test_killed_between_saving_and_setting(run: Path, root: Path) -> None:
    killed(run, root)
    (root / ACCT).write_text("0\n")
    (root / TIMESTAMP).write_text("0\n")
    assert restore(run, root).complete
    assert values(root) == ("0", "0")
    killed(run, root)
    assert values(root) == ("1", "1")
    assert restore(run, root).complete
    assert values(root) == ("0", "0")


def test_a_value_that_somebody_changed_is_left_alone(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        sysctls.acquire(WHILE_RUNNING)
        (root / ACCT).write_text("2\n")
        lines = sysctls.release()
    assert values(root) == ("2", "0")
    assert lines == (f"{ACCT} is 2, not the 1 that flowtopd set: left as it is",)
    assert not state_file(run).exists()


def test_a_change_after_a_kill_is_the_new_old_value(run: Path, root: Path) -> None:
    (root / ACCT).write_text("0\n")
    killed(run, root)
    (root / ACCT).write_text("2\n")  # set on purpose after the crash
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == ()
        assert sysctls.release() == ()
    assert values(root) == ("2", "0")


def test_restore_refuses_while_a_daemon_lives(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        Sysctls(runtime, root).acquire(WHILE_RUNNING)
        with pytest.raises(AlreadyRunningError):
            restore(run, root)
    assert values(root) == ("1", "1")


def test_restore_without_a_directory_makes_none(run: Path, root: Path) -> None:
    assert restore(run, root) == Outcome((f"nothing to restore: no {run}",))
    assert not run.exists()


def test_keep_leaves_them_on_and_saves_nothing(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(SysctlMode.KEEP) == ()
        assert not state_file(run).exists()
        assert sysctls.release() == ()
    assert values(root) == ("1", "1")


def test_keep_after_a_kill_forgets_the_old_values(run: Path, root: Path) -> None:
    killed(run, root)
    killed(run, root, SysctlMode.KEEP)
    assert not state_file(run).exists()
    assert values(root) == ("1", "1")


def test_never_touches_nothing_and_says_what_is_off(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        (line,) = sysctls.acquire(SysctlMode.NEVER)
        assert sysctls.release() == ()
    assert values(root) == ("0", "0")
    assert line == (
        'no counters of new flows, nf_conntrack_acct is off: sysctl = "never"; '
        'no start times of new flows, nf_conntrack_timestamp is off: sysctl = "never"'
    )


def test_never_after_a_kill_puts_the_old_values_back(run: Path, root: Path) -> None:
    killed(run, root)
    killed(run, root, SysctlMode.NEVER)
    assert values(root) == ("0", "0")
    assert not state_file(run).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": 1}',
        b'{"version": 2, "boot": "x", "netns": 1, "sysctls": {}}',
        b'{"version": 1, "boot": "x", "netns": "1", "sysctls": {}}',
        b'{"version": 1, "boot": 7, "netns": 1, "sysctls": {}}',
        b'{"version": 1, "boot": "x", "netns": 1, "sysctls": []}',
        b'{"version": 1, "boot": "x", "netns": 1, "sysctls": {"../../kernel/panic": {"old": "1", "ours": "0"}}}',
        b'{"version": 1, "boot": "x", "netns": 1, "sysctls": {"nf_conntrack_acct": {"old": "0; x", "ours": "1"}}}',
        b'{"version": 1, "boot": "x", "netns": 1, "sysctls": {"nf_conntrack_acct": {"old": 0, "ours": 1}}}',
        b"[" * 60_000,
    ],
)
def test_a_damaged_file_is_one_warning(run: Path, root: Path, content: bytes) -> None:
    run.mkdir()
    state_file(run).write_bytes(content)
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        (line,) = sysctls.acquire(WHILE_RUNNING)
        assert line.startswith(f"{state_file(run)} is damaged (")
        assert "\n" not in line
        assert sysctls.release() == ()
    assert values(root) == ("0", "0")
    assert (run / "sysctls.json.corrupt").read_bytes() == content
    state_file(run).write_bytes(content)
    outcome = restore(run, root)
    assert not outcome.complete
    assert restore(run, root) == Outcome(("nothing to restore",))


def test_a_file_of_another_boot_is_not_used(run: Path, root: Path) -> None:
    killed(run, root)
    saved = json.loads(state_file(run).read_text())
    state_file(run).write_text(json.dumps(saved | {"boot": "of-another-kernel"}))
    assert restore(run, root) == Outcome(("nothing to restore",))
    assert values(root) == ("1", "1")
    assert not state_file(run).exists()


def test_a_file_of_another_namespace_stays_and_nothing_is_changed(run: Path, root: Path) -> None:
    killed(run, root)
    saved = json.loads(state_file(run).read_text())
    foreign = json.dumps(saved | {"netns": 1})
    state_file(run).write_text(foreign)
    (root / ACCT).write_text("0\n")
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        lines = sysctls.acquire(WHILE_RUNNING)
        assert values(root) == ("0", "1")
        assert "another network namespace" in lines[0]
        assert lines[1:] == ("no counters of new flows, nf_conntrack_acct is off: not touched because of that",)
        sysctls.release()
    outcome = restore(run, root)
    assert not outcome.complete
    assert "another network namespace" in outcome.lines[0]
    assert values(root) == ("0", "1")
    assert state_file(run).read_text() == foreign


def test_without_a_place_to_save_nothing_is_changed(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        (run / "sysctls.json.new").mkdir()
        sysctls = Sysctls(runtime, root)
        lines = sysctls.acquire(WHILE_RUNNING)
        assert lines[0] == f"old sysctl values cannot be saved in {run}: Is a directory"
        assert sysctls.release() == ()
    assert values(root) == ("0", "0")


def test_a_sysctl_that_does_not_exist_is_off_with_the_reason(run: Path, root: Path) -> None:
    (root / TIMESTAMP).unlink()
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        assert sysctls.acquire(WHILE_RUNNING) == (
            "no start times of new flows, nf_conntrack_timestamp is off: No such file or directory",
        )
        assert sysctls.read() == SysctlState(accounting=True, timestamps=False)
        assert sysctls.release() == ()
    assert (root / ACCT).read_text() == "0"


def test_a_value_that_cannot_be_put_back_stays_saved(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        sysctls.acquire(WHILE_RUNNING)
        (root / ACCT).unlink()
        (root / ACCT).mkdir()
        assert sysctls.release() == (f"{ACCT} could not be set back to 0: Is a directory",)
    assert list(json.loads(state_file(run).read_text())["sysctls"]) == [ACCT]
    assert not restore(run, root).complete
    (root / ACCT).rmdir()
    (root / ACCT).write_text("1")
    assert restore(run, root) == Outcome((f"restored {ACCT} = 0",))
    assert values(root) == ("0", "0")


def test_a_change_by_another_program_is_seen_at_once(run: Path, root: Path) -> None:
    with RuntimeDir(run) as runtime:
        sysctls = Sysctls(runtime, root)
        sysctls.acquire(WHILE_RUNNING)
        assert sysctls.read() == BOTH_ON
        (root / ACCT).write_text("0\n")
        assert sysctls.read() == SysctlState(accounting=False, timestamps=True)
        (root / ACCT).write_text("1\n")
        assert sysctls.read() == BOTH_ON
        assert sysctls.max() == 262144
        sysctls.release()


def test_max_is_unknown_where_it_cannot_be_read(run: Path, root: Path) -> None:
    (root / "nf_conntrack_max").write_text("many\n")
    with RuntimeDir(run) as runtime:
        assert Sysctls(runtime, root).max() is None
        (root / "nf_conntrack_max").unlink()
        assert Sysctls(runtime, root).max() is None


# what is the kernel's

_DAEMON = """
import signal, sys
from pathlib import Path
from flowtopd.config import SysctlMode
from flowtopd.system.runtime_dir import RuntimeDir
from flowtopd.system.sysctl import Sysctls
with RuntimeDir(Path(sys.argv[1])) as runtime:
    sysctls = Sysctls(runtime)
    problems = sysctls.acquire(SysctlMode.WHILE_RUNNING)
    print(sysctls.read().accounting, sysctls.read().timestamps, *problems, flush=True)
    sys.stdin.readline()
    sysctls.release()
"""


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


def start(host: Namespace, run: Path, *before: str) -> tuple[subprocess.Popen[bytes], str]:
    """A daemon's worth of sysctl handling in a process of its own, and the line that it prints when it is done."""
    process = host.popen(
        [*before, sys.executable, "-c", _DAEMON, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process, process.stdout.readline().decode().strip()


def stop(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"\n", timeout=10)
    assert process.returncode == 0


def real_values(host: Namespace) -> tuple[str, str]:
    return host.sysctl(f"net.netfilter.{ACCT}"), host.sysctl(f"net.netfilter.{TIMESTAMP}")


@pytest.mark.kernel
def test_real_sysctls_are_back_after_a_clean_exit(host: Namespace, run: Path) -> None:
    process, line = start(host, run)
    assert line == "True True"
    assert real_values(host) == ("1", "1")
    stop(process)
    assert real_values(host) == ("0", "0")


@pytest.mark.kernel
def test_real_sysctls_are_back_after_sigkill_and_restore(host: Namespace, run: Path) -> None:
    process, _ = start(host, run)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert real_values(host) == ("1", "1")
    with host.entered():
        assert restore(run).complete
    assert real_values(host) == ("0", "0")


@pytest.mark.kernel
def test_real_sysctls_are_back_after_sigkill_and_another_run(host: Namespace, run: Path) -> None:
    process, _ = start(host, run)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    process, line = start(host, run)
    assert line == "True True"
    stop(process)
    assert real_values(host) == ("0", "0")


@pytest.mark.kernel
def test_a_namespace_is_told_from_another(host: Namespace, run: Path) -> None:
    process, _ = start(host, run)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    with Namespace() as other, other.entered():
        assert not restore(run).complete
    assert real_values(host) == ("1", "1")
    with host.entered():
        assert restore(run).complete
    assert real_values(host) == ("0", "0")


@pytest.mark.kernel
def test_a_read_only_proc_sys_is_not_fatal(host: Namespace, run: Path) -> None:
    """As in a container, or with ProtectKernelTunables=yes."""
    mounts = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
    process, line = start(host, run, "unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "-")
    assert line == (
        "False False no counters of new flows, nf_conntrack_acct is off: Read-only file system; "
        "no start times of new flows, nf_conntrack_timestamp is off: Read-only file system"
    )
    assert not state_file(run).exists()
    stop(process)


@pytest.mark.kernel
def test_without_cap_net_admin_it_is_not_fatal(host: Namespace, run: Path) -> None:
    """uid 0 or CAP_NET_ADMIN may write (net/sysctl_net.c); CAP_DAC_OVERRIDE only lets the test reach its files."""
    drop = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all,+dac_override"]
    keep = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    process, line = start(host, run, *drop, *keep)
    assert line == (
        "False False no counters of new flows, nf_conntrack_acct is off: Permission denied; "
        "no start times of new flows, nf_conntrack_timestamp is off: Permission denied"
    )
    assert not state_file(run).exists()
    stop(process)


@pytest.mark.kernel
def test_the_descriptors_stay_with_their_namespace(host: Namespace, run: Path) -> None:
    with RuntimeDir(run) as runtime, Namespace() as other:
        with host.entered():
            sysctls = Sysctls(runtime)
            assert sysctls.read() == BOTH_OFF
            assert sysctls.max() is not None
        host.sysctl(f"net.netfilter.{ACCT}", 1)
        with other.entered():
            assert sysctls.read() == SysctlState(accounting=True, timestamps=False)
        sysctls.release()
