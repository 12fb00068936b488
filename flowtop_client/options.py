"""What the command line asks for: argv, and the configuration file, to Options. What does not go together ends it."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flowtop_client.connection.host import Host, is_plain, labels
from flowtop_client.formats import Format
from flowtop_client.parser import Parser
from flowtop_client.parser import parser as make_parser
from flowtop_client.preferences.order import order_of
from flowtop_client.preferences.settings import Read, Settings
from flowtop_client.several import Member
from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.place import VIEWS, Place
from flowtop_client.view_state.state import ALL_PROTOCOLS, PLACE_VIEWS, ViewState
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.messages import Family, View


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for. `form` None is the screen; `path` None is the default socket.

    `hosts` are those whose daemons are meant; none: this one.

    `replay`: a recording to show, at `speed`; `record`: a file to record into.
    """

    state: ViewState
    form: Format | None
    once: bool
    limit: int | None
    path: str | None
    standalone: bool
    activate: bool = False
    update: bool = False
    replay: Path | None = None
    speed: float = 1.0
    record: Path | None = None
    exit_if: str = ""
    hosts: tuple[Host, ...] = ()
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)


def parse(argv: Sequence[str] | None, *, terminal: bool, settings: Callable[[], Read] = Read) -> Options:
    """The options in `argv`, and what the configuration file says about the rest where there is a screen.

    Raises SystemExit with a status: 2 on a mistake, 0 after --help and --version.
    """
    parser = make_parser()
    given = parser.parse_args(argv)
    private = "--activate" if given.activate else "--standalone" if given.standalone else ""
    _check_source(parser, given, private)
    if not given.update and given.no_geoip and given.view in PLACE_VIEWS:
        parser.error(f"--no-geoip and --view {given.view}: nothing would be left")
    _check_output(parser, given)
    _check_hosts(parser, given)
    form = given.form or (Format.TEXT if given.once or given.exit_if or not terminal else None)
    if given.limit and form is None:
        parser.error("--limit is for output, as with --once or --json: the screen has all rows")
    # output for scripts is the same for everybody
    kept = settings() if form is None and not (given.record or given.update) else Read()
    try:
        state = _state(given, kept.settings)
    except ValueError as error:
        parser.error(f"argument --sort: {error}")
    hosts = tuple(given.host)
    if len(hosts) > 1:
        state = replace(state, hosts=tuple(Member(label) for label in labels(hosts)))
    return Options(
        replace(state, warnings=kept.warnings),
        form,
        given.once,
        given.limit,
        given.socket,
        bool(private),
        given.activate,
        given.update,
        given.replay,
        given.speed or 1.0,
        given.record,
        given.exit_if,
        hosts,
        kept.settings.keys,
    )


def _state(given: argparse.Namespace, kept: Settings) -> ViewState:
    """The state to begin with: what is given, else what is kept. Raises ValueError where the order is none."""
    view = given.view or kept.view
    places = [Place(*kept.sort.get(each, ("rate", True))) for each in VIEWS]
    sort, descending = order_of(given.sort, view) if given.sort else kept.sort.get(view, ("rate", True))
    text = kept.filter if given.filter is None else given.filter
    return ViewState(
        view=view,
        filter=text,
        history=remembered((), text),
        protocols=ALL_PROTOCOLS if given.all else frozenset(given.protocols or kept.protocols),
        families=tuple(family for family in Family if family in (given.families or Family)),
        loopback=given.loopback,
        names=kept.names and not given.no_dns,
        geoip=kept.geoip and not given.no_geoip,
        source=kept.source or given.show_src,
        bits=kept.bits or given.bits,
        interval=given.interval or kept.interval,
        closed=given.closed,
        mean=given.mean,
        mouse=kept.mouse and not given.no_mouse,
        theme=given.theme or kept.theme,
        choices=tuple(kept.columns.get(each, ()) for each in VIEWS),
        places=tuple(places),
        sort=sort,
        descending=descending,
    )


def _check_source(parser: Parser, given: argparse.Namespace, private: str) -> None:
    """Leave with a usage error where what is to be looked at, and what is to be done, do not go together."""
    if private and given.socket:
        parser.error(f"{private} and --socket: a private daemon has no socket")
    if private and given.update:
        parser.error(f"--update and {private}: without a daemon it is `flowtopd --update`")
    if given.replay and (private or given.socket or given.update):
        wrong = "--socket, --standalone, --activate and --update"
        parser.error(f"a recording is shown without a daemon: {wrong} have no meaning")
    if given.speed and not given.replay:
        parser.error("--speed is that of --replay FILE or --demo")
    if given.record and given.form:
        parser.error("--record writes a recording: `flowtop --replay FILE --json` and the others show it")
    if given.record and (wrong := "--exit-if" if given.exit_if else "--limit" if given.limit else ""):
        parser.error(f"--record and {wrong}: it is for `flowtop --replay FILE`, which shows the recording")
    if given.update and (given.record or given.form or given.once or given.exit_if or given.limit):
        parser.error("--update shows no flows: output and recordings have no meaning")


def _check_output(parser: Parser, given: argparse.Namespace) -> None:
    """Leave with a usage error where options of the output do not go together."""
    if given.exit_if and given.form is Format.OPENMETRICS:
        parser.error("--exit-if and --format openmetrics: metrics are told in any case")
    if given.exit_if and given.limit:
        parser.error("--exit-if and --limit: all rows are looked at")
    if given.exit_if and (view := given.view or View.FLOWS) is not View.FLOWS:
        from flowtop_client import condition  # noqa: PLC0415  # nobody else waits for it

        node = parse_filter(given.exit_if)
        try:
            if node is not None:
                condition.check(node, view)
        except condition.NoSuchFieldError as error:
            asked = condition.as_typed(error.node, given.exit_if)
            parser.error(f"argument --exit-if: {view} cannot be asked for {asked!r}, flows can: -f chooses them")


def _check_hosts(parser: Parser, given: argparse.Namespace) -> None:
    """Leave with a usage error where --host does not go together with something else."""
    hosts: list[Host] = given.host
    if not hosts:
        return
    if given.standalone or given.activate or given.replay:
        wrong = "--standalone, --activate, --replay and --demo"
        parser.error(f"--host shows the daemon of another host: {wrong} have no meaning")
    if given.socket and not is_plain(given.socket):
        parser.error("--host and --socket: PATH is an absolute one at the host, of letters, digits and ./_+=,-")
    places = [(host.destination, host.port) for host in hosts]
    for number, (host, place) in enumerate(zip(hosts, places, strict=True)):
        if place in places[:number]:
            parser.error(f"--host {host.spec}: it is there twice")
    if len(hosts) > 1:
        for is_given, what in ((given.record, "--record"), (given.update, "--update")):
            if is_given:
                parser.error(f"{what} and several --host: it is for one host at a time")
        if given.form is Format.OPENMETRICS:
            parser.error("--format openmetrics and several --host: metrics are those of one host")
