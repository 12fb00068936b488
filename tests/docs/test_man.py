"""The man pages: made without a warning, fit for 80 columns, and true: options and keys are the programs'."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flowtop_client import parser as viewer
from flowtop_client.preferences.settings import Settings
from flowtop_client.tui.key_bindings import FIXED, SECTIONS
from flowtopd import cli as daemon
from flowtopd.wire.fields import FLOW_FIELDS
from flowtopd.wire.filter_fields import FILTER_FIELDS, FLAGS
from scripts import man
from scripts.config_keys import sections

PAGES = ("flowtop.1", "flowtopd.8", "flowtopd.toml.5", "flowtop-filter.7", "flowtop-protocol.7")
SOURCES = {page: man.SOURCES / f"{page}.md" for page in PAGES}
COLUMNS = 80


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("man")
    man.main(directory)
    return directory


def shown(path: Path) -> str:
    """What a reader with 80 columns sees, without bold and underlined."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    options = ["-Tutf8", f"-Owidth={COLUMNS - 2}"]
    text = subprocess.run(["mandoc", *options, path], capture_output=True, text=True, check=True).stdout
    return re.sub(".\b", "", text)


def test_all_pages_are_made(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
class TestPage:
    def test_mandoc_has_nothing_to_say(self, page: str, built: Path) -> None:
        if shutil.which("mandoc") is None:
            pytest.skip("mandoc is not installed")
        done = subprocess.run(["mandoc", "-Tlint", built / page], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)

    def test_groff_has_nothing_to_say(self, page: str, built: Path) -> None:
        if shutil.which("groff") is None:
            pytest.skip("groff is not installed")
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-z", built / page],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stderr, done.returncode) == ("", 0)

    def test_it_has_the_sections_that_every_page_has(self, page: str, built: Path) -> None:
        headings = re.findall(r'^\.SH "?([A-Z ]+)', (built / page).read_text("utf-8"), re.MULTILINE)
        assert headings[0] == "NAME"
        assert {"DESCRIPTION", "SEE ALSO"} <= set(headings)
        assert len(set(headings)) == len(headings)

    def test_nothing_is_wider_than_a_terminal(self, page: str, built: Path) -> None:
        assert [line for line in shown(built / page).splitlines() if len(line) > COLUMNS] == []

    def test_no_markdown_is_left(self, page: str, built: Path) -> None:
        text = shown(built / page)
        assert not re.search(r"^ *(##+ |```|- `|\|)|\*\*[a-z-]+\*\*|<!--|\\f", text, re.MULTILINE)

    def test_pages_of_ours_that_it_names_are_there(self, page: str, built: Path) -> None:
        named = re.findall(r"\b(flowtop[\w.-]*)\((\d)\)", shown(built / page))
        others = {("flowtop", "8")}  # the ancestor's
        assert {f"{name}.{section}" for name, section in set(named) - others} <= set(PAGES)


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Every option as the manual has it: `-f EXPR`, `--filter EXPR`."""
    found = []
    for action in parser._actions:
        value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
        names = sorted(action.option_strings, key=lambda name: name.startswith("--"))
        found.append(", ".join(f"`{name}{value}`" for name in names))
    return found


@pytest.mark.parametrize(
    ("page", "parser"), [("flowtop.1", viewer.parser), ("flowtopd.8", daemon._parser)], ids=["flowtop", "flowtopd"]
)
def test_every_option_is_in_the_manual_and_no_other(page: str, parser: Callable[[], argparse.ArgumentParser]) -> None:
    text = SOURCES[page].read_text(encoding="utf-8")
    section = text.split("\n## Options\n")[1].split("\n## ")[0]
    described = [
        re.sub(r": .*", "", line.removeprefix("- ")) for line in section.splitlines() if line.startswith("- `-")
    ]
    known = [option.replace("LOG_LEVEL", "LEVEL") for option in options(parser())]
    assert sorted(described) == sorted(known)


def test_the_options_of_the_synopsis_exist() -> None:
    for page, parser in (("flowtop.1", viewer.parser()), ("flowtopd.8", daemon._parser())):
        section = SOURCES[page].read_text(encoding="utf-8").split("## Synopsis")[1].split("##")[0]
        named = set(re.findall(r"--[\w-]+", section))
        assert named
        assert named <= set(parser._option_string_actions)


def test_every_key_of_the_viewer_is_in_its_manual(built: Path) -> None:
    text = shown(built / "flowtop.1").split("\nKEYS\n")[1]
    for heading, keys in SECTIONS:
        part = text.split(f"\n   {heading}\n")[1].split("\n\n")[0]
        for key in keys:
            assert re.search(rf"^ +{re.escape(key.shown)} +{re.escape(key.meaning)}$", part, re.MULTILINE), key


def test_every_action_that_may_have_other_keys_is_in_the_manual(built: Path) -> None:
    text = shown(built / "flowtop.1").split("\nCONFIGURATION\n")[1].split("\nENVIRONMENT\n")[0]
    actions = {key.action.value for _, keys in SECTIONS for key in keys if key.action not in FIXED}
    assert actions <= set(re.findall(r"[\w-]+", text))


def test_every_setting_and_field_of_the_viewer_is_in_its_manual(built: Path) -> None:
    text = shown(built / "flowtop.1")
    for setting in Settings.__dataclass_fields__:
        assert re.search(rf"^ +\[?{setting}\b", text.split("\nCONFIGURATION\n")[1], re.MULTILINE), setting
    for field in FLOW_FIELDS:
        assert re.search(rf"^ +{field.name}  ", text, re.MULTILINE), field


def test_every_key_of_the_configuration_is_in_its_manual_with_its_default(built: Path) -> None:
    text = shown(built / "flowtopd.toml.5")
    for section in sections():
        part = text.split(f"\n   [{section.name}]\n")[1].split("\n   [")[0]
        for key in section.keys:
            assert f"\n       {key.name} = {key.default}\n" in part
            for value, _doc in key.choices:
                assert value in part


def test_every_word_of_filters_is_in_its_manual(built: Path) -> None:
    text = shown(built / "flowtop-filter.7")
    for field in FILTER_FIELDS:
        assert re.search(rf"^       {field}  ", text, re.MULTILINE), field
    assert [flag for flag in FLAGS if not re.search(rf"\b{flag}\b", text.split("WORDS THAT ARE")[1])] == []


def test_the_same_source_makes_the_same_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert '"2023-11-14"' in man.made(SOURCES["flowtop.1"]).splitlines()[0]


def test_what_an_include_does_not_find_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "x.1.md"
    (tmp_path / "other.md").write_text("# Other\n\n## There\n\ntext\n", encoding="utf-8")
    page.write_text("# x(1) -- y\n\n<!-- include: other.md#Nowhere -->\n", encoding="utf-8")
    with pytest.raises(LookupError, match="Nowhere"):
        man.made(page)
    page.write_text("# x(1) -- y\n\n<!-- include: other.md#There -->\n", encoding="utf-8")
    assert man.made(page).endswith(".PP\ntext\n")
