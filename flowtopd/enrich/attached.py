"""What rules have attached to a flow that somebody looks at: its helper, and its labels with their names.

    key ─▶ row ─▶ CT_GET, by original tuple and zone ─▶ the entry with this CTA_ID ─▶ helper, labels ─▶ names
                  (the kernel, once a tick)

Texts and bitmaps are not among the columns of a tick: all flows would pay for what few have and nobody sorts by. So the
kernel is asked for one entry at a time, which takes 50 µs, and only for flows whose details a viewer has open.

Rules
1. What cannot be told is what was told last: so a flow that has closed keeps what it had.
2. A label is called as in /etc/connlabel.conf (nft) or /etc/xtables/connlabel.conf (iptables), else by its number. The
   files are read when there is something to name, so that they may change at any time.
3. A line of theirs is a number from 0 to 127, decimal or with 0x, blanks, a name, maybe a comment behind `#`. The first
   line of a number counts. A name has nothing that does not print, and at most NAME_LENGTH characters. Lines that are
   none of these are skipped.
"""

import contextlib
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from flowtopd.flows.dimensions import Attached
from flowtopd.flows.entry import entry
from flowtopd.flows.snapshot import Snapshot
from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctget import ANSWER, get_request
from flowtopd.netlink.datagrams import Questioner
from flowtopd.netlink.nlmsg import MalformedMessage, NetlinkError
from flowtopd.netlink.nlsocket import open_netfilter

FILES: Final = (Path("/etc/connlabel.conf"), Path("/etc/xtables/connlabel.conf"))
NAME_LENGTH: Final = 30
LABELS: Final = 128

_MOST_BYTES: Final = 1 << 16
"""Of a file. A line for every label, with a comment, fits in."""


class Attachments:
    """Asks the kernel what is attached to flows. For one thread, in the network namespace of that one."""

    def __init__(
        self, files: Sequence[Path] = FILES, open_socket: Callable[[], socket.socket] = open_netfilter
    ) -> None:
        self._files = files
        self._questioner = Questioner(open_socket)
        self._known: dict[int, Attached] = {}

    def forget(self) -> None:
        """Drop what is known, and close the socket; the next question opens another."""
        self._known = {}
        self._questioner.close()

    def of(self, snapshot: Snapshot, keys: Collection[int]) -> Mapping[int, Attached]:
        """Return by key what is attached to these flows, as far as it is known."""
        found = {}
        for key, row in zip(keys, snapshot.rows_of(np.array([*keys], np.uint64)).tolist(), strict=True):
            told = self._ask(snapshot, row) if row >= 0 else None
            if told is not None or (told := self._known.get(key)) is not None:
                found[key] = told
        self._known = found
        return found

    def _ask(self, snapshot: Snapshot, row: int) -> Attached | None:
        wanted = entry(snapshot, row)
        requests = [partial(get_request, wanted, zone) for zone in dict.fromkeys((wanted["zone"], 0))]
        with contextlib.suppress(NetlinkError, MalformedMessage):
            view, answers = self._questioner.ask(requests, ANSWER)
            for start, size in zip(answers.offsets.tolist(), answers.lengths.tolist(), strict=True):
                told = decode_entry(view, start, start + size)
                if told.get("ctid") == wanted["ctid"]:
                    return Attached(told.get("helper"), self._named(bits(told.get("labels", b""))))
        return None

    def _named(self, labels: list[int]) -> tuple[str, ...]:
        names = parse(map(_read, self._files)) if labels else {}
        return tuple(names.get(label, str(label)) for label in labels)


def bits(bitmap: bytes) -> list[int]:
    """The labels that are set in a bitmap, which is made of 32-bit words of this machine's byte order."""
    words = (int.from_bytes(bitmap[at : at + 4], sys.byteorder) << 8 * at for at in range(0, len(bitmap), 4))
    number = sum(words)
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]


def parse(texts: Iterable[str]) -> dict[int, str]:
    """Return the names of labels in these files, the first of which counts most."""
    names: dict[int, str] = {}
    for line in (line for text in texts for line in text.splitlines()):
        with contextlib.suppress(ValueError):
            number, name = line.partition("#")[0].split(None, 1)
            label = int(number, 16 if number.startswith("0x") else 10)
            name = "".join(filter(str.isprintable, name)).strip()[:NAME_LENGTH]
            if name and 0 <= label < LABELS:
                names.setdefault(label, name)
    return names


def _read(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_MOST_BYTES).decode(errors="replace")
    return ""
