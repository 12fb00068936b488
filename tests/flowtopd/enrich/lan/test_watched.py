"""flowtopd.enrich.lan.watched: files that other programs write."""

import os
from pathlib import Path

import pytest

from flowtopd.enrich.lan.watched import MOST_BYTES, Watched


def counted(path: Path) -> tuple[Watched[str], list[str]]:
    parsed: list[str] = []

    def parse(text: str) -> str:
        parsed.append(text)
        return text

    return Watched(path, parse), parsed


def test_a_file_is_read_when_it_has_changed_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    watched, parsed = counted(path)
    assert watched.read() == ""
    path.write_text("one")
    first = watched.read()
    assert first == "one"
    assert watched.read() is first
    path.write_text("other")
    assert watched.read() == "other"
    path.unlink()
    assert watched.read() == ""
    assert parsed == ["", "one", "other", ""]


def test_a_change_of_as_many_bytes_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    path.write_text("one")
    watched, _parsed = counted(path)
    assert watched.read() == "one"
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    assert watched.read() == "two"


def test_a_file_that_replaces_another_is_read(tmp_path: Path) -> None:
    path, new = tmp_path / "leases", tmp_path / "new"
    path.write_text("one")
    watched, _parsed = counted(path)
    assert watched.read() == "one"
    new.write_text("two")
    os.utime(new, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    new.replace(path)
    assert watched.read() == "two"


def test_what_is_no_text_is_read_anyway(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    path.write_bytes(b"caf\xe9 \xff")
    assert counted(path)[0].read() == "caf\ufffd \ufffd"


def test_a_huge_file_is_named_once_and_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "leases"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    watched, parsed = counted(path)
    assert [watched.read() for _ in range(3)] == [""] * 3
    assert parsed == [""]
    assert [record.getMessage() for record in caplog.records] == [f"{path}: {MOST_BYTES + 1} bytes; it is not used"]


def test_what_is_no_file_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing" / "file", Path("/dev/zero")):
        assert counted(path)[0].read() == ""


@pytest.mark.kernel
def test_a_file_of_an_ordinary_user_is_named_once_and_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "dhcp.leases"
    path.write_text("one")
    watched, _parsed = counted(path)
    os.chown(path, 1000, -1)
    assert [watched.read() for _ in range(3)] == [""] * 3
    assert [record.getMessage() for record in caplog.records] == [f"{path}: it belongs to user 1000; it is not used"]
    os.chown(path, 453, -1)
    assert watched.read() == "one"


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening: somebody who may write to the folder changes one for the other."""
    path = tmp_path / "leases"
    path.write_text("one")
    watched, _parsed = counted(path)
    look = Path.stat

    def look_and_change(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        seen = look(self, follow_symlinks=follow_symlinks)
        self.unlink()
        os.mkfifo(self)
        return seen

    monkeypatch.setattr(Path, "stat", look_and_change)
    assert watched.read() == ""


def test_a_link_is_followed_only_where_it_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text")
    link = tmp_path / "link"
    link.symlink_to("real")
    assert Watched(link, str).read() == ""
    assert Watched(link, str, may_link=True).read() == "text"


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "leases"
    path.write_text("one")
    watched, _parsed = counted(path)
    status = path.lstat()
    path.unlink()
    path.symlink_to("secret")
    monkeypatch.setattr(Path, "stat", lambda _self, **_options: status)
    assert watched.read() == ""
