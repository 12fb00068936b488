"""The way to a daemon on another host: a Unix socket here that OpenSSH carries to the daemon's socket there.

    flowtop ─▶ <private directory>/1.sock ─▶ ssh -N -L … ═══▶ sshd ─▶ /run/flowtop/flowtop.sock ─▶ flowtopd

No port is opened at either end, and nothing runs on the host but sshd and the daemon, which sees the user that ssh
has logged in as: who may look is decided there as for any viewer.

Rules:
1. The first ssh may ask (a password, an unknown host key): it does so on the terminal, before there is a screen. Later
   ones may not (BatchMode), since the screen is taken. One that would have to is not tried again: servers ban who
   fails again and again.
2. What ssh says goes to a file without a name, never to the screen. While it may ask, that is shown as it comes, but
   for its last words, which become our line.
3. ssh makes the socket when it has logged in: that tells that the way is open. Nothing is polled after that.
4. ssh is a connection of its own (no ControlMaster), so that it ends with us: by `close`, and by PR_SET_PDEATHSIG where
   we are killed. It stays in our process group, or it could not ask on the terminal.
5. ssh makes out by itself that the host is gone, within 15 s; then it ends, the socket closes, and the next
   `ready` starts another one.
6. The forwards of the user's own configuration may fail (another ssh has their ports): no ExitOnForwardFailure.
"""

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowtop_client.connection.host import Host
from flowtop_client.connection.link import Unavailable
from flowtop_client.humanize import clean

_OPTIONS: Final = (
    "IgnoreUnknown=ForkAfterAuthentication",  # older than OpenSSH 8.7
    "ForkAfterAuthentication=no",
    "ControlMaster=no",
    "ControlPath=none",
    "StreamLocalBindMask=0177",
    "StreamLocalBindUnlink=yes",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ConnectTimeout=15",
    "Compression=yes",  # a screen a second: 2 kB/s in place of 31
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "LogLevel=INFO",
)
_POLL_S: Final = 0.02
_UNASKED_S: Final = 40.0
"""How long a login may take where nobody can be asked; ssh's own limits are shorter."""
_STOP_S: Final = 2.0
_REMEMBERED: Final = 16 * 1024
_LONGEST_PATH: Final = 107  # sun_path of unix(7), without its end

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

_LAST_WORDS: Final = re.compile(
    r"ssh: |kex_exchange_identification: |Host key verification failed|Connection (closed|reset) by|Received disconnect"
    r"|Disconnected from|Timeout, server|Connection to .* (closed|timed out)|client_loop: |Bad (configuration|owner)"
    r"|channel \d+: open failed|.*Permission denied \("
)
"""Begins of lines that say how it ended. Anything else may be there to help with a question."""

_REFUSED_CHANNEL: Final = re.compile(r"channel \d+: open failed")


class _WouldAskError(Unavailable):
    """ssh could not log in, or trust the host, without asking somebody; or with it."""


