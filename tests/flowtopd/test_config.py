"""flowtopd.config: every mistake is answered with its line, and nothing is silently ignored."""

from pathlib import Path

import pytest

from flowtopd.config import (
    DEFAULT_PATH,
    Access,
    Config,
    ConfigError,
    Conntrack,
    Daemon,
    Geoip,
    History,
    Interval,
    LogLevel,
    NameOrNone,
    Others,
    Seconds,
    Secret,
    SysctlMode,
    Viewers,
    load,
    parse,
)

FILE = Path("flowtopd.toml")

FULL = """\
# all keys
[conntrack]
sysctl = "keep"
activate = true

[access]
group = "wheel"
others = "own"
admin_group = "adm"

[geoip]
files = ["/srv/City.mmdb", "/srv/ASN.mmdb"]
directory = "/srv/geoip"
mirrors = "/srv/geoip.conf"
account_id = 123456
license_key = "secret"

[history]
closed = 0
always = true
interval = 60

[daemon]
log_level = "debug"
max_viewers = 8
"""


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("", FILE) == Config()
    assert Config().conntrack == Conntrack(sysctl=SysctlMode.WHILE_RUNNING, activate=False)
    assert Config().access.group == "flowtop"


def test_every_key_is_read() -> None:
    assert parse(FULL, FILE) == Config(
        conntrack=Conntrack(sysctl=SysctlMode.KEEP, activate=True),
        access=Access(group="wheel", others=Others.OWN, admin_group=NameOrNone("adm")),
        geoip=Geoip(
            files=(Path("/srv/City.mmdb"), Path("/srv/ASN.mmdb")),
            directory=Path("/srv/geoip"),
            mirrors=Path("/srv/geoip.conf"),
            account_id=123456,
            license_key=Secret("secret"),
        ),
        history=History(closed=Seconds(0), always=True, interval=Interval(60)),
        daemon=Daemon(log_level=LogLevel.DEBUG, max_viewers=Viewers(8)),
    )


def test_dotted_keys_and_inline_tables_are_toml_too() -> None:
    assert parse('conntrack.sysctl = "never"\ndaemon = {log_level = "error"}\n', FILE) == Config(
        conntrack=Conntrack(sysctl=SysctlMode.NEVER), daemon=Daemon(log_level=LogLevel.ERROR)
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[conntrak]\n", 1, "conntrak", "unknown section, did you mean conntrack?"),
        ("\n\n[zzz]\n", 3, "zzz", "unknown section, known: conntrack, access, geoip, history, daemon"),
        ("[conntrack]\n\nsysctls = 'keep'\n", 3, "conntrack.sysctls", "unknown key, did you mean sysctl?"),
        ("[daemon]\nq = 1\n", 2, "daemon.q", "unknown key, known: log_level, max_viewers, idle_exit"),
        ("[history]\nclosed = -1\n", 2, "history.closed", "wants whole seconds, 0 to 3600, got -1"),
        ("[history]\nclosed = 1.5\n", 2, "history.closed", "wants whole seconds, 0 to 3600, got 1.5"),
        ("[history]\ninterval = 0\n", 2, "history.interval", "wants whole seconds, 1 to 3600, got 0"),
        ("activate = true\n", 1, "activate", "wants to be in the section [conntrack]"),
        ("[daemon]\n\ngroup = 'wheel'\n", 3, "daemon.group", "wants to be in the section [access]"),
        ("[activate]\n", 1, "activate", "unknown section, known: conntrack, access, geoip, history, daemon"),
        (
            "[conntrack]\nsysctl = 'on'\n",
            2,
            "conntrack.sysctl",
            'wants "while-running" or "keep" or "never", got "on"',
        ),
        ("[conntrack]\nsysctl = 1\n", 2, "conntrack.sysctl", 'wants "while-running" or "keep" or "never", got 1'),
        (
            "[conntrack]\nsysctl = ['keep']\n",
            2,
            "conntrack.sysctl",
            'wants "while-running" or "keep" or "never", got [\'keep\']',
        ),
        ("[conntrack]\nactivate = 'yes'\n", 2, "conntrack.activate", 'wants true or false, got "yes"'),
        ("[conntrack]\nactivate = 1\n", 2, "conntrack.activate", "wants true or false, got 1"),
        ("[geoip]\ndirectory = 'geoip'\n", 2, "geoip.directory", 'wants an absolute path, got "geoip"'),
        ("[geoip]\nfiles = '/a'\n", 2, "geoip.files", 'wants a list, got "/a"'),
        ("[geoip]\nfiles = ['/a', 1]\n", 2, "geoip.files", "wants an absolute path, got ['/a', 1]"),
        ("[geoip]\naccount_id = '1'\n", 2, "geoip.account_id", 'wants a whole number, got "1"'),
        ("[geoip]\nlicense_key = 12345\n", 2, "geoip.license_key", "wants a text of one line, got something else"),
        ("[access]\ngroup = ''\n", 2, "access.group", 'wants a text that is not empty, got ""'),
        ("[access]\nadmin_group = 7\n", 2, "access.admin_group", "wants a text, got 7"),
        ("[access]\ngroup = true\n", 2, "access.group", "wants a text that is not empty, got true"),
        ("[daemon]\nmax_viewers = 0\n", 2, "daemon.max_viewers", "wants a whole number, 1 to 1000, got 0"),
        ("[daemon]\nmax_viewers = 1001\n", 2, "daemon.max_viewers", "wants a whole number, 1 to 1000, got 1001"),
        ("[daemon]\nmax_viewers = true\n", 2, "daemon.max_viewers", "wants a whole number, 1 to 1000, got true"),
        ("[access]\nothers = 'all'\n", 2, "access.others", 'wants "deny" or "own", got "all"'),
        ("access = 3\n", 1, "access", "wants to be a section, got 3"),
        ("[[access]]\n", 1, "access", "wants to be a section, got [{}]"),
        ("a = {b = 1}\n", 1, "a", "unknown section, known: conntrack, access, geoip, history, daemon"),
        ("\nconntrack = {activat = true}\n", 2, "conntrack.activat", "unknown key, did you mean activate?"),
        ("\nconntrack.activate = 0\n", 2, "conntrack.activate", "wants true or false, got 0"),
        ("[conntrack.sysctl]\nx = 1\n", 1, "conntrack.sysctl", None),
        ("[conntrack]\nactivate = tru\n", 2, None, "Invalid value"),
        ("[conntrack]\nactivate", 2, None, None),
        ("[conntrack]\n[conntrack]\n", 2, None, None),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, key: str | None, says: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    error = caught.value
    assert (error.path, error.line, error.key) == (FILE, line, key)
    if says is not None:
        assert error.message == says
    assert str(error).startswith(f"flowtopd.toml:{line}: ")
    assert "\n" not in str(error)


def test_every_mistake_is_found_in_the_order_of_the_file() -> None:
    text = "[daemon]\nlog_levle = 'info'\nlog_level = 'loud'\n[acess]\n[conntrack]\nsysctl = 'keep'\nactivate = 1\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    first = caught.value
    assert [(error.line, error.key) for error in (first, *first.more)] == [
        (2, "daemon.log_levle"),
        (3, "daemon.log_level"),
        (4, "acess"),
        (7, "conntrack.activate"),
    ]


def test_what_a_secret_is_is_never_said() -> None:
    with pytest.raises(ConfigError) as caught:
        parse('[geoip]\nlicense_key = "top\\nsecret"\nlicense_kye = "topsecret"\n', FILE)
    assert "secret" not in "".join(map(str, (caught.value, *caught.value.more)))


def test_a_key_that_cannot_be_printed_is_escaped() -> None:
    with pytest.raises(ConfigError) as caught:
        parse('[access]\n"\\u001b[31m" = 1\n', FILE)
    assert str(caught.value).startswith("flowtopd.toml:1: 'access.\\x1b[31m': unknown key")


@pytest.mark.parametrize("value", ["[" * 3000, "9" * 5000])
def test_what_python_has_a_limit_for_is_a_mistake_of_the_file(value: str) -> None:
    with pytest.raises(ConfigError, match="too long a number, or too many brackets"):
        parse(f"[access]\ngroup = {value}\n", FILE)


def test_a_number_too_long_to_be_printed_is_not() -> None:
    with pytest.raises(ConfigError, match="got too long a number"):
        parse(f"[access]\ngroup = 0x{'f' * 5000}\n", FILE)


def test_the_default_file_may_be_absent() -> None:
    if DEFAULT_PATH.exists():
        pytest.skip(f"{DEFAULT_PATH} exists on this machine")
    assert load() == Config()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError) as caught:
        load(missing)
    assert str(caught.value) == f"{missing}: no such file"


def test_a_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "flowtopd.toml"
    file.write_text(FULL)
    assert load(file).access.group == "wheel"


def test_a_directory_and_bad_utf8_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    file = tmp_path / "latin1.toml"
    file.write_bytes(b"# ok\n# caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:2: not UTF-8"
