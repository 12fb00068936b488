"""The options of `flowtop`, as argparse takes them, and what each of their values may be.

A filter is checked before anything else is done. What goes together is checked in `options`.
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from flowtop_client.connection.host import Host
from flowtop_client.connection.host import parse as parse_host
from flowtop_client.exit_status import USAGE
from flowtop_client.formats import Format
from flowtop_client.mistakes import marked
from flowtop_client.view_state.state import ProtocolGroup
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.demo import DEMO
from flowtopd.wire.filter_parser import parse as parse_filter
from flowtopd.wire.filter_syntax import FilterSyntaxError
from flowtopd.wire.messages import MAX_INTERVAL_S, MAX_SPEED, MEANS_S, MIN_INTERVAL_S, MIN_SPEED, Family, View
from flowtopd.wire.nearest import nearest, told

DEFAULT_SOCKET: Final = "/run/flowtop/flowtop.sock"

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


class Parser(argparse.ArgumentParser):
    """Says a mistake in one line and what helps in a second one."""

    def error(self, message: str) -> NoReturn:
        """End with a usage error."""
        for line in told("flowtop", message, self._option_string_actions):
            print(f"flowtop: {line}", file=sys.stderr)
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


def _mean(text: str) -> float:
    with suppress(ValueError):
        if (value := float(text)) in MEANS_S[1:]:
            return value
    *some, last = (f"{mean_s:g}" for mean_s in MEANS_S[1:])
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(some)} and {last} seconds")


def _limit(text: str) -> int:
    with suppress(ValueError):
        if (value := int(text)) > 0:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, 1 or more")


def _view(text: str) -> View:
    with suppress(ValueError):
        return View(text)
    near = nearest(text, View)
    hint = f"did you mean {str(near)!r}?" if near else ", ".join(View)
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
        print(f"flowtop: filter: {error.message}", *marked(text, error.offset), sep="\n", file=sys.stderr)
        raise SystemExit(USAGE) from None
    return text.strip()


def _host(text: str) -> Host:
    try:
        return parse_host(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _format(text: str) -> Format:
    with suppress(ValueError):
        return Format(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no format: {', '.join(Format)}")


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


def parser() -> Parser:
    """The options of `flowtop`."""
    made = Parser(
        prog="flowtop",
        usage="flowtop [options]",
        description="Shows, like top, every network flow that the kernel's connection tracking knows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    which = made.add_argument_group("which flows")
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
    how = made.add_argument_group("how they are shown")
    how.add_argument("-n", "--no-dns", action="store_true", help="addresses, no names")
    how.add_argument("-G", "--no-geoip", action="store_true", help="no countries and networks")
    how.add_argument("-s", "--show-src", action="store_true", help="also the source side")
    how.add_argument("-b", "--bits", action="store_true", help="rates in bits/s instead of bytes/s")
    how.add_argument("--closed", action="store_true", help="also flows that have closed in the last minute")
    how.add_argument(
        "--mean", type=_mean, choices=MEANS_S[1:], default=0.0, metavar="SECONDS", help="rates over 2, 10 or 40 seconds"
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
    _add_output(made)
    _add_recordings(made)
    _add_other(made)
    return made


def _add_output(parser: Parser) -> None:
    output = parser.add_argument_group("output for scripts (text is the default without a terminal)")
    form = output.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_const", dest="form", const=Format.JSON, help="JSON Lines: a snapshot a line"
    )
    form.add_argument("--csv", action="store_const", dest="form", const=Format.CSV, help="a header, then a line a row")
    form.add_argument("--text", action="store_const", dest="form", const=Format.TEXT, help="the table")
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


def _add_recordings(parser: Parser) -> None:
    recordings = parser.add_argument_group("recordings")
    what = recordings.add_mutually_exclusive_group()
    what.add_argument("--record", type=Path, metavar="FILE", help="write the flows into a new file until Ctrl-C")
    what.add_argument("--replay", type=Path, metavar="FILE", help="show a recording; needs no root and no daemon")
    what.add_argument(
        "--demo", action="store_const", dest="replay", const=DEMO, help="show a recorded home network, again and again"
    )
    recordings.add_argument("--speed", type=_speed, metavar="N", help="of a recording: from 0.1 to 100 (default: 1)")


def _add_other(parser: Parser) -> None:
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
