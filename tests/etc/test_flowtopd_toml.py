"""etc/flowtopd.toml is made of flowtopd/config.py: every key, its default, what it means. `make config` writes it."""

import dataclasses
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import pytest

from flowtopd import config
from flowtopd.config import Config, ConfigError, parse
from scripts import config_keys, config_toml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "etc" / "flowtopd.toml"
TEXT = FILE.read_text(encoding="utf-8")
UNCOMMENTED = re.sub(r"^#(?=\w)", "", TEXT, flags=re.MULTILINE)
DECLARED = {name: [field.name for field in dataclasses.fields(kind)] for name, kind in get_type_hints(Config).items()}


def test_it_is_what_the_code_says() -> None:
    assert config_toml.text() == TEXT, "it is old: make config"


def test_as_it_is_it_is_the_defaults() -> None:
    assert parse(TEXT, FILE) == Config()
    assert tomllib.loads(TEXT) == {section: {} for section in DECLARED}


def test_uncommented_it_has_every_key_with_its_default() -> None:
    assert parse(UNCOMMENTED, FILE) == Config()
    assert {section: list(keys) for section, keys in tomllib.loads(UNCOMMENTED).items()} == DECLARED


def test_any_default_that_is_not_the_codes_would_be_seen() -> None:
    for line in re.findall(r"^\w+ = .*", UNCOMMENTED, re.MULTILINE):
        try:
            changed = parse(UNCOMMENTED.replace(line, re.sub("= .*", "= 77", line)), FILE)
        except ConfigError:
            continue
        assert changed != Config(), line


def test_every_key_has_a_comment_before_it_and_nothing_is_wide() -> None:
    lines = TEXT.splitlines()
    for before, line in pairwise(lines):
        if re.match(r"#\w", line):
            assert before.startswith("# "), line
    assert max(map(len, lines)) <= 100


def test_a_key_without_a_docstring_is_named() -> None:
    source = Path(config.__file__).read_text(encoding="utf-8")
    without = source.replace('activate: bool = False\n    """', 'activate: bool = False\n    other: int = 1\n    """')
    assert without != source
    with pytest.raises(LookupError, match=r"Conntrack\.activate has no docstring"):
        config_keys.sections(without)
