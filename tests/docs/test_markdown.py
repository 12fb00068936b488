"""Every Markdown file is true where a program can tell: its links lead somewhere, its commands are ones."""

import argparse
import functools
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from flowtop_client import parser as viewer
from flowtopd import cli as daemon
from flowtopd import config
from flowtopd.wire import filter_parser
from tests.docs import markdown

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}
OPERATIONS = TEXTS["docs/operations.md"]

LINKS = [(name, target) for name, text in TEXTS.items() for target in markdown.links(text)]
COMMANDS = [(name, words) for name, text in TEXTS.items() for words in markdown.commands(text)]
TROUBLES = [
    said
    for cell in re.findall(
        r"^\| (.*?) \|.*\|.*\|$", OPERATIONS.partition("## Troubles")[2].partition("\n## ")[0], re.MULTILINE
    )
    for said in re.findall(r"`([^`]+)`", cell)
    if "try --update" not in said  # the other flowtop's words
]
PIPES = re.findall(r"^    flowtop (--once .*?\| jq .*?)(?:  +#.*)?$", OPERATIONS, re.MULTILINE)


def parse(words: list[str]) -> argparse.Namespace:
    """The options of a command. An option alone may be only spoken of, and then needs no value."""
    parser = daemon._parser() if words[0] == "flowtopd" else viewer.parser()
    if len(words) == 2 and words[1] in parser._option_string_actions:
        return argparse.Namespace()
    return parser.parse_args(words[1:])


@functools.cache
def source() -> str:
    """All strings of both programs, as they stand in their files."""
    files = [path for package in ("flowtopd", "flowtop_client") for path in (ROOT / package).rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize(("name", "target"), LINKS, ids=[f"{name}: {target}" for name, target in LINKS])
def test_every_link_leads_somewhere(name: str, target: str) -> None:
    file, _, anchor = target.partition("#")
    path = (ROOT / name).parent / file if file else ROOT / name
    assert path.exists()
    if anchor:
        assert anchor in markdown.anchors(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "words",
    [words for _, words in COMMANDS],
    ids=[f"{name}: {' '.join(words)}" for name, words in COMMANDS],
)
def test_every_command_is_one(words: list[str]) -> None:
    options = parse(words)
    for key in ("filter", "exit_if"):
        filter_parser.parse(getattr(options, key, None) or "")


def test_commands_are_found_in_all_their_forms() -> None:
    """In a block, a table, a pipe, a unit, a crontab, a container, behind sudo and on two lines."""
    text = """
A table: | `sudo flowtop --once` | and no command: `flowtopd`, `flowtop is there`, `systemctl restart flowtopd`.

    x=$(flowtop --json | jq .)     # flowtop --comment
    podman run --rm IMAGE flowtopd --record /x
    flowtop --view \\
        devices
    */5 * * * * /usr/bin/flowtop -f 'a | b'

```ini
ExecStart=/bin/sh -c 'exec flowtop --csv >x && mv x y'
```
"""
    assert [" ".join(words) for words in markdown.commands(text)] == [
        "flowtop --csv",
        "flowtop --json",
        "flowtopd --record /x",
        "flowtop --view devices",
        "flowtop -f a | b",
        "flowtop --once",
    ]


def test_the_manuals_of_operators_have_commands_and_links() -> None:
    for name in ("README.md", "docs/operations.md", "docs/remote.md", "docs/enrichment.md"):
        assert [each for each, _ in COMMANDS if each == name]
    assert len(COMMANDS) > 80
    assert len(LINKS) > 40


@pytest.mark.parametrize("form", [text for kind, text in markdown.blocks(OPERATIONS) if kind == "toml"])
def test_configurations_for_operators_are_good(form: str) -> None:
    config.parse(form, Path("flowtopd.toml"))


def test_configurations_are_there() -> None:
    assert "toml" in [kind for kind, _ in markdown.blocks(OPERATIONS)]


def test_keys_of_the_configuration_exist() -> None:
    """Those that are written `[section] key` or `section.key`, with or without a value."""
    defaults = config.Config()
    sections = [field.name for field in fields(defaults)]
    keys = re.findall(rf"`\[?({'|'.join(sections)})(?:\] |\.)(\w+)(?: = [^`]+)?`", OPERATIONS)
    assert {"access", "history", "daemon"} <= {section for section, _ in keys}
    for section, key in set(keys) - {("geoip", "conf")}:
        assert hasattr(getattr(defaults, section), key), f"{section}.{key}"


@pytest.mark.parametrize("said", TROUBLES)
def test_troubles_are_told_in_the_words_of_the_programs(said: str) -> None:
    pieces = [piece.strip(" ().:") for piece in said.split("…")]
    assert any(pieces)
    for piece in pieces:
        assert piece in source(), piece


def test_there_are_troubles() -> None:
    assert len(TROUBLES) > 15


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("line", PIPES)
def test_what_is_piped_into_jq_has_what_jq_asks_for(line: str) -> None:
    command = f"{sys.executable} -m flowtop_client --demo {line}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() not in {"", "null", "{}"}


def test_there_are_pipes() -> None:
    assert len(PIPES) > 3
