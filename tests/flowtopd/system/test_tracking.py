"""flowtopd.system.tracking: a fact or None, by the kernel's list of hooks or by one datagram over loopback."""

import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from flowtopd.netlink.nlmsg import NFGENMSG, attribute, request
from flowtopd.system import tracking
from testbed.netns import Namespace


class Kernel:
    """The kernel's end of the socket: answers every request with what it was given."""

    def __init__(self, *answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self._pending: list[bytes] = []
        self.asked: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, message: bytes) -> None:
        self.asked.append(message)
        seq = message[8:12]
        self._pending += [block.replace(b"SEQ.", seq) for block in self._answers.pop(0)]

    def recv(self, size: int) -> bytes:
        assert size >= 32 * 1024
        if not self._pending:
            raise TimeoutError
        return self._pending.pop(0)


SEQ = int.from_bytes(b"SEQ.", sys.byteorder)
DONE = request(0x3, 0x2, SEQ, struct.pack("=i", 0))
EPERM = request(0x2, 0, SEQ, struct.pack("=i", -1))
EINVAL = request(0x2, 0, SEQ, struct.pack("=i", -22))


def hook(*names: bytes) -> bytes:
    """Hooks as nfnl_hook_dump_one() in net/netfilter/nfnetlink_hook.c writes them."""
    out = b""
    for name in names:
        module = attribute(5, b"nf_conntrack\0")
        function = attribute(4, name + b"\0") if name else b""
        where = attribute(1, struct.pack(">I", 0)) + attribute(2, struct.pack(">i", -200))
        out += request(12 << 8, 0x2, SEQ, NFGENMSG.pack(2, 0, 0) + module + function + where)
    return out


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "answer"),
    [
        ([hook(b"ipv4_conntrack_defrag", b"ipv4_conntrack_in"), DONE], [DONE], True),
        ([DONE], [hook(b"ipv6_conntrack_in"), DONE], True),
        ([DONE], [hook(b"ipv6_conntrack_in") + DONE], True),
        ([hook(b"ipv4_conntrack_in [nf_conntrack]"), DONE], [DONE], True),
        ([hook(b"nft_do_chain_inet"), hook(b"ipv4_conntrack_in"), DONE], [DONE], True),
        ([hook(b"nft_do_chain_inet"), DONE], [DONE], False),
        ([hook(b"ipv4_conntrack_defrag"), DONE], [DONE], False),
        ([DONE], [DONE], False),
        ([DONE], [EINVAL], False),
        ([hook(b"ipv4_conntrack_in"), DONE], [EINVAL], True),
    ],
)
def test_the_list_of_hooks_is_believed(
    ipv4: list[bytes], ipv6: list[bytes], answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(ipv4, ipv6)
    monkeypatch.setattr(tracking, "_netfilter", lambda: kernel)
    assert tracking.tracks() is answer
    assert [message[16] for message in kernel.asked] == [socket.AF_INET, socket.AF_INET6]


@pytest.mark.parametrize(
    "answer",
    [
        [EPERM],
        [EINVAL],
        [],
        [hook(b""), DONE],
        [request(12 << 8, 0x2, SEQ, NFGENMSG.pack(2, 0, 0) + b"\x02\x00\x04\x00"), DONE],
        [b"\x03\x00", b""],
    ],
)
def test_no_list_and_no_answer_to_the_probe_is_none(answer: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(answer, answer, [EPERM], [EPERM])
    monkeypatch.setattr(tracking, "_netfilter", lambda: kernel)
    assert tracking.tracks() is None


def test_no_netlink_at_all_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(tracking, "_netfilter", refused)
    assert tracking.tracks() is None


def test_a_kernel_without_conntrack_is_told_from_a_hidden_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net" / "netfilter" / "nf_conntrack_max"
    monkeypatch.setattr(tracking, "CONNTRACK_MAX", path)
    kernel = Kernel([EINVAL])
    monkeypatch.setattr(tracking, "_netfilter", lambda: kernel)
    assert tracking.conntrack_exists(), "hidden"
    assert kernel.asked == []
    (tmp_path / "net").mkdir()
    assert not tracking.conntrack_exists()
    assert len(kernel.asked) == 1, "the kernel had the chance to load its modules"
    path.parent.mkdir()
    path.write_text("1")
    assert tracking.conntrack_exists()


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A namespace where nothing asks for tracking."""
    with Namespace() as namespace:
        yield namespace


def asked(host: Namespace) -> bool | None:
    with host.entered():
        return tracking.tracks()


@pytest.mark.kernel
def test_this_kernel_has_conntrack() -> None:
    assert tracking.conntrack_exists()


@pytest.mark.kernel
@pytest.mark.parametrize("family", ["inet", "ip", "ip6"])
def test_a_real_kernel_is_asked(host: Namespace, family: str) -> None:
    assert asked(host) is False
    host.nft(f"table {family} t {{\n chain c {{\n ct state new accept\n }}\n}}")
    assert asked(host) is True
    host.nft(f"delete table {family} t")
    assert asked(host) is False


@pytest.mark.kernel
def test_the_question_leaves_nothing_behind_and_other_entries_alone(host: Namespace) -> None:
    host.track()
    server, client = (host.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with server, client:
        server.bind(("127.0.0.1", 0))
        client.sendto(b"x", server.getsockname())
    before = host.run(["conntrack", "-L"]).count("\n")
    assert before == 1
    assert asked(host) is True
    assert host.run(["conntrack", "-L"]).count("\n") == before


@pytest.mark.kernel
def test_without_cap_net_admin_it_cannot_be_told(host: Namespace) -> None:
    drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    code = "from flowtopd.system.tracking import tracks; print(tracks())"
    assert host.run([*drop, sys.executable, "-c", code]) == "None\n"


@pytest.mark.kernel
def test_no_loopback_cannot_be_told_by_datagram(host: Namespace) -> None:
    host.run(["ip", "link", "set", "lo", "down"])
    assert asked(host) in {None, False}, "the list of hooks does not need loopback"


def test_the_kernel_is_asked_once_in_a_while() -> None:
    asked = [False, True]
    now_s = [0.0]
    remembered = tracking.Tracking(lambda: asked.pop(0), lambda: now_s[0])
    assert [remembered.is_on() for _tick in range(100)] == [False] * 100
    now_s[0] += tracking.AGAIN_S
    assert [remembered.is_on() for _tick in range(100)] == [True] * 100
