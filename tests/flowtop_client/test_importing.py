"""How modules are imported: in a process of its own each, which has imported nothing yet."""

import gc
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from flowtop_client.importing import uncollected


def ran(program: str, *paths: Path) -> str:
    """What a new interpreter prints, which finds modules here too."""
    body = f"import sys; sys.path[:0] = {[str(path) for path in paths]}\n{dedent(program)}"
    return subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that says when its `__init__` runs."""
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "__init__.py").write_text("print('ran')\nfrom large.part import WORD\n")
    (tmp_path / "large" / "part.py").write_text("WORD = 'word'\n")
    return tmp_path


def test_a_module_of_a_postponed_package_is_imported_without_the_rest(package: Path) -> None:
    program = """
        from flowtop_client.importing import postponed
        postponed("large")
        from large.part import WORD
        import large.part
        print(WORD, large.part.WORD)
    """
    assert ran(program, package) == "word word\n"


def test_a_postponed_package_is_whole_when_it_is_asked_for_something(package: Path) -> None:
    program = """
        from flowtop_client.importing import postponed
        postponed("large")
        import large.part
        print("asked")
        from large import WORD
        print(WORD, large.WORD)
        try:
            large.nothing
        except AttributeError as error:
            print(error)
    """
    assert ran(program, package) == "asked\nran\nword word\nmodule 'large' has no attribute 'nothing'\n"


def test_what_was_imported_before_or_is_not_there_stays_so(package: Path) -> None:
    program = """
        from flowtop_client.importing import postponed
        import large
        postponed("large")
        postponed("absent")
        print(large.WORD, "absent" in sys.modules)
    """
    assert ran(program, package) == "ran\nword False\n"


def test_the_screen_needs_no_dialogs_of_prompt_toolkit() -> None:
    program = """
        from flowtop_client.importing import postponed
        postponed("prompt_toolkit")
        import flowtop_client.tui.app, prompt_toolkit
        print("prompt_toolkit.shortcuts" in sys.modules)
        print(prompt_toolkit.print_formatted_text.__name__)
    """
    assert ran(program) == "False\nprint_formatted_text\n"


def test_a_first_screen_imports_nothing_that_only_other_modes_need() -> None:
    program = """
        from flowtop_client.importing import postponed
        import flowtop_client.cli
        postponed("prompt_toolkit")
        import flowtop_client.tui.app
        unwanted = ["batch", "output", "scrape", "openmetrics", "update", "condition", "standalone", "recorder",
                    "connection.private", "connection.remote", "connection.many", "preferences.reading"]
        unwanted = [f"flowtop_client.{name}" for name in unwanted]
        unwanted += ["csv", "difflib", "tomllib", "flowtopd.wire.recording", "flowtopd.wire.regex"]
        print(sorted(set(unwanted) & set(sys.modules)))
    """
    assert ran(program) == "[]\n"


def test_the_collector_is_on_again_after_an_import_that_failed() -> None:
    def fail() -> None:
        assert not gc.isenabled()
        raise ImportError

    with pytest.raises(ImportError), uncollected():
        fail()
    assert gc.isenabled()
