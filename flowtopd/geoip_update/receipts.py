"""What is in the directory of databases, and from where: so that a file is fetched only when there is a newer one.

`updates.json` beside the files has, for each, where it came from and what its server said about its version. It counts
only while the file is the one that was put there; without it, or where it cannot be read, all is fetched anew.
"""

import contextlib
import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import IO, Any, Final

from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update.job import Receipt, read_receipt

NAME: Final = "updates.json"
MODE: Final = 0o644
PREFIX: Final = ".update-"
"""Of files that are being written. What a killed update leaves is removed by the next."""


def find(directory: Path, url: str) -> tuple[Kind, Receipt] | None:
    """The kind and the receipt of the file that came from this URL and is still in place."""
    for name, entry in _read(directory).items():
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kind = Kind(name)
            status = (directory / f"{kind}.mmdb").stat()
            if entry["file"] == [status.st_size, status.st_mtime_ns] and entry["url"] == url:
                return kind, read_receipt(entry)
    return None


def install(directory: Path, kind: Kind, file: IO[bytes], temporary: Path, receipt: Receipt) -> None:
    """Put a complete file into its place, for good, and note where it came from. Raises OSError."""
    place = directory / f"{kind}.mmdb"
    os.fchmod(file.fileno(), MODE)
    os.fsync(file.fileno())
    temporary.replace(place)
    status = place.stat()
    entry = dataclasses.asdict(receipt) | {"file": [status.st_size, status.st_mtime_ns]}
    with tempfile.NamedTemporaryFile(dir=directory, prefix=PREFIX, delete=False) as written:
        written.write(json.dumps(_read(directory) | {kind: entry}, indent=1).encode())
        written.flush()
        os.fchmod(written.fileno(), MODE)
        os.fsync(written.fileno())
        Path(written.name).replace(directory / NAME)
    _sync_names(directory)


def _sync_names(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Remove what an update left that was killed. Only for who holds the lock."""
    for path in directory.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _read(directory: Path) -> dict[str, Any]:
    try:
        entries = json.loads((directory / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}
