"""SIGHUP: the configuration and what it leads to are read again, and no viewer notices more than what has changed.

    SIGHUP ─▶ read flowtopd.toml ─▶ what can change while the daemon runs does: LIVE
                                  └ what cannot is named, and stays as it was until a restart
           ─▶ tcp.conf, udp.conf, /etc/services ─▶ names of services, also of flows that are there
           ─▶ databases of places               ─▶ places, also of flows that are there

Rules: a file with a mistake changes nothing, and the log has the mistake. Reading goes on in the thread that ticks,
between two ticks: no snapshot is lost, and none has the names of two readings. Who may act is asked when a viewer
connects: another `admin_group` counts for those who come then.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from flowtopd.config import Config, ConfigError
from flowtopd.enrich import services
from flowtopd.enrich.geoip.places import SYSTEM_DIRECTORIES
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.session.hub import Hub
from flowtopd.session.server import Server
from flowtopd.system.host import Host
from flowtopd.system.journal import Event

LIVE: Final = frozenset(
    {
        *("conntrack.sysctl", "conntrack.activate"),
        "access.admin_group",
        *("geoip.files", "geoip.directory", "geoip.mirrors", "geoip.account_id", "geoip.license_key"),
        *("history.always", "history.interval"),
        *("daemon.log_level", "daemon.idle_exit"),
    }
)
"""The keys that count at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a new configuration is told to."""

    host: Host
    hub: Hub
    server: Server
    pipeline: Pipeline
    thread: Executor


class Reloader:
    """Has the configuration that counts. `read` reads it anew and raises ConfigError; `told` hears how it goes."""

    def __init__(self, config: Config, read: Callable[[], Config], told: Callable[[bool], object]) -> None:
        self.config = config
        self._read = read
        self._told = told
        self._event = asyncio.Event()

    def ask(self) -> None:
        """Have everything read again, soon."""
        self._event.set()

    async def run(self, parts: Parts) -> None:
        """Do so whenever it was asked for, until cancelled."""
        while True:
            await self._event.wait()
            self._event.clear()
            self._told(True)
            try:
                await self._reload(parts)
            finally:
                self._told(False)

    async def _reload(self, parts: Parts) -> None:
        wanted = self._wanted()
        if wanted is not None:
            before, self.config = self.config, wanted
            _apply(before, wanted, parts)
        geoip = self.config.geoip
        await asyncio.get_running_loop().run_in_executor(
            parts.thread, _reread, parts.pipeline, (geoip.files, (geoip.directory, *SYSTEM_DIRECTORIES))
        )
        if wanted is not None:
            log.info("reloaded", extra={"flowtop_event": Event.RELOADED})

    def _wanted(self) -> Config | None:
        """The configuration from now on: what is live as in the file, everything else as it was."""
        try:
            read = self._read()
        except ConfigError as error:
            log.error("%s; everything stays as it was", error)  # noqa: TRY400 (one line, no traceback)
            return None
        for key in changed(self.config, read):
            if key not in LIVE:
                log.warning("%s has changed: that needs a restart", key)
        return live(self.config, read)


def changed(before: Config, now: Config) -> Iterator[str]:
    """Yield the dotted names of the keys that differ."""
    for section in fields(Config):
        old, new = getattr(before, section.name), getattr(now, section.name)
        for key in fields(old):
            if getattr(old, key.name) != getattr(new, key.name):
                yield f"{section.name}.{key.name}"


def live(before: Config, now: Config) -> Config:
    """`before`, with those keys of `now` that count at once."""
    sections: dict[str, Any] = {}
    for key in changed(before, now):
        section, _, name = key.partition(".")
        if key in LIVE:
            old = sections.get(section, getattr(before, section))
            sections[section] = replace(old, **{name: getattr(getattr(now, section), name)})
    return replace(before, **sections)


def _apply(before: Config, now: Config, parts: Parts) -> None:
    """Tell the parts what has changed for them."""
    logging.getLogger().setLevel(now.daemon.log_level.upper())
    parts.server.admin_group = now.access.admin_group
    parts.hub.background_s = float(now.history.interval) if now.history.always else None
    parts.hub.stir()
    if before.conntrack != now.conntrack:
        try:
            parts.host.change(now.conntrack)
        except OSError as error:
            log.error("%s", error.strerror or error)  # noqa: TRY400 (one line, no traceback)


def _reread(pipeline: Pipeline, databases: tuple[Any, Any]) -> None:
    pipeline.reload(services.load(), *databases)
