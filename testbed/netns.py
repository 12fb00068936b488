"""A network namespace as a test host: made on entry, gone with everything that runs in it on exit.

    with Namespace() as host:
        host.track()                          # an nftables rule that makes the kernel track connections
        host.account()                        # counters and timestamps
        server = host.popen(["iperf3", "-s"])
        with host.socket(AF_INET, SOCK_STREAM) as sock: ...

Rules: names are `flowtop-<pid>-<n>`, so that runs side by side never meet and what is left over has an
owner. A process is killed by its pid, only when it was started here or lives inside the namespace.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

PREFIX: Final = f"flowtop-{os.getpid()}-"
"""What the names of all namespaces of this process begin with."""

_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_NETNS_DIR: Final = Path("/run/netns")
_STOP_S: Final = 5.0

_TRACK: Final = """
table inet testbed {
    chain prerouting { type filter hook prerouting priority 0; ct state new accept; }
    chain output { type filter hook output priority 0; ct state new accept; }
}
"""

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(descriptor: int) -> None:
    """Move the calling thread into a network namespace (os.setns is new in Python 3.12)."""
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


@contextlib.contextmanager
def entered(path: Path) -> Iterator[None]:
    """Run the block, in this thread, inside the network namespace at `path`.

    Sockets opened in it and processes started in it stay there. Only this thread moves.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 30.0) -> str:
    """Run a program to its end, return what it printed. Raises RuntimeError with its stderr when it fails."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def stop_process(process: subprocess.Popen[Any], first: signal.Signals = signal.SIGTERM) -> int:
    """End a process we started, by `first`, after five seconds by SIGKILL. Closes its pipes, returns its status."""
    with process:  # closes the pipes and waits
        if process.poll() is None:
            process.send_signal(first)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
    return process.returncode


def wait_until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Ask every 10 ms until `condition` holds. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} does not hold after {timeout} s")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which waits only to be reaped, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Namespace:
    """One namespace. Its loopback is up; nothing else is configured until asked for."""

    def __init__(self) -> None:
        self.name = f"{PREFIX}{next(_numbers)}"
        self.path = _NETNS_DIR / self.name
        self._processes: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Self:
        try:
            run(["ip", "netns", "add", self.name])
            run(["ip", "-n", self.name, "link", "set", "lo", "up"])
        except BaseException:  # Ctrl-C too
            if self.path.exists():
                self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        try:
            for process in self._processes:
                stop_process(process, signal.SIGKILL)
            deadline = time.monotonic() + _STOP_S
            while (pids := self.pids()) and time.monotonic() < deadline:
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        finally:
            run(["ip", "netns", "del", self.name])

    def pids(self) -> list[int]:
        """The processes that live inside, whoever started them."""
        return [pid for pid in map(int, run(["ip", "netns", "pids", self.name]).split()) if pid != os.getpid()]

    def entered(self) -> contextlib.AbstractContextManager[None]:
        """Run a block of this thread inside."""
        return entered(self.path)

    def run(self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = 30.0) -> str:
        """Run a program inside to its end, return what it printed. Raises RuntimeError when it fails."""
        return run(self.argv(argv), stdin=stdin, timeout=timeout)

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside; the program keeps the pid that was started."""
        return ["ip", "netns", "exec", self.name, *argv]

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program inside, in a session of its own. It is killed with the namespace at the latest."""
        process = subprocess.Popen(
            self.argv(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, proto: int = 0) -> socket.socket:
        """A socket of this process that lives inside. The caller closes it."""
        with self.entered():
            return socket.socket(family, kind, proto)

    def sysctl(self, name: str, value: int | str | None = None) -> str:
        """The value of a `net.` sysctl inside, after writing `value` if there is one."""
        # /proc/sys/net shows the namespace of the thread that opens the file (fs/proc/proc_sysctl.c)
        path = Path("/proc/sys") / name.replace(".", "/")
        with self.entered():
            if value is not None:
                path.write_text(str(value), encoding="ascii")
            return path.read_text(encoding="ascii").strip()

    def account(self) -> None:
        """Turn on counters and timestamps of connections made from now on."""
        self.sysctl("net.netfilter.nf_conntrack_acct", 1)
        self.sysctl("net.netfilter.nf_conntrack_timestamp", 1)

    def nft(self, ruleset: str) -> None:
        """Load nftables rules."""
        self.run(["nft", "-f", "-"], stdin=ruleset)

    def track(self) -> None:
        """Load a rule that makes the kernel track connections here, IPv4 and IPv6."""
        self.nft(_TRACK)


def left_over() -> list[str]:
    """Names of namespaces of this process that still exist."""
    return sorted(path.name for path in _NETNS_DIR.glob(f"{PREFIX}*"))
