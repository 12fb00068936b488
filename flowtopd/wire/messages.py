"""The messages, as frozen values. `docs/protocol.md` describes them for people who write viewers.

    viewer                     daemon
      hello  ───────────────▶
             ◀───────────────  welcome | error
      query  ───────────────▶            the newest query replaces the last one
             ◀───────────────  snapshot  at once, then one an interval, newest only
      flow   ───────────────▶
             ◀───────────────  detail
      update ───────────────▶
             ◀───────────────  progress  until one has `ended`

Rules: a field's annotation is its type on the wire (the codec checks it), a default makes it optional.
Nothing here knows sockets, numpy or the kernel.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from flowtopd.wire.errors import ErrorCode

PROTOCOL_VERSION: Final = 1

MIN_INTERVAL_S: Final = 0.1
MAX_INTERVAL_S: Final = 3600.0

MEANS_S: Final = (0.0, 2.0, 10.0, 40.0)
"""Over how many seconds rates may be means; 0: from the last sample but one to the last."""


class View(StrEnum):
    """What the rows of a snapshot are: flows, or groups of them."""

    FLOWS = "flows"
    PROCESSES = "processes"
    DEVICES = "devices"
    """By the machine in this house, this host too."""
    HOSTS = "hosts"
    """By the address at the other end."""
    COUNTRIES = "countries"
    """By the country of the other end."""
    NETWORKS = "networks"
    """By the autonomous system of the other end."""
    SERVICES = "services"
    CONTAINERS = "containers"
    """By container, else systemd unit."""


class Family(StrEnum):
    """Address family of a flow, in the words of the JSON contract."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a viewer. `client` is free text for the daemon's log."""

    TYPE: ClassVar = "hello"
    version: int
    client: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What a viewer wants to see from now on. Every snapshot made for it carries its `tag`.

    `protocols` are IP protocol numbers, None is all of them. `limit` None is every row from `offset` on.
    `fields` are names out of `wire.fields`, empty is all. `interval` is in seconds. While `paused`, the
    daemon keeps answering from the snapshot that it last sent, so that a frozen screen can still scroll.

    `closed`: also flows that have closed lately, in the flows view. `mean`: seconds over which all rates are means,
    one of MEANS_S. `history`: the snapshots tell how the rates of the whole line have been.
    """

    TYPE: ClassVar = "query"
    tag: int = 0
    view: View = View.FLOWS
    protocols: tuple[int, ...] | None = None
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    active: bool = False
    loopback: bool = False
    names: bool = True
    geoip: bool = True
    filter: str = ""
    sort: str = "rate"
    descending: bool = True
    offset: int = 0
    limit: int | None = None
    interval: float = 1.0
    paused: bool = False
    fields: tuple[str, ...] = ()
    closed: bool = False
    mean: float = 0.0
    history: bool = False


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """Ask for everything known about one flow."""

    TYPE: ClassVar = "flow"
    id: str


@dataclass(frozen=True, slots=True)
class Update:
    """Ask for new GeoIP databases. Only root and the group may; who asks while it runs hears how it goes on."""

    TYPE: ClassVar = "update"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a good `hello`. `server` is free text, `host` the name of the daemon's machine."""

    TYPE: ClassVar = "welcome"
    version: int
    server: str
    host: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the daemon and of the kernel's table.

    `flows`: entries in the table; `max`: its limit, None where it cannot be read; `matched`: rows of the query in all.
    `accounting`, `timestamps`: the sysctls are on. `tracking`: whether the kernel tracks connections at all
    in this namespace, None where that cannot be told. `resets`: how often a counter was set back by another
    program. `tick_seconds`: what the last tick took. `pace`: seconds between ticks now, which is more
    than the interval asked for when a dump takes more than half of it.
    """

    flows: int
    matched: int
    max: int | None
    accounting: bool
    timestamps: bool
    tracking: bool | None
    events_lost: int
    resets: int
    tick_seconds: float
    pace: float
    viewers: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all matched flows that live, not only the window. None where no flow has the value."""

    orig_rate: float | None
    reply_rate: float | None
    orig_bytes: int | None
    reply_bytes: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The window of one tick. `interval`: seconds between its two samples, None on the first one.

    `rows` hold values in the order of `fields`; `offset` is the index of the first row. A long window
    comes in parts: all carry the same `tag` and `seq`, and `more` is true on all but the last.

    `history`: lists of time, orig_rate and reply_rate of all flows together but loopback and the daemon's own, the
    oldest first: everything in the answer to the first query that asks for it, then what is new. None where it was
    not asked for.
    """

    TYPE: ClassVar = "snapshot"
    tag: int
    seq: int
    time: float
    interval: float | None
    view: View
    status: Status
    totals: Totals
    fields: tuple[str, ...]
    offset: int
    rows: list[list[Any]]
    more: bool = False
    history: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One flow in full, by field name; None when it is gone."""

    TYPE: ClassVar = "detail"
    id: str
    flow: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the update of the GeoIP databases is.

    With a `text` it is news, a line for a person that stays; `good` says whether it is good news. Without, it tells
    how much of the file `what` has come: `done` and `total` in bytes, `rate` in bytes/s, `left` in seconds; None is
    unknown. A viewer that reads slowly misses some of these, but no news. The last one has `ended`: True where all
    went well, else False.
    """

    TYPE: ClassVar = "progress"
    what: str = ""
    done: int = 0
    total: int | None = None
    rate: float | None = None
    left: float | None = None
    text: str = ""
    good: bool = True
    ended: bool | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """What went wrong, in one line for a person; `offset` is a position in the filter."""

    TYPE: ClassVar = "error"
    code: ErrorCode
    message: str
    offset: int | None = None


ViewerMessage = Hello | Query | FlowRequest | Update
DaemonMessage = Welcome | Snapshot | Detail | Progress | Error
Message = ViewerMessage | DaemonMessage
