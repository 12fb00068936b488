"""The messages, as frozen values. `docs/protocol.md` describes them for people who write viewers.

    viewer                     daemon
      hello  ───────────────▶
             ◀───────────────  welcome | error
      query  ───────────────▶            the newest query replaces the last one
             ◀───────────────  snapshot  at once, then one an interval, newest only
      flow   ───────────────▶            the newest one replaces the last one
             ◀───────────────  detail    at once, then one an interval, until the flow is gone
      delete, kill ─────────▶
             ◀───────────────  done | error
      update ───────────────▶
             ◀───────────────  progress  until one has `ended`
      seek   ───────────────▶            of a daemon that shows a recording

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

MIN_SPEED: Final = 0.1
MAX_SPEED: Final = 100.0
"""How fast a recording may be shown, in seconds of it a second."""
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


class Right(StrEnum):
    """What a viewer may do beyond looking."""

    UPDATE = "update"
    """Have the GeoIP databases updated."""
    ACT = "act"
    """Delete entries and close sockets."""


class Whose(StrEnum):
    """Whose flows a viewer is shown."""

    ALL = "all"
    OWN = "own"
    """Those of its own user; every number is about them alone."""


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
    one of MEANS_S. `history`: the snapshots tell how the rates of the whole line have been. `follow`: the id of a flow;
    where it is a row of the flows view outside of the window, the window is moved there.
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
    follow: str = ""


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """Ask for everything known about one flow, from now on; an empty `id` ends that."""

    TYPE: ClassVar = "flow"
    id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Have the kernel's entry of one flow deleted. Who may: `Welcome.may`."""

    TYPE: ClassVar = "delete"
    id: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Have the sockets on the daemon's machine of one TCP connection closed, its entry too. Who may: `Welcome.may`."""

    TYPE: ClassVar = "kill"
    id: str


@dataclass(frozen=True, slots=True)
class Update:
    """Ask for new GeoIP databases. Only root and the group may; who asks while it runs hears how it goes on."""

    TYPE: ClassVar = "update"


@dataclass(frozen=True, slots=True)
class Seek:
    """Show another place of the recording, or show it in another way; all viewers see what one of them has chosen.

    `seconds` and `samples` move forward, or back below 0. `paused` and `speed` stay as they are where they are None.
    """

    TYPE: ClassVar = "seek"
    seconds: float = 0.0
    samples: int = 0
    paused: bool | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a good `hello`. `server` is free text, `host` the name of the daemon's machine.

    `may` are the `Right`s of this viewer: what it may not do it need not offer. `whose` flows it is shown.
    """

    TYPE: ClassVar = "welcome"
    version: int
    server: str
    host: str
    may: tuple[str, ...] = ()
    whose: Whose = Whose.ALL


class Events(StrEnum):
    """Whether the daemon hears of flows as they begin and end, beside reading the whole table."""

    ON = "on"
    OFF = "off"
    """It cannot, or has no need to."""
    OVERLOADED = "overloaded"
    """They come faster than they can be read: it does without, until it is calmer."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the daemon and of the kernel's table.

    `flows`: entries in the table; `max`: its limit, None where it cannot be read; `matched`: rows of the query in all.
    For a viewer that is shown only its own flows, `flows` and `viewers` count those of its user, `max` is None,
    `events_lost` and `resets` are 0, `events` is None, and `tick_seconds` is half of `pace`.
    `accounting`, `timestamps`: the sysctls are on. `tracking`: whether the kernel tracks connections at all
    in this namespace, None where that cannot be told. `events_lost`: events of flows that nobody has looked at, since
    the daemon began; `events`: whether there are any, None in a recording that does not say. `resets`: how often a
    counter was set back by another program. `tick_seconds`: what the last tick took. `pace`: seconds between ticks now,
    which is more than the interval asked for when a dump takes more than half of it.

    Of the flows that matched, `uncounted` have no counters: they began before accounting was on; `frozen` are offloaded
    past their counters, which stand still. `places`: what the GeoIP databases can tell, out of `country`, `city` and
    `asn`; None before the first address was looked up, and of a recording.
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
    uncounted: int = 0
    frozen: int = 0
    places: tuple[str, ...] | None = None
    events: Events | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all matched flows that live, not only the window. None where no flow has the value."""

    orig_rate: float | None
    reply_rate: float | None
    orig_bytes: int | None
    reply_bytes: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """Where in a recording a snapshot stands. `position` and `duration` are in seconds since it began.

    `ended`: nothing comes any more, unless somebody seeks. `trouble`: why it ends before it should, in a line for a
    person; empty while all is well.
    """

    position: float
    duration: float
    speed: float
    paused: bool
    ended: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The window of one tick. `interval`: seconds between its two samples, None on the first one.

    `rows` hold values in the order of `fields`; `offset` is the index of the first row. A long window
    comes in parts: all carry the same `tag` and `seq`, and `more` is true on all but the last. `replay` is there
    where this is a recording, and `time` is that of the recording then.

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
    replay: Replay | None = None
    history: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One flow in full: `FLOW_FIELDS` and `DETAIL_FIELDS` of `wire.fields` by name; None when it is gone.

    `ends`: for each of `wire.fields.ENDS` its `END_FIELDS` by name. `history`: time in Unix seconds, `orig_rate` and
    `reply_rate` of each tick that is remembered, oldest first; no ticks where the flow is not counted.
    """

    TYPE: ClassVar = "detail"
    id: str
    flow: dict[str, Any] | None
    ends: dict[str, Any] | None = None
    history: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked for by `delete` or `kill` is done; `text` says what, in one line for a person."""

    TYPE: ClassVar = "done"
    id: str
    text: str


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


ViewerMessage = Hello | Query | FlowRequest | Delete | Kill | Update | Seek
DaemonMessage = Welcome | Snapshot | Detail | Done | Progress | Error
Message = ViewerMessage | DaemonMessage
