"""The settings of the viewer. `reading` makes them of the configuration file, and is imported where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowtop_client.view_state.state import ProtocolGroup
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.messages import View


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says. Every field is a key of the file, with its default."""

    theme: Theme = Theme.DARK
    view: View = View.FLOWS
    filter: str = ""
    interval: float = 1.0
    bits: bool = False
    source: bool = False
    names: bool = True
    geoip: bool = True
    mouse: bool = True
    protocols: frozenset[ProtocolGroup] = frozenset({ProtocolGroup.TCP})
    columns: Mapping[View, tuple[str, ...]] = field(default_factory=dict)
    sort: Mapping[View, tuple[str, bool]] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read. `broken`: it is no TOML, and must not be written to."""

    settings: Settings = field(default_factory=Settings)
    warnings: tuple[str, ...] = ()
    broken: bool = False
