"""README.md is true where a program can tell."""

import re
import shlex
from pathlib import Path

import pytest

from flowtop_client.parser import parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMANDS = [
    found.split("  # ")[0].strip()
    for found in re.findall(r"(?:^ {4}|`)((?:sudo )?flowtop(?: [^`\n]*)?)(?:`|$)", README, re.MULTILINE)
]


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 12


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    words = shlex.split(command)
    parser().parse_args(words[words.index("flowtop") + 1 :])


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
