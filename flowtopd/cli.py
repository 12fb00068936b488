"""The command line of flowtopd: arguments in, exit status out. Mistakes get one line, and a hint where there is one.

Exit status: 0 fine, 1 cannot start, could not restore everything or update the databases, 2 usage or configuration,
130 an update ended by Ctrl-C.
"""

import argparse
import contextlib
import errno
import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

from flowtopd.config import DEFAULT_PATH as DEFAULT_CONFIG
from flowtopd.config import Config, ConfigError, LogLevel, load
from flowtopd.config_check import check
from flowtopd.daemon import check_kernel, run
from flowtopd.serving import Place
from flowtopd.session.access import SocketInUseError
from flowtopd.system import journal
from flowtopd.system.log_lines import escaped
from flowtopd.system.own_directory import UnsafeDirectoryError
from flowtopd.system.runtime_dir import DEFAULT_PATH as DEFAULT_RUNTIME_DIR
from flowtopd.system.runtime_dir import AlreadyRunningError
from flowtopd.system.sysctl import restore
from flowtopd.system.systemd import HandedOverError
from flowtopd.wire.bar import Display, terminal_width
from flowtopd.wire.errors import RecordingError
from flowtopd.wire.messages import MAX_SPEED, MIN_SPEED, Progress
from flowtopd.wire.nearest import told
from flowtopd.wire.plain import write_plainly
from flowtopd.wire.recording_file import open_recording
from flowtopd.wire.version import VERSION

SOCKET_NAME: Final = "flowtop.sock"

CANNOT: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _die(USAGE, *told("flowtopd", message, self._option_string_actions))


def _die(status: int, message: str, hint: str = "") -> NoReturn:
    print(f"flowtopd: {escaped(message)}", file=sys.stderr)
    if hint:
        print(f"flowtopd: {escaped(hint)}", file=sys.stderr)
    raise SystemExit(status)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="flowtopd",
        description="Reads the kernel's connection tracking and serves it to flowtop viewers.",
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--config", type=Path, metavar="FILE", help=f"configuration (default {DEFAULT_CONFIG}, if it is there)")
    option(
        "--runtime-dir",
        type=Path,
        metavar="DIR",
        default=DEFAULT_RUNTIME_DIR,
        help="socket, lock and saved sysctls (default %(default)s)",
    )
    option("--socket", type=Path, metavar="PATH", help=f"where viewers connect (default {SOCKET_NAME} in DIR)")
    option("--activate", action="store_true", help="make the kernel track connections while the daemon runs")
    option(
        "--log-level",
        choices=[level.value for level in LogLevel],
        help="least important message that is logged (default info)",
    )
    option("--check-config", action="store_true", help="say what is wrong with the configuration, then exit")
    option("--restore", action="store_true", help="put back sysctls left by a killed daemon, then exit")
    option("--update", action="store_true", help="fetch new GeoIP databases, then exit")
    option("--record", type=Path, metavar="FILE", help="write what is seen to a new file, whether anybody looks or not")
    option("--replay", type=Path, metavar="FILE", help="serve a recording instead of a kernel; needs no root")
    option("--speed", type=_speed, metavar="N", help="how fast a recording is shown (default 1)")
    option("--loop", action="store_true", help="begin a recording again at its end")
    option("--viewer-fd", type=int, metavar="FD", help="serve the one viewer on this connected socket, end with it")
    option("--version", action="version", version=f"flowtopd {VERSION}")
    return parser


