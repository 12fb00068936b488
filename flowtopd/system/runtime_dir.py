"""The runtime directory (`/run/flowtop`): one daemon in it at a time, and small files that survive SIGKILL.

Rules
- Whoever changes something in the directory holds its lock: flock(2) on `flowtopd.lock`, which the kernel
  drops however the process ends. The pid inside is for the message to the second daemon alone.
- The lock file is never removed: a third process could lock a file that a second one has just unlinked.
  It is 0600, since anybody who can open a file can also lock it.
- A file is written beside its name, synced, and renamed over it; then the directory is synced. After a
  crash there is the old file or the new one, never a part.
- Nobody but root and the daemon's user can write to it: what is in it is believed (`own_directory`).
- Files are opened relative to the directory and never through a symbolic link.
"""

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flowtopd.system.own_directory import check_directory

DEFAULT_PATH: Final = Path("/run/flowtop")

LOCK_NAME: Final = "flowtopd.lock"

_MAX_BYTES: Final = 64 * 1024
"""Longest file that is read back; ours have a few hundred bytes."""


class AlreadyRunningError(Exception):
    """Another process holds the lock of the directory. `pid` is None where it has not yet been written."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(path, pid)
        self.path = path
        self.pid = pid

    def __str__(self) -> str:
        """One line for a person."""
        owner = "" if self.pid is None else f" (pid {self.pid})"
        return f"flowtopd is already running in {self.path}{owner}"


def _make(path: Path) -> bool:
    try:
        path.mkdir(mode=0o755)
    except FileExistsError:
        return False
    return True


class RuntimeDir:
    """The directory, made if it is missing, and locked by this process until `close`.

    Raises AlreadyRunningError, UnsafeDirectoryError, or OSError where the directory cannot be made or opened.
    """

    def __init__(self, path: Path = DEFAULT_PATH) -> None:
        self.path = path
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        made = _make(path)
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if made:
                os.fchmod(self._directory, 0o755)  # whatever the umask: viewers of the group must get through
            check_directory(path, os.fstat(self._directory))
            self._lock = self._locked()
        except BaseException:
            os.close(self._directory)
            raise

    def _locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        lock = os.open(LOCK_NAME, flags, 0o600, dir_fd=self._directory)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, the message lacks the pid
                os.ftruncate(lock, 0)
                os.pwrite(lock, b"%d\n" % os.getpid(), 0)
            self._give(lock)
        except BlockingIOError:
            pid = os.pread(lock, 32, 0).strip()
            os.close(lock)
            raise AlreadyRunningError(self.path, int(pid) if pid.isdigit() else None) from None
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _give(self, file: int) -> None:
        """Make a file its that has the directory: root by hand, then the service's user, use it one after the other."""
        owner = os.fstat(self._directory)
        if os.geteuid() == 0 and owner.st_uid != 0:
            with contextlib.suppress(OSError):  # the right to do so is dropped after the start
                os.fchown(file, owner.st_uid, owner.st_gid)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None when there is none. Raises OSError, also for what is no regular file."""
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._directory)
        except FileNotFoundError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(f"{self.path / name} is not a regular file")
            return os.read(file, _MAX_BYTES)
        finally:
            os.close(file)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file as a whole; on the disk when this returns. Raises OSError, with the old file in place."""
        new = name + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=self._directory)  # of a daemon that was killed just here
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(new, flags, 0o644, dir_fd=self._directory)
        try:
            with open(file, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
                stream.write(content)
                stream.flush()
                self._give(file)
                os.fsync(file)
            os.rename(new, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=self._directory)
            raise
        os.fsync(self._directory)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; gone from the disk when this returns. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._directory)
            os.fsync(self._directory)

    def rename(self, name: str, target: str) -> None:
        """Give a file another name, over whatever has that name."""
        os.rename(name, target, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def close(self) -> None:
        """Let another daemon have the directory."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        os.close(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
