"""`docs/viewer.md` says what is so. Its tables are made here: FLOWTOP_WRITE_SCREENS=1 writes them anew."""

import os
import re
from pathlib import Path

import pytest

from flowtop_client.columns.meanings import all_columns, meaning
from flowtop_client.preferences.reading import read
from flowtop_client.preferences.settings import Settings
from flowtop_client.tui.key_bindings import FIXED, SECTIONS, Key
from flowtop_client.tui.rebinding import rebound
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.messages import View

PAGE = Path(__file__).parents[2] / "docs" / "viewer.md"


def columns_table() -> str:
    lines = ["| view | columns |", "| --- | --- |"]
    for view in View:
        names = ", ".join(f"`{column.name}` {meaning(view, column.name)}" for column in all_columns(view, hosts=True))
        lines.append(f"| `{view.value}` | {names} |")
    return "\n".join(lines)


def keys_table() -> str:
    lines = ["| key | what it does | action |", "| --- | --- | --- |"]
    for heading, keys in SECTIONS:
        lines.append(f"| **{heading}** | | |")
        lines += [f"| {_plain(key.shown)} | {key.meaning} | {_action(key)} |" for key in keys]
    return "\n".join(lines)


def _action(key: Key) -> str:
    return "" if key.action in FIXED else f"`{key.action.value}`"


def _plain(text: str) -> str:
    """Without what Markdown would take for its own."""
    return re.sub(r"([\\<>|*_`])", r"\\\1", text)


@pytest.mark.parametrize("name", ["columns", "keys"])
def test_the_tables_are_those_of_the_program(name: str) -> None:
    table = {"columns": columns_table, "keys": keys_table}[name]()
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(f"<!-- {name} -->\n")
    _, after = rest.split(f"<!-- /{name} -->")
    wanted = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    if os.environ.get("FLOWTOP_WRITE_SCREENS"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_the_default_of_every_setting() -> None:
    found = read(example())
    assert found.warnings == ()
    assert found.settings == Settings()
    assert set(re.findall(r"^\[?([a-z]+)", example(), re.MULTILINE)) == set(Settings.__dataclass_fields__)


def test_what_the_example_proposes_can_be_written() -> None:
    found = read(re.sub("^# ", "", example(), flags=re.MULTILINE))
    assert found.warnings == ()
    assert found.settings.columns
    assert found.settings.sort
    assert rebound(found.settings.keys)[1] == ()


def test_every_theme_is_described() -> None:
    assert [theme for theme in Theme if f"| `{theme}` |" not in PAGE.read_text(encoding="utf-8")] == []
