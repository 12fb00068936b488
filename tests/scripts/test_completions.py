"""completions/: made of the parsers, and true in real shells: what is typed, and what stands there after TAB."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowtopd.wire.fields import sort_fields
from flowtopd.wire.messages import View
from scripts import completions_zsh
from scripts.completions import TARGET, files
from scripts.options import Option, Value, programs
from testbed.terminal import Terminal

PROGRAMS = programs()
OPTIONS = [
    pytest.param(program, option, id=f"{program} {option.names[-1]}")
    for program, options in PROGRAMS.items()
    for option in options
]


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def test_the_files_are_what_the_programs_say() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in TARGET.iterdir()}
    assert there == files(), "they are old: make completions"


def test_bash_files_are_sound() -> None:
    needs("shellcheck")
    done = subprocess.run(
        ["shellcheck", "-s", "bash", *TARGET.glob("*.bash")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


# not on a terminal


def bash(line: str, before: str = "") -> list[str]:
    """What bash is told to offer. It splits words at blanks here; on a terminal it does so at `:` and `=`, too."""
    words = line.split(" ")
    script = """
        compopt() { :; }
        source "$1"; program=$2; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_WORDBREAKS=' '
        "_$program"; printf '%s\\n' "${COMPREPLY[@]}"
    """
    file = TARGET / f"{words[0]}.bash"
    argv = ["bash", "--norc", "-c", before + script, "bash", str(file), words[0], *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def fish(line: str) -> list[str]:
    """What fish offers."""
    needs("fish")
    program = line.split(" ", 1)[0]
    argv = ["fish", "--no-config", "-c", f'source {TARGET / program}.fish; complete -C "$argv"', line]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [offer.split("\t")[0] for offer in done.stdout.splitlines()]


@pytest.mark.parametrize("offered", [bash, fish], ids=["bash", "fish"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_offered_and_nothing_else(program: str, offered: Callable[[str], list[str]]) -> None:
    names = {name for option in PROGRAMS[program] for name in option.names}
    shown = set(offered(f"{program} --"))
    assert shown == {name for name in names if name.startswith("--")}
    if offered is bash:
        assert set(bash(f"{program} -")) == names


@pytest.mark.parametrize("offered", [bash, fish], ids=["bash", "fish"])
@pytest.mark.parametrize(("program", "option"), OPTIONS)
def test_values_are_offered_where_there_are_some(
    program: str, option: Option, offered: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    match option.value:
        case Value.WORD:
            assert sorted(offered(f"{program} {option.names[-1]} ")) == sorted(option.words)
        case Value.FILE:
            shown = offered(f"{program} {option.names[-1]} {tmp_path}/")
            assert sorted(path.rstrip("/") for path in shown) == [f"{tmp_path}/directory", f"{tmp_path}/file"]
        case Value.DIRECTORY:
            shown = offered(f"{program} {option.names[-1]} {tmp_path}/")
            assert [path.rstrip("/") for path in shown] == [f"{tmp_path}/directory"]
        case Value.NOTHING | Value.SORT | Value.FILTER | Value.HOST:
            pass


@pytest.mark.parametrize("offered", [bash, fish], ids=["bash", "fish"])
@pytest.mark.parametrize("view", View)
def test_rows_are_sorted_by_what_their_view_has(view: View, offered: Callable[[str], list[str]]) -> None:
    fields = [field for field in offered(f"flowtop --view {view} --sort ") if ":" not in field]
    assert sorted(fields) == sorted(sort_fields(view))
    assert set(offered(f"flowtop --view={view} --sort rate:")) == {"rate:asc", "rate:desc"}


@pytest.mark.parametrize("function", ["_comp_compgen_known_hosts", "_known_hosts_real"])
def test_bash_asks_bash_completion_for_hosts_where_it_is_loaded(function: str) -> None:
    asked = bash("flowtop -H alice@rou", before=f'{function}() {{ COMPREPLY=("$*"); }}')
    assert asked == ["-a", "--", "alice@rou"]


# on a terminal

TYPED = [
    ("flowtop --stand", "flowtop --standalone"),
    ("flowtop --view d", "flowtop --view devices"),
    ("flowtop --view=h", "flowtop --view=hosts"),
    ("flowtop --view hosts --sort cou", "flowtop --view hosts --sort country"),
    ("flowtop --sort bytes:d", "flowtop --sort bytes:desc"),
    ("flowtop --sort=bytes:a", "flowtop --sort=bytes:asc"),
    ("flowtop --theme li", "flowtop --theme light"),
    ("flowtop -f tc", "flowtop -f tcp"),
    ("flowtop -f 'proc", "flowtop -f 'process"),
    ("flowtop -f 'tcp and remote coun", "flowtop -f 'tcp and remote country"),
    ('flowtop -f "state EST', 'flowtop -f "state ESTABLISHED'),
    ("flowtop -f 'not (tcp or direction = inb", "flowtop -f 'not (tcp or direction = inbound"),
    ("flowtop --exit-if 'src por", "flowtop --exit-if 'src port"),
    ("flowtop -H rou", "flowtop -H router.example"),
    ("flowtop -4 -H gate.example -H alice@rou", "flowtop -4 -H gate.example -H alice@router.example"),
    ("flowtop --host=rou", "flowtop --host=router.example"),
    ("flowtop --host=alice@rou", "flowtop --host=alice@router.example"),
    ("flowtop --replay rec", "flowtop --replay recording.flowtop"),
    ("flowtopd --runtime-dir=di", "flowtopd --runtime-dir=directory/"),
    ("flowtopd --log-level=d", "flowtopd --log-level=debug"),
    ("flowtopd --check", "flowtopd --check-config"),
]


@contextlib.contextmanager
def shell(name: str, home: Path) -> Iterator[Terminal]:
    """A shell with these completions and a bare prompt."""
    needs(name)
    (home / "recording.flowtop").touch()
    (home / "directory").mkdir()
    (home / ".ssh").mkdir()
    (home / ".ssh" / "known_hosts").write_text("router.example ssh-ed25519 AAAA\n")
    (home / "hosts").write_text("192.0.2.1 router.example\n")
    bashes = "".join(f"source {TARGET}/{program}.bash\n" for program in PROGRAMS)
    (home / "bashrc").write_text(f"PS1='$ '\nHOSTFILE={home}/hosts\n{bashes}")
    (home / ".zshrc").write_text(
        f"PS1='$ '\nLISTMAX=1000\nfpath=({TARGET} $fpath)\nautoload -U compinit && compinit -u -D\n"
    )
    fishes = "".join(f"source {TARGET}/{program}.fish\n" for program in PROGRAMS)
    prompt = "function fish_prompt; echo '$ '; end\nfunction fish_greeting; end\n"
    (home / "init.fish").write_text(f"{prompt}{fishes}")
    argv = {
        "bash": ["bash", "--noprofile", "--rcfile", str(home / "bashrc"), "-i"],
        "zsh": ["zsh", "-d", "-i"],
        "fish": ["fish", "--no-config", "-C", f"source {home}/init.fish"],
    }[name]
    env = {"HOME": str(home), "ZDOTDIR": str(home), "LC_ALL": "C.UTF-8"}
    with Terminal(argv, columns=200, rows=100, env=env, cwd=home) as terminal:
        fresh(terminal)
        yield terminal


def fresh(terminal: Terminal) -> None:
    """Empty the line without running it, and the screen: nothing but a prompt is left. A key may close a list first."""
    terminal.wait_for("$", timeout=30)
    for _ in range(10):
        terminal.send_keys("C-e", "C-u", "C-l")
        with contextlib.suppress(AssertionError):
            terminal.wait_for(lambda screen: screen.strip() == "$", timeout=2)
            return
    raise AssertionError(f"the line cannot be emptied:\n{terminal.screen()}")


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_what_is_begun_is_completed(name: str, tmp_path: Path) -> None:
    with shell(name, tmp_path) as terminal:
        for typed, expected in TYPED:
            terminal.type(f"{typed}\t")
            terminal.wait_for(f"$ {expected}", timeout=30)
            fresh(terminal)


def test_zsh_offers_every_option_with_what_it_is(tmp_path: Path) -> None:
    with shell("zsh", tmp_path) as terminal:
        for program, options in PROGRAMS.items():
            terminal.type(f"{program} -\t")
            for option in options:
                for part in (*option.names, option.help[:30]):
                    terminal.wait_for(part, timeout=30)
            fresh(terminal)


def test_bash_leaves_quotes_open_where_more_must_follow(tmp_path: Path) -> None:
    with shell("bash", tmp_path) as terminal:
        terminal.type("flowtop -f 'not dire\tin")
        terminal.wait_for("$ flowtop -f 'not directionin")


def test_an_option_that_repeats_is_offered_again(tmp_path: Path) -> None:
    text = "\n".join(completions_zsh.zsh("x", [Option(["-H", "--host"], "there", Value.WORD, "HOST", repeats=True)]))
    (tmp_path / "_x").write_text(text)
    with shell("zsh", tmp_path) as terminal:
        terminal.type(f"fpath=({tmp_path} $fpath); compinit -u -D; clear\r")
        terminal.wait_for(lambda screen: screen.strip() == "$", timeout=30)
        terminal.type("x --host one --ho\t")
        terminal.wait_for("$ x --host one --host=")


def test_zsh_offers_only_one_kind_of_output(tmp_path: Path) -> None:
    with shell("zsh", tmp_path) as terminal:
        terminal.type("flowtop --json --c\t")
        terminal.wait_for("$ flowtop --json --closed")
