"""Every parser of outside data, fed with what no honest peer would send: how much of it, and what came of it.

wire        what daemons and viewers read, sessions, recordings         FRAMES in all
netlink     dumps, events, sockets, answers, routes                     BUFFERS in all
files       leases, databases, configurations, filters, names           TEXTS in all
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bench.report import Measured, thousands
from stress.fuzz import files, netlink, wire
from stress.fuzz.run import Attempt, Fuzzed, Fuzzers, Target

FRAMES: Final = 5_000_000
BUFFERS: Final = 1_000_000
TEXTS: Final = 500_000
SEED: Final = 1
_GROWTH_MB: Final = 32

WIRE: Final = (
    Target("from-viewer", wire.from_viewer, 0.49),
    Target("from-daemon", wire.from_daemon, 0.46),
    Target("sessions", wire.Sessions, 0.02),
    Target("recordings", wire.Recordings, 0.03),
)
NETLINK: Final = (
    Target("dumps", netlink.Dumps, 0.4),
    Target("events", netlink.Events, 0.25),
    Target("sockets", netlink.Sockets, 0.15),
    Target("answers", netlink.Answers, 0.1),
    Target("routes", netlink.Routes, 0.1),
)
_FILES: Final[tuple[tuple[str, Callable[[], Attempt]], ...]] = (
    *((name, make) for name, make in files.lease_files()),
    ("ethers", files.ethers_file),
    ("ports", files.port_names),
    ("geoip-conf", files.geoip_conf),
    ("flowtopd-toml", files.daemon_config),
    ("config-toml", files.viewer_config),
    ("filters", files.filters),
    ("patterns", files.patterns),
    ("mmdb", files.Databases),
    ("host-names", files.host_names),
    ("child-answers", files.child_answers),
    ("cgroups", files.cgroup_paths),
)
FILES: Final = tuple(Target(name, make, 1 / len(_FILES)) for name, make in _FILES)
ALL: Final = (*WIRE, *NETLINK, *FILES)


def fuzz(fuzzers: Fuzzers, targets: Iterable[Target], count: int, seed: int = SEED) -> list[Fuzzed]:
    """Make `count` attempts in all, each target its share."""
    return [fuzzers.run(target, round(count * target.share), seed) for target in targets]


def measure(*, quick: bool) -> list[Measured]:
    """The promise, and whether it is kept."""
    part = 50 if quick else 1
    with Fuzzers(ALL) as fuzzers:
        return [
            *report("fuzzed frames, sessions and recordings", FRAMES // part, fuzz(fuzzers, WIRE, FRAMES // part)),
            *report("mutated netlink buffers", BUFFERS // part, fuzz(fuzzers, NETLINK, BUFFERS // part)),
            *report("mutated files, filters and names", TEXTS // part, fuzz(fuzzers, FILES, TEXTS // part)),
        ]


def report(what: str, wanted: int, found: Sequence[Fuzzed]) -> list[Measured]:
    """A line of how many there were, one of the mistakes, one of the memory."""
    mistakes = [mistake for one in found for mistake in one.mistakes]
    tried = sum(one.tried for one in found)
    taken = ", ".join(f"{one.target} {100 * one.taken / max(1, one.tried):.0f} %" for one in found)
    worst = max(found, key=lambda one: one.growth_mb)
    return [
        Measured(
            f"{what}: tried",
            thousands(tried),
            f"≥ {thousands(round(wanted * 0.999))}",
            tried >= wanted * 0.999,
            f"taken: {taken}",
        ),
        Measured(
            f"{what}: crashes, and answers other than a slow reader's",
            str(len(mistakes)),
            "0",
            not mistakes,
            " ".join(mistake.splitlines()[0] for mistake in mistakes[:2]),
        ),
        Measured(
            f"{what}: growth of memory in the worst process",
            f"{worst.growth_mb:.1f} MB",
            f"≤ {_GROWTH_MB} MB",
            worst.growth_mb <= _GROWTH_MB,
            worst.target,
        ),
    ]
