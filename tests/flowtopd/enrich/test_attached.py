"""flowtopd.enrich.attached: helpers and labels as the kernel has them, on real tables; their names on files."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowtopd.enrich.attached import FILES, LABELS, NAME_LENGTH, Attachments, bits, parse
from flowtopd.flows.dimensions import Attached
from flowtopd.flows.snapshot import Moment, Snapshot
from flowtopd.flows.table import FlowTable
from flowtopd.netlink.ctentry import decode_entry
from flowtopd.netlink.ctnetlink import Decoder, dump_request
from flowtopd.netlink.nlmsg import NLMSGHDR
from flowtopd.netlink.nlsocket import NetlinkSocket
from testbed import conntrack
from testbed.entries import HELPER_RULE, LABEL_RULE, SPECIAL
from testbed.inject import inject
from testbed.netns import Namespace
from tests.flowtopd.batches import Flow, snapshot

FLOW = snapshot(Flow())
(KEY,) = FLOW.columns["key"].tolist()


class Table:
    """A real table with one of everything that is rare: what a tick sees of it, and what the kernel says in full."""

    def __init__(self, namespace: Namespace, files: tuple[Path, ...] = ()) -> None:
        self.namespace = namespace
        namespace.nft(LABEL_RULE)
        namespace.nft(HELPER_RULE)
        inject(namespace, SPECIAL.values())
        self.attachments = Attachments(files)
        self.entries: dict[int, dict[str, Any]] = {}
        self.taken = self._take()
        self.keys = self.taken.columns["key"].tolist()

    def _take(self) -> Snapshot:
        decoder = Decoder()
        decoder.begin(64)
        with self.namespace.entered(), NetlinkSocket() as netlink:
            for block in netlink.dump(dump_request):
                decoder.feed(block.data, block.seq, 0.0)
                at = 0
                while at < len(block.data):
                    (length, *_) = NLMSGHDR.unpack_from(block.data, at)
                    entry = decode_entry(block.data, at, at + length)
                    self.entries[entry["ctid"]] = entry
                    at += (length + 3) & ~3
        return FlowTable().apply(decoder.finish(), Moment(1_700_000_000.0, 0.0))

    def ask(self, keys: list[int]) -> list[Attached | None]:
        with self.namespace.entered():
            found = self.attachments.of(self.taken, keys)
        return [found.get(key) for key in keys]


@pytest.fixture
def table(namespace: Namespace) -> Iterator[Table]:
    made = Table(namespace)
    yield made
    made.attachments.forget()


@pytest.mark.kernel
def test_every_kind_of_entry_is_told_with_what_the_kernel_has_attached_to_it(table: Table) -> None:
    told = dict(zip(table.taken.columns["ctid"].tolist(), table.ask(table.keys), strict=True))
    assert told == {
        ctid: Attached(entry.get("helper"), tuple(map(str, bits(entry.get("labels", b"")))))
        for ctid, entry in table.entries.items()
    }
    assert {each.helper for each in told.values() if each is not None} == {None, "ftp"}
    assert max(len(each.labels) for each in told.values() if each is not None) == LABELS


@pytest.mark.kernel
def test_labels_that_nft_sets_have_the_names_that_it_reads(namespace: Namespace, tmp_path: Path) -> None:
    """The kernel's bits, not ours: a connection with labels that a rule gave it."""
    names = tmp_path / "connlabel.conf"
    attachments = Attachments([names])
    namespace.nft(
        "table inet marks { chain c { type filter hook output priority 0; "
        "tcp dport 22 ct label set 5; tcp dport 22 ct label set 100; }; }"
    )
    with namespace.entered():
        listener = socket.create_server(("127.0.0.1", 22))
        client = socket.create_connection(("127.0.0.1", 22))
    with listener, client, namespace.entered():
        decoder = Decoder()
        decoder.begin(1)
        with NetlinkSocket() as netlink:
            for block in netlink.dump(dump_request):
                decoder.feed(block.data, block.seq, 0.0)
        taken = FlowTable().apply(decoder.finish(), Moment(0.0, 0.0))
        keys = taken.columns["key"].tolist()
        assert [*attachments.of(taken, keys).values()] == [Attached(None, ("5", "100"))]
        names.write_text("5 from-vpn\n")
        assert [*attachments.of(taken, keys).values()] == [Attached(None, ("from-vpn", "100"))]
    attachments.forget()


@pytest.mark.kernel
def test_of_an_entry_that_is_gone_what_was_told_last_is_kept_as_long_as_somebody_looks(table: Table) -> None:
    before = table.ask(table.keys)
    conntrack.flush(table.namespace)
    assert table.ask(table.keys) == before
    assert table.ask([]) == []
    assert set(table.ask(table.keys)) == {None}


@pytest.mark.kernel
def test_another_entry_with_the_same_tuple_is_not_told_for_it(table: Table) -> None:
    columns = table.taken.columns | {"ctid": table.taken.columns["ctid"] ^ 1}
    table.taken = replace(table.taken, columns=columns)
    assert set(table.ask(table.keys)) == {None}


def test_of_flows_that_are_not_there_nothing_is_asked() -> None:
    def refuse() -> socket.socket:
        raise AssertionError("a socket is opened")

    attachments = Attachments((), refuse)
    assert attachments.of(FLOW, []) == {}
    assert attachments.of(FLOW, [KEY ^ 1]) == {}


def test_a_kernel_that_refuses_says_nothing() -> None:
    def refuse() -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    assert Attachments((), refuse).of(FLOW, [KEY]) == {}


@pytest.mark.parametrize("labels", [[], [0], [31, 32], [5, 64, 100, 127], [*range(LABELS)]])
def test_bits_are_numbered_through_all_words(labels: list[int]) -> None:
    words = [sum(1 << label % 32 for label in labels if label // 32 == word) for word in range(LABELS // 32)]
    assert bits(struct.pack("=4I", *words)) == labels


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["0 eth0-in\n1\teth0 out\n"], {0: "eth0-in", 1: "eth0 out"}),
        (["# a comment\n\n 0x7f  last # of all\n"], {127: "last"}),
        (["3  \x1b\n", "128 beyond\n-1 below\n1\nname 1\n0x 3\n2two\n"], {}),
        (["5 first\n5 second\n", "5 third\n6 sixth\n"], {5: "first", 6: "sixth"}),
        ([f"1 {'x' * 99}\n2 \x1b[2Jred\u202e\n"], {1: "x" * NAME_LENGTH, 2: "[2Jred"}),
        ([], {}),
    ],
)
def test_names_of_labels_are_read_as_nft_and_iptables_write_them(texts: list[str], names: dict[int, str]) -> None:
    assert parse(texts) == names


def test_the_files_are_those_of_nft_and_of_iptables() -> None:
    assert [str(path) for path in FILES] == ["/etc/connlabel.conf", "/etc/xtables/connlabel.conf"]
