"""The real flowtopd in a namespace, and the real flowtop on its socket.

    with Daemon(host, tmp_path) as daemon:
        print(daemon.flowtop("--once", "--json", "--all").stdout)
        assert daemon.stop() == 0              # SIGTERM, exit status

The socket is a path, so a viewer reaches it from any namespace. The daemon's log goes to a file and is part of every
failure.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flowtopd.wire.codec import encode_viewer
from flowtopd.wire.messages import PROTOCOL_VERSION, Hello
from testbed.netns import Namespace, stop_process

ROOT: Final = Path(__file__).parent.parent
_START_S: Final = 15.0
_POLL_S: Final = 0.01


class Daemon:
    """One flowtopd with its files in `directory`. Started on entry, or by `start` as often as a test likes."""

    def __init__(self, namespace: Namespace, directory: Path, *options: str) -> None:
        self.namespace = namespace
        self.runtime_dir = directory / "run"
        self.socket = directory / "flowtop.sock"
        self._log = directory / "flowtopd.log"
        self._config = directory / "flowtopd.toml"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            stop_process(self._process)

    @property
    def argv(self) -> list[str]:
        """The daemon's command line."""
        paths = ["--config", self._config, "--runtime-dir", self.runtime_dir, "--socket", self.socket]
        return [sys.executable, "-m", "flowtopd", *map(str, paths), *self._options]

    @property
    def pid(self) -> int:
        """Process id of the running daemon."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the daemon has written so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def configure(self, toml: str) -> None:
        """Write the configuration for the next start."""
        self._config.write_text(toml, encoding="utf-8")

    def launch(self) -> None:
        """Start the daemon and do not wait for it."""
        self.runtime_dir.mkdir(exist_ok=True)
        if not self._config.exists():
            self.configure("")
        with self._log.open("ab") as log:
            self._process = self.namespace.popen(self.argv, stdout=log, stderr=log, cwd=ROOT)

    def start(self) -> None:
        """Start the daemon and wait until it answers. Raises RuntimeError with the log when it does not."""
        self.launch()
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"flowtopd does not start, status {self._process.poll()}:\n{self.log}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        """Whether a greeting is answered. A socket that accepts says little: it does so before the daemon is ready."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_START_S)
            try:
                sock.connect(os.fspath(self.socket))
                sock.sendall(encode_viewer(Hello(PROTOCOL_VERSION, "testbed")))
                sock.shutdown(socket.SHUT_WR)
                answer = sock.recv(4096)
                while sock.recv(4096):  # until the session has ended, so that it is not counted as a viewer
                    pass
            except (FileNotFoundError, ConnectionError):
                return False
            return bool(answer)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the daemon, its exit status. Raises RuntimeError with the log when a signal it should obey did not do."""
        assert self._process is not None
        status = stop_process(self._process, how)
        if status == -signal.SIGKILL and how is not signal.SIGKILL:
            raise RuntimeError(f"flowtopd did not stop:\n{self.log}")
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait for what comes of it."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        self.stop(signal.SIGKILL)

    def viewer_argv(self, *options: str) -> list[str]:
        """The command line of a viewer of this daemon."""
        return [sys.executable, "-m", "flowtop_client", "--socket", str(self.socket), *options]

    def flowtop(self, *options: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a viewer without a terminal to its end; its output and status."""
        return subprocess.run(
            self.viewer_argv(*options), capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
        )
