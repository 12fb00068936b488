"""The rules of the code base that a program can check, as tests: layers, names, sizes, scripts."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("flowtopd", "flowtop_client")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SCRIPTS = sorted([*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"])

MAX_LINES = 700


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_layers_hold() -> None:
    """The contracts are in pyproject.toml, [tool.importlinter]."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_modules() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=name)
class TestModule:
    def test_it_has_a_name_that_says_something(self, path: Path) -> None:
        assert not re.search(r"util|common|helper|global|misc", path.stem)

    def test_it_opens_with_its_rules(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    def test_it_can_be_read_in_one_sitting(self, path: Path) -> None:
        assert path.read_text(encoding="utf-8").count("\n") <= MAX_LINES

    def test_an_init_has_only_a_docstring(self, path: Path) -> None:
        if path.name == "__init__.py":
            assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_shell_script_is_sound(path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-x", path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_readme_begins_with_run_and_test() -> None:
    """They are the first two commands that a newcomer sees."""
    commands = re.findall(r"^    (\S.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [command.split("#")[0].strip() for command in commands[:2]] == ["make run", "make test"]


def test_the_readme_names_only_targets_that_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets
