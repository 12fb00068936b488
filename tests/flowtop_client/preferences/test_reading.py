from dataclasses import fields

import pytest

from flowtop_client.preferences.reading import _READERS, read
from flowtop_client.preferences.settings import Settings
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.messages import View

WHOLE = """
theme = "safe-light"
view = "hosts"
filter = "tcp and not country DE"
interval = 2
bits = true
source = true
names = false
geoip = false
mouse = false
protocols = ["TCP", "udp"]
[columns]
flows = ["address", "rate", "process"]
[sort]
flows = "bytes:asc"
hosts = "name"
[keys]
pause = ["p", "space"]
quit = "x"
"""


def test_every_setting_is_read() -> None:
    found = read(WHOLE)
    assert found.warnings == ()
    assert found.settings == Settings(
        theme=Theme.SAFE_LIGHT,
        view=View.HOSTS,
        filter="tcp and not country DE",
        interval=2.0,
        bits=True,
        source=True,
        names=False,
        geoip=False,
        mouse=False,
        protocols=frozenset({ProtocolGroup.TCP, ProtocolGroup.UDP}),
        columns={View.FLOWS: ("address", "rate", "process")},
        sort={View.FLOWS: ("bytes", False), View.HOSTS: ("name", False)},
        keys={"pause": ("p", "space"), "quit": ("x",)},
    )
    assert {field.name for field in fields(Settings)} == set(_READERS)


def test_an_empty_file_says_nothing() -> None:
    assert read("").settings == Settings()
    assert read('protocols = "all"').settings.protocols == ALL_PROTOCOLS


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("thmee = 1", "config: no setting 'thmee': did you mean 'theme'?"),
        ('theme = "drak"', "config: theme: 'drak' is no theme: did you mean 'dark'?"),
        ("theme = []", "config: theme: [] is no theme: dark, light, mono, safe-dark, safe-light"),
        ('view = "host"', "config: view: 'host' is no view: did you mean 'hosts'?"),
        ('filter = "port"', "config: filter: "),
        ("filter = 1", "config: filter: 1 is no text"),
        ("interval = 0", "config: interval: 0 is no number of seconds from 0.1 to 3600"),
        ("interval = true", "config: interval: True is no number"),
        ("interval = nan", "config: interval: nan is no number"),
        ('bits = "yes"', "config: bits: 'yes' is neither true nor false"),
        ("protocols = 6", "config: protocols: 6 is no list of names"),
        ('protocols = ["TPC", "UDP"]', "config: protocols: no protocol 'TPC': did you mean 'tcp'?"),
        ("columns = 1", "config: columns: 1 is no table"),
        ("[columns]\nflow = []", "config: columns: no view 'flow': did you mean 'flows'?"),
        ("[columns]\nflows = []", "config: columns.flows: none is left"),
        ('[columns]\nflows = ["adress", "rate"]', "config: columns.flows: no column 'adress': did you mean 'address'?"),
        ('[sort]\nflows = "rat"', "config: sort.flows: 'rat' is no sort field: did you mean 'rate'?"),
        ('[sort]\nflows = "rate:up"', "config: sort.flows: 'up' is no order"),
        ("[keys]\npause = 1", "config: keys.pause: 1 is no list of names"),
    ],
)
def test_what_is_wrong_is_one_warning_and_all_else_counts(text: str, warning: str) -> None:
    found = read(f"names = false\n{text}")
    assert [said.startswith(warning) for said in found.warnings] == [True], found.warnings
    assert not found.broken
    assert not found.settings.names


@pytest.mark.parametrize("text", ["theme = ", "[", "a = 1\na = 2", "x = " + "[" * 5000, "x = " + "9" * 5000])
def test_a_file_that_is_no_toml_is_one_warning(text: str) -> None:
    found = read(text)
    assert found.broken
    assert len(found.warnings) == 1
    assert found.settings == Settings()
