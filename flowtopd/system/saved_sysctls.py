"""The file that remembers sysctls as they were before we changed them: `sysctls.json` in the runtime directory.

    {"version": 1, "boot": "<boot id>", "netns": <inode>,
     "sysctls": {"nf_conntrack_acct": {"old": "0", "ours": "1"}, ...}}

Rules: it names the boot and the network namespace that the values belong to. That of another boot is removed,
the kernel it speaks of is gone. What we would not have written ourselves is set aside, once, with a line that
says so; a value out of it never reaches the kernel.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowtopd.system.runtime_dir import RuntimeDir

STATE_NAME: Final = "sysctls.json"
CORRUPT_NAME: Final = STATE_NAME + ".corrupt"

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One sysctl that we changed: what it was, and what we made it."""

    old: str
    ours: str


Changes = dict[str, Change]
"""By the name of the sysctl."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of the file."""

    boot: str
    netns: int
    changes: Changes


def boot_id() -> str:
    """What this boot of the kernel is called; empty where /proc hides it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # ProcSubset=pid: the sysctls are hidden there too, so nothing is ever saved
        return ""


def netns() -> int:
    """Inode of the network namespace of this thread."""
    return Path("/proc/thread-self/ns/net").stat().st_ino


def store(runtime: RuntimeDir, changes: Changes) -> None:
    """Make `changes` what the file says; no changes, no file. On the disk when this returns. Raises OSError."""
    if not changes:
        runtime.remove(STATE_NAME)
        return
    values = {name: {"old": change.old, "ours": change.ours} for name, change in changes.items()}
    document = {"version": _VERSION, "boot": boot_id(), "netns": netns(), "sysctls": values}
    runtime.write(STATE_NAME, json.dumps(document, indent=2).encode() + b"\n")


def load(runtime: RuntimeDir, known: frozenset[str]) -> tuple[Saved | None, list[str]]:
    """What was saved in this boot about sysctls in `known`, and a line if the file is unusable."""
    file = runtime.path / STATE_NAME
    try:
        content = runtime.read(STATE_NAME)
        saved = None if content is None else _decode(content, known)
    except OSError as error:
        return None, [f"{file} cannot be read: {error.strerror or error}"]
    except ValueError as error:
        with contextlib.suppress(OSError):
            runtime.rename(STATE_NAME, CORRUPT_NAME)
        return None, [f"{file} is damaged ({error}), moved to {CORRUPT_NAME}: what was set before is lost"]
    if saved is not None and saved.boot != boot_id():
        with contextlib.suppress(OSError):
            runtime.remove(STATE_NAME)
        return None, []
    return saved, []


def elsewhere(runtime: RuntimeDir) -> str:
    """The line for a file of another network namespace."""
    return (
        f"{runtime.path / STATE_NAME} holds sysctls of another network namespace: "
        "run flowtopd --restore there, or remove it if that is gone"
    )


def _decode(content: bytes, known: frozenset[str]) -> Saved:
    """Raises ValueError for anything that `store` does not write."""
    try:
        document = json.loads(content)
        changes = {name: Change(item["old"], item["ours"]) for name, item in document["sysctls"].items()}
        saved = Saved(document["boot"], document["netns"], changes)
        version = document["version"]
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not what flowtopd writes") from None
    if version != _VERSION:
        raise ValueError(f"version {version!r:.20}")
    values = [value for change in changes.values() for value in (change.old, change.ours)]
    if (
        type(saved.boot) is not str
        or type(saved.netns) is not int
        or not changes.keys() <= known
        or not all(isinstance(value, str) and value.isascii() and value.isdigit() for value in values)
    ):
        raise ValueError("not what flowtopd writes")
    return saved