class Tunnel:
    """The way to the daemon that listens on `socket` of `host`, which is called `label`; `path` is the socket here.

    The directory of `path` is a private one of this process. `questions`: held while an ssh asks, where there are
    several ways: all of them are tried without a question first.
    """

    def __init__(self, host: Host, label: str, socket: str, path: Path, questions: asyncio.Lock | None = None) -> None:
        self.label: Final = label
        self._host = host
        self._socket = socket
        self._path = path
        self._questions = questions
        self._log = os.open(path.with_suffix(".log"), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        path.with_suffix(".log").unlink()
        self._read = 0
        self._told = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = asyncio.Lock()
        self._may_ask = True
        self.final = False
        """Whether the way cannot be made again without asking somebody."""

    @property
    def stands(self) -> bool:
        """Whether ssh is there, whatever it leads to."""
        return self._process is not None and self._process.poll() is None

    async def ready(self) -> str:
        """Make the way, where it is not open; give the path of its socket here. Raises Unavailable."""
        async with self._starting:
            if not self.stands:
                await self._make()
        return str(self._path)

    async def _make(self) -> None:
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise Unavailable(f"{self._path} is too long for a socket", "set XDG_RUNTIME_DIR to a shorter directory")
        if not self._may_ask:
            try:
                await self._start(asking=False)
            except _WouldAskError as error:
                self.final = True
                raise Unavailable(
                    error.what, "it may need a password, and the screen is taken: start flowtop again"
                ) from None
            return
        self._may_ask = False
        if self._questions is None:
            await self._start(asking=True)
            return
        try:
            await self._start(asking=False)
        except _WouldAskError:
            async with self._questions:
                await self._start(asking=True)

    async def _start(self, *, asking: bool) -> None:
        self._stop()
        self._path.unlink(missing_ok=True)
        self._listen()
        self._told = ""
        try:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220  # no name becomes an option; a fork takes 2 ms
                self._command(asking=asking),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509  # no other thread runs here
            )
        except FileNotFoundError:
            raise Unavailable("ssh is not installed", "--host needs the client of OpenSSH") from None
        try:
            await self._wait(self._process, asking=asking)
        except BaseException:
            self._stop()
            raise

    def _command(self, *, asking: bool) -> list[str]:
        options = [f"-o{each}" for each in (*_OPTIONS, *(() if asking else ("BatchMode=yes",)))]
        port = [] if self._host.port is None else ["-p", str(self._host.port)]
        forward = ["-L", f"{self._path}:{self._socket}"]
        return ["ssh", "-N", "-T", *options, *port, *forward, "--", self._host.destination]

    async def _wait(self, ssh: subprocess.Popen[bytes], *, asking: bool) -> None:
        """Until the socket is there. Raises Unavailable."""
        deadline = time.monotonic() + _UNASKED_S
        while not self._path.is_socket():
            if ssh.poll() is not None:
                if asking:
                    self._show()
                raise self._failure()
            if asking:
                self._show()
            elif time.monotonic() > deadline:
                raise Unavailable(f"{self.label}: ssh did not log in within {_UNASKED_S:.0f} s")
            if "unix_listener: " in self._told:
                raise self._failure()
            await asyncio.sleep(_POLL_S)
        if asking:
            self._show()

    def _listen(self) -> str:
        """What ssh has said since the last time."""
        new = os.pread(self._log, _REMEMBERED, self._read)
        self._read += len(new)
        if self._read > _REMEMBERED:
            os.ftruncate(self._log, 0)
            self._read = 0
        self._told = (self._told + new.decode(errors="replace"))[-_REMEMBERED:]
        return new.decode(errors="replace")

    def _show(self) -> None:
        """Show what helps with a question of ssh."""
        for line in self._listen().splitlines():
            if line.strip() and not _LAST_WORDS.match(line):
                print(clean(line), file=sys.stderr, flush=True)

    def _failure(self) -> Unavailable:
        """Why ssh has ended."""
        self._listen()
        lines = [line.strip() for line in self._told.splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if _LAST_WORDS.match(line)), lines[-1] if lines else "ssh ended")
        what = f"{self.label}: {clean(last.removeprefix('ssh: '))}"
        by_hand = f"`{self._host.by_hand}`"
        if "Permission denied" in last:
            return _WouldAskError(what, f"{by_hand} must log in first")
        if "Host key verification failed" in last:
            return _WouldAskError(what, f"{by_hand} shows the key and asks about it")
        if "resolve hostname" in last:
            return Unavailable(what, f"--host takes the names that {by_hand} knows")
        return Unavailable(what, f"{by_hand} goes the same way; with -v it says more")

    async def explained(self, error: Unavailable) -> Unavailable:
        """What it means that the socket here did not lead to a daemon."""
        new = ""
        # a refused channel is told on stderr before the socket closes; where ssh itself has ended, that takes a moment
        for _ in range(10):
            new += self._listen()
            if _REFUSED_CHANNEL.search(new):
                user = self._host.user or "the user there"
                return Unavailable(
                    f"{self.label}: no daemon answers on {self._socket} there",
                    f"does flowtopd run, may {user} look (group flowtop), does sshd allow forwarding?",
                )
            if not self.stands:
                return self._failure()
            await asyncio.sleep(_POLL_S)
        return Unavailable(f"{self.label}: {error.what}", error.hint)

    def lost(self) -> str:
        """Why the connection has just ended, in ssh's words; empty where ssh still runs."""
        return "" if self.stands else self._failure().what

    def _stop(self) -> None:
        ssh, self._process = self._process, None
        if ssh is None:
            return
        for insist in (ssh.terminate, ssh.kill):
            with suppress(subprocess.TimeoutExpired):
                insist()
                ssh.wait(_STOP_S)
                return

    def close(self) -> None:
        """End ssh. May be called again."""
        self._stop()
        self._path.unlink(missing_ok=True)
        log, self._log = self._log, -1
        if log >= 0:
            os.close(log)


def _ends_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes ssh: it asks to be ended with its parent, which may have gone meanwhile."""
    prctl = ctypes.CDLL(None).prctl  # here: a child that was forked should do little

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
