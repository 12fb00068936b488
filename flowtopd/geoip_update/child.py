"""The child that downloads, from the parent's side: a Job in, answers out, and a file with the database in it.

Rules: the child gets a clean environment, two files, and nothing else of this process. It is killed when it takes
longer than an update may, when it is cancelled, and by the kernel when this process ends. It can at worst answer
nonsense, which counts as a failure. Only when it is gone may the file be used.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flowtopd.geoip_update.job import LONGEST_LINE, Answer, Done, Failed, Got, Job, job_line, plain, read_answer

DEADLINE_S: Final = 1800.0

PATIENCE_S: Final = 3.0
"""After how long without a word one wants to know what is waited for: a dead name server takes half a minute."""

_KEPT: Final = (
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "LANG", "LC_ALL", "PATH"),
)
"""Of the environment: the way out, and which authorities are trusted."""

PROGRAM: Final = """
import sys
sys.path[:] = sys.argv[3:]
from flowtopd.geoip_update.fetch import main
sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
"""
_ROOT: Final = str(Path(__file__).resolve().parents[2])


class Silent:
    """In place of an answer: none has come for as long as one is patient."""


class Child:
    """One download. `raw` and `out` are open files: what comes, and the database in it. Raises OSError."""

    def __init__(
        self,
        job: Job,
        raw: int,
        out: int,
        deadline_s: float = DEADLINE_S,
        program: str = PROGRAM,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._deadline_s = time.monotonic() + deadline_s
        self._patience_s = patience_s
        self._limit_s = deadline_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the child
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own module
                # isolated: nothing from the environment or the current directory runs with what rights there are
                [sys.executable, "-I", "-c", program, str(raw), str(out), *_search_path()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                pass_fds=(raw, out),
                cwd="/",
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except BaseException:
            self._said.close()
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._job = job_line(job)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()
        self._said.close()

    def kill(self) -> None:
        """End it. May be called by another thread."""
        self._process.kill()

    def answers(self) -> Iterator[Answer | Silent]:
        """Yield what it says, maybe Silent first. The last one is Done or Failed, and by then the child is gone."""
        try:
            self._stdin.write(self._job)
            self._stdin.flush()
        except BrokenPipeError:
            yield Failed(self._last_words())
            return
        if self._is_silent():
            yield Silent()
        buffer = b""
        while data := self._read():
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                answer = _understood(line)
                if isinstance(answer, Done | Failed):
                    self._end()
                    yield answer
                    return
                yield answer
            if len(buffer) > LONGEST_LINE:
                break
        self._end()
        late = time.monotonic() >= self._deadline_s
        yield Failed(f"took longer than {self._limit_s:g} s" if late else self._last_words())

    def _is_silent(self) -> bool:
        """Wait for its first word; tell whether there is none for longer than one is patient."""
        return not self._hears(min(self._patience_s, self._left_s()))

    def _read(self) -> bytes:
        """What it says next, empty at its end or when its time is up."""
        left_s = self._left_s()
        return os.read(self._stdout.fileno(), 1 << 16) if left_s > 0 and self._hears(left_s) else b""

    def _left_s(self) -> float:
        return max(0.0, self._deadline_s - time.monotonic())

    def _hears(self, within_s: float) -> bool:
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def _end(self) -> None:
        self.kill()
        self._process.wait()

    def _last_words(self) -> str:
        """Why it ended without an answer."""
        self._end()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return "the download ended without an answer" + (f": {plain(lines[-1])}" if lines else "")


def _understood(line: bytes) -> Got | Done | Failed:
    try:
        return read_answer(line)
    except (ValueError, RecursionError):
        return Failed("the download answered nonsense")


def _search_path() -> list[str]:
    """Where this process finds its modules, so that the child is of the same version, wherever that is installed."""
    return list(dict.fromkeys([*(path for path in sys.path if Path(path).is_absolute()), _ROOT]))
