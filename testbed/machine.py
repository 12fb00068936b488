"""A machine with a real systemd: systemd-nspawn on an overlay of a Debian tree, in the network of a namespace.

    with Machine(debian_tree(), tmp_path, router.router) as machine:
        machine.run("systemctl", "start", "flowtopd")
        machine.run("flowtop", "--once", user="anna")

Rules: what happens in the machine is in the overlay, never in the tree. It ends with the block, however that ends: it
is asked to power off, then killed; then the overlay is unmounted and deleted. The tree is made by mmdebstrap, once for
a list of packages, and kept in build/; a tree that was not completed has another name, and is made anew.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.netns import Namespace, run, wait_until

ROOT: Final = Path(__file__).parent.parent
TREES: Final = ROOT / "build" / "trees"

PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "nftables", "netsniff-ng"),
    *("python3-maxminddb", "python3-msgpack", "python3-numpy", "python3-psutil", "python3-systemd", "python3-wcwidth"),
)
"""What flowtop needs, what the tests look with, and the package that has a flowtop of its own."""

_SUITE: Final = "bookworm"
_MAKING_S: Final = 600.0
_BOOT_S: Final = 60.0
_STOP_S: Final = 20.0
_POWER_OFF: Final = signal.SIGRTMIN + 4  # systemd(1)
_NSPAWN: Final = {
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # /proc/sys/net, as on a machine of its own
}
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def debian_tree() -> Path:
    """A Debian 12 with PACKAGES; made when it is not there. Raises RuntimeError."""
    name = hashlib.sha256(" ".join((_SUITE, *sorted(PACKAGES))).encode()).hexdigest()[:12]
    tree = TREES / name
    TREES.mkdir(parents=True, exist_ok=True)
    with (TREES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            for old in TREES.glob("*/"):
                shutil.rmtree(old)
            making = TREES / f"{name}.making"
            packages = ",".join(PACKAGES)
            run(
                ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", _SUITE, str(making)],
                timeout=_MAKING_S,
            )
            making.rename(tree)
    return tree


@contextlib.contextmanager
def overlay(tree: Path, directory: Path) -> Iterator[Path]:
    """A copy of the tree that can be written to, below `directory`, and that costs nothing; gone at the end."""
    parts = {name: directory / name for name in ("root", "upper", "work")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = f"lowerdir={tree},upperdir={parts['upper']},workdir={parts['work']}"
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(parts["root"])])
    try:
        yield parts["root"]
    finally:
        run(["umount", str(parts["root"])])
        for part in parts.values():
            shutil.rmtree(part)


class Machine:
    """One machine. Booted on entry; `console` has what it said meanwhile."""

    def __init__(self, tree: Path, directory: Path, network: Namespace) -> None:
        self._tree = tree
        self._directory = directory
        self._network = network
        self._stack = contextlib.ExitStack()
        self._leader = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.root = stack.enter_context(overlay(self._tree, self._directory / "machine"))
            log = stack.enter_context((self._directory / "console.log").open("wb"))
            name = f"flowtop-test-{os.getpid()}"
            nspawn = subprocess.Popen(
                [
                    *(
                        "systemd-nspawn",
                        "--quiet",
                        f"--directory={self.root}",
                        "--boot",
                        "--register=no",
                        "--keep-unit",
                    ),
                    *(f"--machine={name}", "--hostname=router", "--console=pipe", "--capability=CAP_NET_ADMIN"),
                    *(f"--network-namespace-path={self._network.path}", "--link-journal=no", "--resolv-conf=off"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT | _NSPAWN,
                start_new_session=True,
            )
            stack.callback(self._stop, nspawn)
            wait_until(lambda: self._is_up(nspawn), _BOOT_S)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def console(self) -> str:
        """What the machine has said."""
        return (self._directory / "console.log").read_text(encoding="utf-8", errors="replace")

    def _is_up(self, nspawn: subprocess.Popen[bytes]) -> bool:
        if nspawn.poll() is not None:
            raise RuntimeError(f"the machine did not boot:\n{self.console}")
        if not self._leader:
            # the first child of nspawn is its helper until it has become the machine's init
            children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text(encoding="ascii").split()
            for child in children:
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                        self._leader = int(child)
        if not self._leader:
            return False
        return self.ask("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}

    def _stop(self, nspawn: subprocess.Popen[bytes]) -> None:
        for how in (_POWER_OFF, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader or nspawn.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                nspawn.wait(_STOP_S)
                return
        nspawn.kill()
        nspawn.wait()

    def argv(self, *argv: str, user: str = "") -> list[str]:
        """The command line that runs `argv` in the machine, as root or as somebody."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        return ["nsenter", "--target", str(self._leader), "--all", "--", *who, *argv]

    def ask(self, *argv: str, user: str = "", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine to its end; its output and status."""
        return subprocess.run(
            self.argv(*argv, user=user),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, *argv: str, user: str = "", timeout: float = 60.0) -> str:
        """The same for one that has to succeed; what it printed. Raises RuntimeError."""
        done = self.ask(*argv, user=user, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    @contextlib.contextmanager
    def running(self, *argv: str, user: str = "") -> Iterator[subprocess.Popen[str]]:
        """Have a program run in the machine. SIGTERM, and a moment later SIGKILL, ends it with the block."""
        with self._popen(*argv, user=user) as process:
            try:
                yield process
            finally:
                for how in (signal.SIGTERM, signal.SIGKILL):
                    # nsenter waits for it, and hands no signal on
                    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                    with contextlib.suppress(OSError):
                        for child in children.read_text(encoding="ascii").split():
                            os.kill(int(child), how)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_STOP_S)
                        break

    def _popen(self, *argv: str, user: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*argv, user=user),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def until(self, unit: str, name: str, value: str, timeout: float = 30.0) -> None:
        """Wait until a property of a unit has a value. Raises RuntimeError with the journal of the unit."""
        deadline = time.monotonic() + timeout
        while (found := self.show(unit, name)) != value:
            if time.monotonic() > deadline:
                journal = self.run("journalctl", "--no-pager", "-u", unit, "-n", "50")
                raise RuntimeError(f"{unit}: {name} is {found}, not {value}:\n{journal}")
            time.sleep(0.05)
