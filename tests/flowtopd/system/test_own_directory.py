import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from flowtopd.system import own_directory
from flowtopd.system.own_directory import UnsafeDirectoryError, check_directory
from testbed.daemon import ROOT

STRANGER = 12345


def test_a_directory_of_ours_is_safe(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir(mode=0o755)
    check_directory(place)
    check_directory(Path("/run"))


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777, 0o777])
def test_a_directory_that_others_may_write_to_is_refused_also_with_the_sticky_bit(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "run"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(UnsafeDirectoryError) as caught:
        check_directory(place)
    assert str(caught.value) == f"others can write to {place}, and could put another socket there"
    assert f"`chmod go-w {place}`" in caught.value.hint


@pytest.mark.parametrize(("mode", "safe"), [(0o777, False), (0o775, False), (0o1777, True), (0o755, True)])
def test_whoever_could_rename_the_directory_is_kept_out_too(tmp_path: Path, mode: int, *, safe: bool) -> None:
    place = tmp_path / "open" / "run"
    place.mkdir(parents=True)
    place.parent.chmod(mode)
    if safe:
        check_directory(place)
    else:
        with pytest.raises(UnsafeDirectoryError, match=f"others can write to {place.parent},"):
            check_directory(place)


@pytest.mark.kernel
@pytest.mark.parametrize("whose", ["run", "."])
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, whose: str) -> None:
    place = tmp_path / "theirs" / "run"
    place.mkdir(parents=True)
    os.chown(place / (".." if whose == "." else "."), STRANGER, STRANGER)
    with pytest.raises(UnsafeDirectoryError, match=f"belongs to uid {STRANGER}"):
        check_directory(place)


@pytest.mark.kernel
def test_the_directory_of_the_daemons_user_is_roots_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`flowtopd --restore` of root, after a daemon with a user of its own was killed."""
    user = pwd.getpwuid(1)
    monkeypatch.setattr(own_directory, "SERVICE_USER", user.pw_name)
    os.chown(tmp_path, user.pw_uid, user.pw_gid)
    check_directory(tmp_path)


@pytest.mark.kernel
def test_a_link_is_followed_to_where_the_socket_will_be(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, STRANGER, STRANGER)
    (tmp_path / "link").symlink_to(theirs)
    with pytest.raises(UnsafeDirectoryError, match=f"belongs to uid {STRANGER}"):
        check_directory(tmp_path / "link")


@pytest.mark.kernel
def test_in_a_user_namespace_what_belongs_to_the_host_is_no_strangers(tmp_path: Path) -> None:
    """There / belongs to an owner that has no number inside."""
    code = f"from flowtopd.system.own_directory import *; check_directory(Path({str(tmp_path)!r}))"
    program = f"import os\nfrom pathlib import Path\n{code}\nprint(os.stat('/').st_uid)"
    argv = ["unshare", "--user", "--map-user=1000", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_one_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_directory(tmp_path / "none")
