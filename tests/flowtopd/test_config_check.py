"""flowtopd.config_check: what keeps the daemon from starting is a mistake, what it can do without is a warning."""

import grp
from pathlib import Path

import pytest

from flowtopd.config_check import Findings, check

GROUP = grp.getgrgid(0).gr_name
"""A group that is there everywhere."""
FINE = f"[access]\ngroup = '{GROUP}'\n"


def checked(directory: Path, text: str) -> Findings:
    file = directory / "flowtopd.toml"
    file.write_text(text, encoding="utf-8")
    return check(file, directory=directory)


def test_a_good_file_has_nothing(tmp_path: Path) -> None:
    assert checked(tmp_path, FINE) == Findings(tmp_path / "flowtopd.toml")


def test_all_mistakes_are_told_and_then_nothing_else(tmp_path: Path) -> None:
    found = checked(tmp_path, "[access]\ngruop = 'x'\nadmin_group = 1\n")
    file = tmp_path / "flowtopd.toml"
    assert found.mistakes == (
        f"{file}:2: access.gruop: unknown key, did you mean group?",
        f"{file}:3: access.admin_group: wants a text, got 1",
    )
    assert found.warnings == ()


def test_what_is_named_and_not_there_is_a_warning_at_its_line(tmp_path: Path) -> None:
    text = f"{FINE}\nadmin_group = 'no-such-group'\n[geoip]\nfiles = ['{tmp_path}/City.mmdb', '{tmp_path}']\n"
    file = tmp_path / "flowtopd.toml"
    assert checked(tmp_path, text) == Findings(
        file,
        warnings=(
            f"{file}:4: access.admin_group: there is no group no-such-group (groupadd --system no-such-group)",
            f"{file}:6: geoip.files: {tmp_path}/City.mmdb: no such file",
        ),
    )


def test_mistakes_in_the_conf_files_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "tcp.conf").write_text("22, ssh\n22, ssh\n", encoding="utf-8")
    (tmp_path / "udp.conf").mkdir()
    (tmp_path / "geoip.conf").write_text("# x\nftp://example.org/\n", encoding="utf-8")
    found = checked(tmp_path, f"{FINE}[geoip]\nmirrors = '{tmp_path}/geoip.conf'\n")
    assert [warning.removeprefix(f"{tmp_path}/") for warning in found.warnings] == [
        "tcp.conf:2: wants each port once, got '22, ssh'",
        "udp.conf: Is a directory",
        "geoip.conf:2: wants a URL that begins with https:// or http://, got 'ftp://example.org/'",
    ]
    assert found.mistakes == ()


@pytest.mark.parametrize(("name", "why"), [("none", "no such file"), (".", "Is a directory")])
def test_a_list_of_mirrors_that_cannot_be_read_is_a_warning_at_its_line(tmp_path: Path, name: str, why: str) -> None:
    wanted = tmp_path / name
    found = checked(tmp_path, f"{FINE}[geoip]\nmirrors = '{wanted}'\n")
    assert found.warnings == (f"{tmp_path}/flowtopd.toml:4: geoip.mirrors: {wanted}: {why}",)


def test_without_the_default_file_the_defaults_are_checked(tmp_path: Path) -> None:
    found = check(None, default=tmp_path / "none.toml", directory=tmp_path)
    assert (found.file, found.mistakes) == (None, ())


def test_the_default_file_is_read_where_there_is_one(tmp_path: Path) -> None:
    file = tmp_path / "flowtopd.toml"
    file.write_text("[nonsense]\n")
    assert check(None, default=file).file == file
    assert check(None, default=file).mistakes


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    assert check(tmp_path / "none").mistakes == (f"{tmp_path}/none: no such file",)
