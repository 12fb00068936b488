"""flowtop_client.connection.advice: by the files and groups that are there."""

import grp
import os
from pathlib import Path

import pytest

from flowtop_client.connection.advice import User, for_no_daemon, for_permission, this_user

OTHER = next(group for group in grp.getgrall() if group.gr_gid)
"""A group of this machine that is not root's."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to groups: only root may")


def socket_of(path: Path, gid: int) -> str:
    path.touch()
    os.chown(path, -1, gid)
    return str(path)


@needs_root
def test_the_group_is_that_of_the_socket(tmp_path: Path) -> None:
    path = socket_of(tmp_path / "s", OTHER.gr_gid)
    assert for_permission(path, User("anna", (), ())) == f"`sudo usermod -aG {OTHER.gr_name} anna`, then log in again"


@needs_root
def test_who_was_added_after_the_session_began_only_logs_in_again(tmp_path: Path) -> None:
    path = socket_of(tmp_path / "s", OTHER.gr_gid)
    said = for_permission(path, User("anna", (), (OTHER.gr_gid,)))
    assert said.endswith("log in again")
    assert "usermod" not in said
    assert OTHER.gr_name in said


@needs_root
def test_a_member_is_not_sent_to_become_one(tmp_path: Path) -> None:
    path = socket_of(tmp_path / "s", OTHER.gr_gid)
    said = for_permission(path, User("anna", (OTHER.gr_gid,), (OTHER.gr_gid,)))
    assert "usermod" not in said
    assert f"`ls -l {path}`" in said


@needs_root
def test_a_socket_of_roots_group_has_no_group_to_join(tmp_path: Path) -> None:
    assert "groupadd" in for_permission(socket_of(tmp_path / "s", 0), User("anna", (), ()))


@needs_root
def test_a_closed_directory_names_the_group(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, OTHER.gr_gid)
    assert f"-aG {OTHER.gr_name} anna" in for_permission(str(tmp_path / "none"), User("anna", (), ()))


def test_without_a_path_it_is_the_usual_group() -> None:
    assert "flowtop" in for_permission("", User("anna", (), ()))


def test_this_user_is_in_the_groups_of_this_process() -> None:
    user = this_user()
    assert set(os.getgroups()) <= set(user.now)
    assert user.name


def test_a_service_is_named_only_where_systemd_runs_and_has_it(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    unit = units / "flowtopd.service"
    assert "systemctl" not in for_no_daemon(systemd=tmp_path, units=[units])
    unit.touch()
    assert "`sudo systemctl start flowtopd`" in for_no_daemon(systemd=tmp_path, units=[units])
    assert "flowtopd.socket" in for_no_daemon(systemd=tmp_path, units=[units])
    assert "systemctl" not in for_no_daemon(systemd=tmp_path / "none", units=[units])
    assert "`sudo flowtop --standalone`" in for_no_daemon(systemd=tmp_path / "none", units=[units])