def _speed(text: str) -> float:
    with contextlib.suppress(ValueError):
        if MIN_SPEED <= (value := float(text)) <= MAX_SPEED:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no speed from {MIN_SPEED:g} to {MAX_SPEED:g}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    options = _options(arguments)
    if options.check_config:
        return _check_config(options.config)
    try:
        config = load(options.config)
    except ConfigError as error:
        for other in (error, *error.more):
            print(f"flowtopd: {escaped(str(other))}", file=sys.stderr)
        return USAGE
    config = _overridden(config, options)
    journal.setup(config.daemon.log_level)
    if options.restore:
        return _restore(options.runtime_dir)
    if options.update:
        return _update(config)
    return _run(config, options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for; what does not go together ends the program."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.record and options.replay:
        parser.error("--record and --replay: a recording is there already")
    if not options.replay and (wrong := "--speed" if options.speed else "--loop" if options.loop else ""):
        parser.error(f"{wrong} is that of --replay FILE")
    return options


def _check_config(path: Path | None) -> int:
    found = check(path)
    for line in (*found.mistakes, *(f"warning: {line}" for line in found.warnings)):
        print(f"flowtopd: {escaped(line)}", file=sys.stderr)
    if found.mistakes:
        return USAGE
    number = len(found.warnings)
    said = f", with {number} warning{'s' if number > 1 else ''}" if number else ""
    print(f"flowtopd: {found.file or f'{DEFAULT_CONFIG} is not there, the defaults are used'}: fine{said}")
    return 0


def _overridden(config: Config, options: argparse.Namespace) -> Config:
    """The configuration with what the command line says instead."""
    if options.activate:
        config = replace(config, conntrack=replace(config.conntrack, activate=True))
    if options.log_level:
        config = replace(config, daemon=replace(config.daemon, log_level=LogLevel(options.log_level)))
    return config


def _restore(runtime_dir: Path) -> int:
    try:
        outcome = restore(runtime_dir)
    except AlreadyRunningError as error:
        _die(CANNOT, str(error), hint="it puts them back itself when it ends")
    except UnsafeDirectoryError as error:
        _die(CANNOT, str(error), hint=error.hint)
    except OSError as error:
        _die(CANNOT, f"{runtime_dir}: {error.strerror or error}")
    for line in outcome.lines:
        print(f"flowtopd: {escaped(line)}")
    return 0 if outcome.complete else CANNOT


def _update(config: Config) -> int:
    write_plainly(sys.stdout)  # `█` in a locale that cannot write it
    display = Display()

    def tell(progress: Progress) -> None:
        if progress.text and not progress.good:
            print(display.clear(), end="", flush=True)
            print(f"flowtopd: {progress.text}", file=sys.stderr, flush=True)
        else:
            print(display.show(progress, terminal_width(sys.stdout)), end="", flush=True)

    try:
        well: bool = importlib.import_module("flowtopd.geoip_update.update").Update(config.geoip, tell).run()
    except KeyboardInterrupt:
        print(display.clear(), end="", flush=True)
        return INTERRUPTED
    return 0 if well else CANNOT


def _run(config: Config, options: argparse.Namespace) -> int:
    path = options.socket or options.runtime_dir / SOCKET_NAME
    place = Place(options.runtime_dir, path, options.viewer_fd, options.record)
    try:
        if options.replay:
            _replay(config, place, options)
            return 0
        check_kernel()
        run(config, place, f"flowtopd {VERSION}", lambda: _overridden(load(options.config), options))
    except AlreadyRunningError as error:
        _die(CANNOT, str(error), hint=f"viewers join it with: {joining(options.runtime_dir, options.socket)}")
    except (SocketInUseError, HandedOverError) as error:
        _die(CANNOT, str(error))
    except UnsafeDirectoryError as error:
        _die(CANNOT, str(error), hint=error.hint)
    except FileExistsError as error:
        _die(CANNOT, f"{error.filename} is there already", hint="a recording is never written over")
    except PermissionError as error:
        where = f"{error.filename}: " if error.filename else ""
        _die(CANNOT, f"{where}{error.strerror}", hint="flowtopd needs root, or CAP_NET_ADMIN and its runtime directory")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _die(CANNOT, f"{where}{error.strerror or error}", hint=_HINTS.get(error.errno or 0, ""))
    return 0


def joining(runtime_dir: Path, socket: Path | None, default: Path = DEFAULT_RUNTIME_DIR) -> str:
    """The command that joins the daemon which runs in this directory already; `socket` is what this one was told."""
    there = [path for path in (socket, runtime_dir / SOCKET_NAME) if path and _is_socket(path)]
    if there[:1] == [default / SOCKET_NAME]:
        return "flowtop"
    return f"flowtop --socket {there[0] if there else 'PATH'}"  # where none is, only its own command line says it


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


def _replay(config: Config, place: Place, options: argparse.Namespace) -> None:
    try:
        with open_recording(options.replay) as recording:
            if recording.trouble:
                logging.getLogger("flowtopd").warning("%s", recording.trouble)
            replay = importlib.import_module("flowtopd.replaying").replay  # what it needs takes 1 MB
            replay(config, place, f"flowtopd {VERSION}", recording, speed=options.speed or 1.0, loop=options.loop)
    except RecordingError as error:
        _die(CANNOT, f"{options.replay}: {error}")


_HINTS: Final = {
    errno.EPROTONOSUPPORT: "this kernel has no netlink for netfilter (CONFIG_NETFILTER_NETLINK)",
    errno.EOPNOTSUPP: "load it with: modprobe nf_conntrack_netlink (CONFIG_NF_CT_NETLINK)",
}
