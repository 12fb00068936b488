"""Who a peer is, as the kernel says: real users on real sockets."""

import grp
import os
import socket
from pathlib import Path

import pytest

from flowtopd.session.peers import GROUPS_S, Peer, Policy, Standing, peer
from flowtopd.wire.messages import Right
from testbed.users import connected, reachable

GROUP, ADMIN = grp.getgrgid(1), grp.getgrgid(4)
ALICE = 12345


def policy(group: str = GROUP.gr_name, admin_group: str = ADMIN.gr_name) -> Policy:
    return Policy(group, admin_group)


@pytest.mark.kernel
@pytest.mark.parametrize("groups", [(), (7, 8), (7, GROUP.gr_gid), tuple(range(1000, 1256)), tuple(range(1000, 1257))])
@pytest.mark.parametrize("uid", [0, ALICE])
def test_the_kernel_says_who_it_is(tmp_path: Path, uid: int, groups: tuple[int, ...]) -> None:
    """257 groups are more than Python asks for."""
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        reachable(path)
        listener.listen()
        with connected(path, uid, groups):
            accepted, _address = listener.accept()
            with accepted:
                who = peer(accepted)
    assert (who.uid, who.groups) == (uid, frozenset({uid, *groups}))


@pytest.mark.kernel
def test_a_member_of_thousands_of_groups_is_one_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    groups = range(100_000, 165_536)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        reachable(path)
        listener.listen()
        with connected(path, ALICE, groups):
            accepted, _address = listener.accept()
            with accepted:
                assert peer(accepted).groups == {ALICE, *groups}


@pytest.mark.parametrize(
    ("who", "standing", "rights"),
    [
        (Peer(1, 0, frozenset()), Standing.ROOT, {Right.UPDATE, Right.ACT}),
        (Peer(1, os.geteuid(), frozenset()), Standing.ROOT, {Right.UPDATE, Right.ACT}),
        (Peer(1, ALICE, frozenset({GROUP.gr_gid})), Standing.MEMBER, {Right.UPDATE}),
        (Peer(1, ALICE, frozenset({ADMIN.gr_gid})), Standing.MEMBER, {Right.ACT}),
        (Peer(1, ALICE, frozenset({GROUP.gr_gid, ADMIN.gr_gid})), Standing.MEMBER, {Right.UPDATE, Right.ACT}),
        (Peer(1, ALICE, frozenset({ALICE, 7})), Standing.OUTSIDER, set()),
    ],
)
def test_what_a_peer_may_depends_on_its_groups(who: Peer, standing: Standing, rights: set[Right]) -> None:
    assert policy().standing(who) is standing
    assert set(policy().rights(who)) == rights


@pytest.mark.parametrize(("group", "admin_group"), [("no-such-group", ""), ("no-such-group", "no-such-either")])
def test_of_groups_that_are_not_there_nobody_is_a_member(group: str, admin_group: str) -> None:
    who = Peer(1, ALICE, frozenset(range(1, 100)))
    assert policy(group, admin_group).standing(who) is Standing.OUTSIDER
    assert policy(group, admin_group).rights(who) == ()


def test_where_nothing_can_be_done_not_even_root_may() -> None:
    assert Policy(GROUP.gr_name, ADMIN.gr_name, acting=False).rights(Peer(1, 0, frozenset())) == (Right.UPDATE,)


def test_a_group_that_is_made_later_counts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    made = Policy("made-later", clock=lambda: now_s[0])
    who = Peer(1, ALICE, frozenset({GROUP.gr_gid}))
    assert made.standing(who) is Standing.OUTSIDER
    monkeypatch.setattr(grp, "getgrnam", lambda _name: GROUP)
    assert made.standing(who) is Standing.OUTSIDER
    now_s[0] += GROUPS_S
    assert made.standing(who) is Standing.MEMBER
