"""A recording as a file: the one place of `wire` that touches the outside, so that both programs do it alike.

Rules
1. A new file belongs to who records, mode 0600: connections are private. What is there already is never written over.
2. A frame is written whole or taken back, so that a full disk leaves a file that can be played.
3. Reading holds no more than a frame, and goes on where another program still writes: to where it was when opened.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from flowtopd.wire.errors import RecordingError
from flowtopd.wire.recording import About, Recording, Writer
from flowtopd.wire.samples import Sample


class RecordingFile:
    """A file that is being recorded into. Raises OSError where it cannot be made."""

    def __init__(self, path: Path, about: About) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._writer = Writer()
        self.size = 0
        self.samples = 0
        try:
            self._append(self._writer.begin(about))
        except OSError:
            self.close()
            path.unlink()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, sample: Sample) -> None:
        """Write a sample. Raises OSError and RecordingError; the file ends before it then."""
        self._append(self._writer.add(sample))
        self.samples += 1

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """End the recording."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@contextlib.contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """Open a file to play it. Raises OSError and RecordingError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError("this is no file")
        yield Recording(lambda offset, length: os.pread(descriptor, length, offset), status.st_size)
    finally:
        os.close(descriptor)
