"""The command `flowtop`: from argv to a viewer or to batch output, and an exit status.

A filter is checked before anything else is done.

Status: 0 fine, also when a recording is ended by Ctrl-C, and when the reader of a pipe is gone; 1 the daemon cannot be
reached or was lost, a private one cannot be had, an update has failed, or a recording cannot be made or is broken;
2 usage; 3 something fits the condition of --exit-if; 130 batch output or an update ended by Ctrl-C, as a shell expects.
Every failure is one line on stderr, and at most one more that helps.

prompt_toolkit is imported only where there is a screen, and after the first query is on its way.
"""

import argparse
import asyncio
import difflib
import errno
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NoReturn

from flowtop_client import batch, condition, scrape, update
from flowtop_client.columns.column import needed_fields
from flowtop_client.columns.excerpt import excerpt
from flowtop_client.columns.flows import flow_columns
from flowtop_client.connection import host as remote_host
from flowtop_client.connection.host import Host
from flowtop_client.connection.link import Connection, Link, NoDaemon, Target, Unavailable, Up, named
from flowtop_client.connection.private import COMMAND, PrivateDaemon, replaying
from flowtop_client.humanize import clean
from flowtop_client.preferences.files import usual_files
from flowtop_client.preferences.order import order_of
from flowtop_client.preferences.settings import Read, Settings
from flowtop_client.recorder import Recorder
from flowtop_client.several import Member
from flowtop_client.view_state.filter_line import remembered
from flowtop_client.view_state.place import VIEWS, Place
from flowtop_client.view_state.problems import notes
from flowtop_client.view_state.state import (
    ALL_PROTOCOLS,
    PLACE_VIEWS,
    ProtocolGroup,
    ViewState,
    query_for,
)
from flowtop_client.view_state.theme import Theme
from flowtop_client.view_state.versions import older_side
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.filter_syntax import FilterSyntaxError
from flowtopd.wire.messages import (
    MAX_INTERVAL_S,
    MAX_SPEED,
    MEANS_S,
    MIN_INTERVAL_S,
    MIN_SPEED,
    Family,
    Query,
    Snapshot,
    View,
)
from flowtopd.wire.recording_file import DEMO, open_recording

DEFAULT_SOCKET: Final = "/run/flowtop/flowtop.sock"

UNREACHABLE: Final = 1
FAILED: Final = 1
USAGE: Final = 2
FITS: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Why output may end before it should, beside a reader that is gone."""

_EXCERPT: Final = 76
"""Cells of a filter with a mistake: what a terminal of 80 columns has room for."""

_PROTOCOL_OPTIONS: Final = (
    ("-T", "--tcp", ProtocolGroup.TCP, "TCP flows (the default)"),
    ("-U", "--udp", ProtocolGroup.UDP, "UDP and UDP-lite flows"),
    ("-D", "--dccp", ProtocolGroup.DCCP, "DCCP flows"),
    ("-I", "--icmp", ProtocolGroup.ICMP, "ICMP and ICMPv6 flows"),
    ("-S", "--sctp", ProtocolGroup.SCTP, "SCTP flows"),
)

_EXAMPLES: Final = """\
examples:
  flowtop                              live TCP flows, the fastest first
  flowtop -46UTDISs                    everything the classic flowtop can show
  flowtop --all --once --json          every flow once, for scripts
  flowtop --once --sort bytes --limit 10
  flowtop -f 'process firefox and not country DE'
  flowtop --view processes --once      which program has how much
  flowtop -H alice@router              the daemon of another host, over ssh

