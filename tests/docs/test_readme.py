"""README.md is true where a program can tell."""

import re
import tomllib
from pathlib import Path

from flowtopd.config import Config, parse

README = Path(__file__).parents[2] / "README.md"


def test_the_configuration_is_complete_and_the_default() -> None:
    (text,) = re.findall(r"^```toml$\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert parse(text, README) == Config()
    config = Config()
    declared = {name: set(getattr(config, name).__dataclass_fields__) for name in Config.__dataclass_fields__}
    assert {name: set(keys) for name, keys in tomllib.loads(text).items()} == declared
