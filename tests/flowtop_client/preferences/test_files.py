import stat
from dataclasses import replace
from pathlib import Path

import pytest

from flowtop_client.preferences.files import Files, usual_files
from flowtop_client.preferences.writing import replace_file
from flowtop_client.view_state.filter_line import REMEMBERED
from flowtop_client.view_state.place import VIEWS, Place
from flowtop_client.view_state.state import ViewState
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.messages import View

CHOSEN = replace(
    ViewState(),
    theme=Theme.LIGHT,
    choices=(("address", "rate"), *((),) * (len(VIEWS) - 1)),
    sort="bytes",
    places=(Place(), Place("flows"), *(Place(),) * (len(VIEWS) - 2)),
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "config" / "config.toml", tmp_path / "state" / "filters")


def test_paths_are_those_of_xdg() -> None:
    home = usual_files({"HOME": "/home/me"})
    assert home == Files(Path("/home/me/.config/flowtop/config.toml"), Path("/home/me/.local/state/flowtop/filters"))
    xdg = usual_files({"HOME": "/home/me", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"})
    assert xdg == Files(Path("/c/flowtop/config.toml"), home.filters)
    assert usual_files({}) == Files(None, None)


def test_without_files_nothing_is_said_and_nothing_is_wrong(files: Files) -> None:
    for none in (files, Files(None, None)):
        assert none.settings().warnings == ()
        assert none.history() == ()
    assert Files(None, None).write(CHOSEN).startswith("not written: ")


def test_what_is_written_is_what_is_read_and_only_its_owner_may(files: Files) -> None:
    assert files.write(CHOSEN) == f"written to {files.config}"
    found = files.settings()
    assert found.warnings == ()
    assert found.settings.theme is Theme.LIGHT
    assert found.settings.columns == {View.FLOWS: ("address", "rate")}
    assert found.settings.sort == {View.FLOWS: ("bytes", True), View.PROCESSES: ("flows", True)}
    assert files.config is not None
    assert stat.S_IMODE(files.config.stat().st_mode) == 0o600
    assert [path.name for path in files.config.parent.iterdir()] == ["config.toml"]
    assert files.write(CHOSEN).endswith(" says so already")


def test_what_is_not_chosen_any_more_is_taken_away(files: Files) -> None:
    files.write(CHOSEN)
    files.write(ViewState())
    assert files.settings().settings.columns == {}
    assert files.settings().settings.theme is Theme.DARK
    assert set(files.settings().settings.sort.values()) == {("rate", True)}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"theme = \n# much work", "not valid TOML"),
        (b"\xff", "no UTF-8"),
        (b"#" * ((1 << 20) + 1), "too large"),
        (b"columns.flows = ['rate']", "is written in a way that would be lost"),
    ],
)
def test_a_file_that_is_not_understood_is_never_overwritten(files: Files, data: bytes, why: str) -> None:
    assert files.config is not None
    files.config.parent.mkdir()
    files.config.write_bytes(data)
    said = files.write(CHOSEN)
    assert said.startswith("not written: ")
    assert why in said
    assert files.config.read_bytes() == data


def test_a_file_that_cannot_be_read_or_written_is_a_warning(tmp_path: Path) -> None:
    files = Files(tmp_path, Path("/dev/null/filters"))
    assert files.settings().warnings == (f"config: {tmp_path}: Is a directory",)
    assert files.write(CHOSEN).startswith("not written: ")
    files.remember("tcp")
    assert files.history() == ()
    assert "Not a directory" in Files(Path("/dev/null/config.toml"), None).write(CHOSEN)


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text("old")
    (tmp_path / "link").symlink_to("dotfiles")
    replace_file(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dotfiles").read_text() == "new"


def test_filters_of_all_viewers_are_kept_and_not_more_than_are_remembered(files: Files) -> None:
    other = Files(None, files.filters)
    files.remember("tcp")
    other.remember("udp")
    files.remember("port 1")
    files.remember("tcp")
    assert other.history() == ("udp", "port 1", "tcp")
    for number in range(REMEMBERED):
        files.remember(f"port {number}")
    assert len(files.history()) == REMEMBERED
    assert files.history()[-1] == f"port {REMEMBERED - 1}"


def test_rubbish_in_the_history_is_left_out(files: Files) -> None:
    assert files.filters is not None
    files.filters.parent.mkdir()
    files.filters.write_text("tcp\n\x1b[2J\n\n" + "x" * 100_000 + "\nudp\n")
    assert files.history() == ("tcp", "udp")
    files.filters.write_bytes(b"\xff")
    assert files.history() == ()