In the viewer, ? lists the keys.
"""


Targets = Sequence[tuple[str, Target]]
"""Where daemons are, by what their hosts are called; one without a name, where there are not several."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for. `form` None is the screen; `path` None is the default socket.

    `hosts` are those whose daemons are meant; none: this one.

    `replay`: a recording to show, at `speed`; `record`: a file to record into.
    """

    state: ViewState
    form: batch.Format | None
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


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line and what helps in a second one."""

    def error(self, message: str) -> NoReturn:
        hint = "`flowtop --help` lists the options"
        if message.startswith("unrecognized arguments: "):
            wrong = message.removeprefix("unrecognized arguments: ").split()[0]
            message = f"unknown option {wrong}" if wrong.startswith("-") else f"unexpected argument {wrong!r}"
            if near := difflib.get_close_matches(wrong, self._option_string_actions, 1):
                hint = f"did you mean {near[0]}? {hint}"
        print(f"flowtop: {message}", f"flowtop: {hint}", sep="\n", file=sys.stderr)
        raise SystemExit(USAGE)


def _interval(text: str) -> float:
    with suppress(ValueError):
        if MIN_INTERVAL_S <= (value := float(text)) <= MAX_INTERVAL_S:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {MIN_INTERVAL_S:g} to {MAX_INTERVAL_S:g}")


def _speed(text: str) -> float:
    with suppress(ValueError):
        if MIN_SPEED <= (value := float(text)) <= MAX_SPEED:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no speed from {MIN_SPEED:g} to {MAX_SPEED:g}")


def _limit(text: str) -> int:
    with suppress(ValueError):
        if (value := int(text)) > 0:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, 1 or more")


def _view(text: str) -> View:
    with suppress(ValueError):
        return View(text)
    near = difflib.get_close_matches(text, View, 1)
    hint = f"did you mean {str(near[0])!r}?" if near else ", ".join(View)
    raise argparse.ArgumentTypeError(f"{text!r} is no view: {hint}")


def _theme(text: str) -> Theme:
    with suppress(ValueError):
        return Theme(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no theme: {', '.join(Theme)}")


def _filter(text: str) -> str:
    """A filter that parses. It is no argparse error where it does not: those have no place for the mark."""
    try:
        parse_filter(text)
    except FilterSyntaxError as error:
        print(f"flowtop: filter: {error.message}", *_marked(text, error.offset), sep="\n", file=sys.stderr)
        raise SystemExit(USAGE) from None
    return text.strip()


def _marked(text: str, offset: int) -> tuple[str, str]:
    """A filter, or the part of it around a mistake, and a mark under the mistake."""
    start, part = excerpt(clean(text), offset, _EXCERPT, batch.text_width)
    return f"  {part}", f"  {' ' * batch.text_width(part[: offset - start])}^"


def _host(text: str) -> Host:
    try:
        return remote_host.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _format(text: str) -> batch.Format:
    with suppress(ValueError):
        return batch.Format(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no format: {', '.join(batch.Format)}")


class _Version(argparse.Action):
    """Prints the version of the installed package."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        from importlib import metadata  # noqa: PLC0415  # 20 ms, a tenth of what a first screen may take

        try:
            version = metadata.version("flowtop")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"flowtop {version}")
        raise SystemExit(0)


def _parser() -> _Parser:
    parser = _Parser(
        prog="flowtop",
        usage="flowtop [options]",
        description="Shows, like top, every network flow that the kernel's connection tracking knows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    which = parser.add_argument_group("which flows")
    which.add_argument(
        "-4", "--ipv4", action="append_const", dest="families", const=Family.IPV4, help="IPv4 only (default: both)"
    )
    which.add_argument(
        "-6", "--ipv6", action="append_const", dest="families", const=Family.IPV6, help="IPv6 only (default: both)"
    )
    for short, long, group, meaning in _PROTOCOL_OPTIONS:
        which.add_argument(short, long, action="append_const", dest="protocols", const=group, help=meaning)
    which.add_argument("--all", action="store_true", help="every protocol, GRE and the rest too")
    which.add_argument("--loopback", action="store_true", help="also flows within this host")
    which.add_argument("-f", "--filter", type=_filter, metavar="EXPR", help="flows that match; ? has the language")
    how = parser.add_argument_group("how they are shown")
    how.add_argument("-n", "--no-dns", action="store_true", help="addresses, no names")
    how.add_argument("-G", "--no-geoip", action="store_true", help="no countries and networks")
    how.add_argument("-s", "--show-src", action="store_true", help="also the source side")
    how.add_argument("-b", "--bits", action="store_true", help="rates in bits/s instead of bytes/s")
    how.add_argument("--closed", action="store_true", help="also flows that have closed in the last minute")
    how.add_argument(
        "--mean", type=float, choices=MEANS_S[1:], default=0.0, metavar="SECONDS", help="rates over 2, 10 or 40 seconds"
    )
    how.add_argument("-t", "--interval", type=_interval, metavar="SECONDS", help="from 0.1 to 3600 (default: 1)")
    how.add_argument(
        "--view",
        type=_view,
        metavar="NAME",
        help="flows, processes, devices, hosts, countries, networks, services, containers (default: flows)",
    )
    how.add_argument(
        "--sort",
        metavar="FIELD[:asc|desc]",
        help="a column or a JSON key (default: rate:desc)",
    )
    how.add_argument("--theme", type=_theme, metavar="NAME", help=f"{', '.join(Theme)} (default: dark)")
    how.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    _add_output(parser)
    return parser


def _add_output(parser: _Parser) -> None:
    output = parser.add_argument_group("output for scripts (text is the default without a terminal)")
    form = output.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_const", dest="form", const=batch.Format.JSON, help="JSON Lines: a snapshot a line"
    )
    form.add_argument(
        "--csv", action="store_const", dest="form", const=batch.Format.CSV, help="a header, then a line a row"
    )
    form.add_argument("--text", action="store_const", dest="form", const=batch.Format.TEXT, help="the table")
    form.add_argument(
        "--format", type=_format, dest="form", metavar="NAME", help="json, csv, text, or openmetrics for Prometheus"
    )
    output.add_argument("--once", action="store_true", help="one snapshot with rates (two samples), then exit")
    output.add_argument(
        "--exit-if",
        type=_filter,
        default="",
        metavar="EXPR",
        help="write nothing until a flow, or a group of the view, fits; then that, and exit 3 (with --once: or exit 0)",
    )
    output.add_argument("--limit", type=_limit, metavar="N", help="at most N rows (default: all)")
    recordings = parser.add_argument_group("recordings")
    what = recordings.add_mutually_exclusive_group()
    what.add_argument("--record", type=Path, metavar="FILE", help="write the flows into a new file until Ctrl-C")
    what.add_argument("--replay", type=Path, metavar="FILE", help="show a recording; needs no root and no daemon")
    what.add_argument(
        "--demo", action="store_const", dest="replay", const=DEMO, help="show a recorded home network, again and again"
    )
    recordings.add_argument("--speed", type=_speed, metavar="N", help="of a recording: from 0.1 to 100 (default: 1)")
    other = parser.add_argument_group("other")
    other.add_argument(
        "-H",
        "--host",
        type=_host,
        action="append",
        default=[],
        metavar="[USER@]HOST[:PORT]",
        help="the daemon of another host, over ssh; several times: of all of them together",
    )
    other.add_argument("-u", "--update", action="store_true", help="update the GeoIP databases through the daemon")
    other.add_argument(
        "--socket",
        metavar="PATH",
        help=f"the daemon's socket (default: $FLOWTOP_SOCKET, else {DEFAULT_SOCKET}); with --host, there",
    )
    other.add_argument("--standalone", action="store_true", help="run a private daemon for this viewer (needs root)")
    other.add_argument(
        "--activate",
        action="store_true",
        help="the same, and have the kernel track connections where no rule asks for it",
    )
    other.add_argument("-v", "--version", action=_Version, nargs=0, help="show the version and exit")
    other.add_argument("-h", "--help", action="help", help="show this help and exit")


def parse(argv: Sequence[str] | None, *, terminal: bool, settings: Callable[[], Read] = Read) -> Options:
    """The options in `argv`, and what the configuration file says about the rest where there is a screen.

    Raises SystemExit with a status: 2 on a mistake, 0 after --help and --version.
    """
    parser = _parser()
    given = parser.parse_args(argv)
    private = "--activate" if given.activate else "--standalone" if given.standalone else ""
    if private and given.socket:
        parser.error(f"{private} and --socket: a private daemon has no socket")
    if private and given.update:
        parser.error(f"--update and {private}: without a daemon it is `flowtopd --update`")
    if given.replay and (private or given.socket or given.update):
        parser.error("a recording is shown without a daemon: --socket, --standalone and --update have no meaning")
    if given.speed and not given.replay:
        parser.error("--speed is that of --replay FILE or --demo")
    if given.record and given.form:
        parser.error("--record writes a recording: `flowtop --replay FILE --json` and the others show it")
    if not given.update and given.no_geoip and given.view in PLACE_VIEWS:
        parser.error(f"--no-geoip and --view {given.view}: nothing would be left")
    _check_output(parser, given)
    _check_hosts(parser, given)
    form = given.form or (batch.Format.TEXT if given.once or given.exit_if or not terminal else None)
    # output for scripts is the same for everybody
    kept = settings() if form is None and not (given.record or given.update) else Read()
    try:
        state = _state(given, kept.settings)
    except ValueError as error:
        parser.error(f"argument --sort: {error}")
    hosts = tuple(given.host)
    if len(hosts) > 1:
        state = replace(state, hosts=tuple(Member(label) for label in remote_host.labels(hosts)))
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


def _check_output(parser: _Parser, given: argparse.Namespace) -> None:
    """Leave with a usage error where options of the output do not go together."""
    if given.exit_if and given.form is batch.Format.OPENMETRICS:
        parser.error("--exit-if and --format openmetrics: metrics are told in any case")
    if given.exit_if and given.limit:
        parser.error("--exit-if and --limit: all rows are looked at")
    if given.exit_if and (view := given.view or View.FLOWS) is not View.FLOWS:
        node = parse_filter(given.exit_if)
        try:
            if node is not None:
                condition.check(node, view)
        except condition.NoSuchFieldError as error:
            parser.error(f"argument --exit-if: {str(error)!r} is no field of {view}")


def _check_hosts(parser: _Parser, given: argparse.Namespace) -> None:
    """Leave with a usage error where --host does not go together with something else."""
    hosts: list[Host] = given.host
    if not hosts:
        return
    if given.standalone or given.replay:
        parser.error("--host shows the daemon of another host: --standalone, --replay and --demo have no meaning")
    if given.socket and not remote_host.is_plain(given.socket):
        parser.error("--host and --socket: PATH is an absolute one at the host, of letters, digits and ./_+=,-")
    places = [(host.destination, host.port) for host in hosts]
    for number, (host, place) in enumerate(zip(hosts, places, strict=True)):
        if place in places[:number]:
            parser.error(f"--host {host.spec}: it is there twice")
    if len(hosts) > 1:
        for wrong, what in ((given.record, "--record"), (given.update, "--update")):
            if wrong:
                parser.error(f"{what} and several --host: it is for one host at a time")
        if given.form is batch.Format.OPENMETRICS:
            parser.error("--format openmetrics and several --host: metrics are those of one host")


async def _serve(options: Options, targets: Targets) -> int:
    """Open the connection and show what comes; return the exit status. Raises Unavailable and OSError."""
    (_, first), *others = targets
    if options.record is not None:
        await _record(options, options.record, first)
        return 0
    if options.form is None:
        await _on_screen(options, targets)
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # `→` and names in a locale that cannot write them
    if options.form is batch.Format.OPENMETRICS:
        await _metrics(options, first)
        return 0
    state, fits = _conditional(options)
    query = batch.query_of(state, options.form, options.limit)
    if others and options.form is batch.Format.JSON:
        return FITS if await _json_of_each(options, targets, query, fits) else 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    connection = _link(targets, query, whole=True)
    up = await connection.open()
    older = older_side(up.server)
    mind = _noting(options, up, older) if fits is None else lambda _part: None
    try:
        writer = batch.writer_for(options.form, sys.stdout, state, host=up.host, width=width)
        found = await batch.run(connection, writer, sys.stdout, once=options.once, fits=fits, mind=mind)
    except Unavailable as error:
        raise Unavailable(error.what, error.hint or older) from None
    finally:
        await connection.close()
    return FITS if found else 0


def _noting(options: Options, up: Up, older: str) -> Callable[[Snapshot], None]:
    """Says on stderr what is to be known about the output, once; a table for people needs more of it."""
    people, said = options.form is batch.Format.TEXT, set[str]()
    state = replace(options.state, may=up.may)

    def mind(snapshot: Snapshot) -> None:
        told = (*notes(state, snapshot, people=people), *([older] if older and people else []))
        for line in told:
            if line not in said:
                print(f"flowtop: {line}", file=sys.stderr)
        said.update(told)

    return mind


async def _json_of_each(options: Options, targets: Targets, query: Query, fits: batch.Fits | None) -> bool:
    """Write the snapshots of several hosts, each as it comes; tell whether rows that fit were found."""
    connections = {name: Connection(target, query) for name, target in targets}
    try:
        wrong = await asyncio.gather(*(_refusal(name, each) for name, each in connections.items()))
        for error in wrong:
            if error is not None:
                raise error
        return await batch.run_each(connections, sys.stdout, once=options.once, fits=fits)
    finally:
        for each in connections.values():
            await each.close()


async def _refusal(name: str, connection: Connection) -> Unavailable | None:
    """Open a connection to one of several hosts; why it is none."""
    try:
        await connection.open()
    except Unavailable as error:
        return named(name, error)
    return None


def _link(targets: Targets, query: Query, *, whole: bool) -> Link:
    """A connection to one daemon, or to several as if they were one; `whole`: none of them may be missing."""
    if len(targets) > 1:
        from flowtop_client.connection.many import Many  # noqa: PLC0415  # as below

        return Many(targets, query, whole=whole)
    ((_, target),) = targets
    return Connection(target, query)


def _conditional(options: Options) -> tuple[ViewState, batch.Fits | None]:
    """What to ask for, and which of its rows fit: of flows the daemon tells, of groups we do."""
    state = options.state
    node = parse_filter(options.exit_if)
    if node is None:
        return state, None
    if state.view is View.FLOWS:
        both = f"({state.filter}) ({options.exit_if})" if state.filter else options.exit_if
        return replace(state, filter=both), lambda _row: True
    return state, lambda row: condition.fits(node, row, state.view)


async def _metrics(options: Options, target: Target) -> None:
    connection = Connection(target, scrape.first_query(options.state))
    up = await connection.open()
    try:
        await scrape.run(connection, options.state, sys.stdout, host=up.host, once=options.once)
    finally:
        await connection.close()


async def _record(options: Options, path: Path, target: Target) -> None:
    """Record until Ctrl-C, then say how much it was."""
    recorder = Recorder(path, options.state)
    try:
        await recorder.run(target, once=options.once)
    finally:
        if (done := recorder.recorded).samples:
            what = f"{done.samples} snapshots of up to {done.flows} flows in {done.seconds:.0f} s"
            print(f"flowtop: {path}: {what}, {done.size_bytes} bytes", file=sys.stderr)


async def _on_screen(options: Options, targets: Targets) -> None:
    lines, state, files = shutil.get_terminal_size().lines, options.state, usual_files(os.environ)
    history = remembered(files.history(), state.filter)
    state = replace(state, page=lines, fields=needed_fields(flow_columns(source=True)), history=history)
    connection = _link(targets, query_for(state), whole=False)
    up = await connection.open()
    try:
        # 0.1 s and 8 MB, which batch output never needs; and the daemon makes the first snapshot meanwhile
        from flowtop_client.tui.app import run  # noqa: PLC0415

        colours = not os.environ.get("NO_COLOR")
        reason = await run(connection, state, up, files=files, keys=options.keys, colours=colours)
    finally:
        await connection.close()
    if reason is not None:
        raise reason


def _privately(options: Options) -> int:
    """Show what a private daemon sees. Raises Unavailable, with the daemon's own words where it has some."""
    if os.geteuid() != 0:
        asked = "--activate" if options.activate else "--standalone"
        raise Unavailable(f"{asked} needs root: only root may read connection tracking", f"`sudo flowtop {asked}`")
    command = (*COMMAND, "--activate") if options.activate else COMMAND
    own = replace(options, state=replace(options.state, private=True))
    return _with_private(own, lambda: PrivateDaemon(command))


def _replayed(options: Options, path: Path) -> int:
    """Show a recording: what a private daemon makes of it. Raises Unavailable."""
    try:
        with open_recording(path):  # said here, it is one line
            pass
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from None
    except RecordingError as error:
        raise Unavailable(f"{path}: {clean(str(error))}") from None
    command = replaying(path, options.speed, loop=path == DEMO)
    return _with_private(options, lambda: PrivateDaemon(command))


def _with_private(options: Options, make: Callable[[], PrivateDaemon]) -> int:
    try:
        daemon = make()
    except OSError as error:
        raise Unavailable(f"cannot start a private daemon: {error}") from None
    lost, status = None, 0
    try:
        status = asyncio.run(_serve(options, [("", daemon.viewer)]))
    except Unavailable as error:
        lost = error
    finally:
        said = daemon.stop()
    if lost is not None:
        raise Unavailable(f"the private daemon failed: {said}" if said else lost.what, lost.hint)
    return status


async def _from_afar(options: Options, targets: Targets) -> int:
    """Show what the daemons of other hosts see, or have one updated. Raises Unavailable and OSError."""
    if options.update:
        return 0 if await update.run(targets[0][1], sys.stdout, sys.stderr) else FAILED
    return await _serve(options, targets)


def _show(options: Options) -> int:
    """Show what the system's daemon sees; for root without one, a private one's. Gives the exit status."""
    if options.hosts:
        from flowtop_client.connection import remote  # noqa: PLC0415  # 5 ms that nobody else has to wait for

        # not $FLOWTOP_SOCKET: that one is here
        return remote.run(options.hosts, options.path or DEFAULT_SOCKET, lambda made: _from_afar(options, made))
    path = options.path or os.environ.get("FLOWTOP_SOCKET") or DEFAULT_SOCKET
    if options.update:
        return 0 if asyncio.run(update.run(path, sys.stdout, sys.stderr)) else FAILED
    if options.replay is not None:
        return _replayed(options, options.replay)
    if options.standalone:
        return _privately(options)
    try:
        return asyncio.run(_serve(options, [("", path)]))
    except NoDaemon:
        if path != DEFAULT_SOCKET or os.geteuid() != 0:
            raise
        return _privately(options)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point. Gives the exit status."""
    if sys.stdout is None:  # closed by whoever started this: nobody reads
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as this runs
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    terminal = terminal and os.environ.get("TERM") != "dumb"  # it cannot place a cursor
    options = parse(argv, terminal=terminal, settings=usual_files(os.environ).settings)
    try:
        status = _show(options)
        sys.stdout.flush()
    except batch.Refused as error:
        at = error.error.offset
        mark = () if at is None or not options.state.filter else _marked(options.state.filter, at)
        print(f"flowtop: {error}", *mark, sep="\n", file=sys.stderr)
        return USAGE
    except Unavailable as error:
        lines = [f"flowtop: {clean(line)}" for line in (error.what, error.hint) if line]  # what a daemon says, too
        print(*lines, sep="\n", file=sys.stderr)
        return UNREACHABLE
    except BrokenPipeError:
        # the reader has what it wanted; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"flowtop: cannot write: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 0 if options.record else INTERRUPTED
    return status
