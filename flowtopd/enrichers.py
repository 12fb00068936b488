"""The enrichers put together, as the configuration wants them: what each needs of another one's findings."""

from collections import deque
from functools import partial
from typing import Final

from flowtopd.config import Config
from flowtopd.enrich import services
from flowtopd.enrich.directory import Directory
from flowtopd.enrich.geoip.places import SYSTEM_DIRECTORIES, Places
from flowtopd.enrich.lan.lan import Lan
from flowtopd.enrich.pipeline import Pipeline
from flowtopd.enrich.process.attribution import Attributor
from flowtopd.enrich.process.cgroup import Cgroups
from flowtopd.enrich.process.endings import Endings
from flowtopd.enrich.process.events import Watcher
from flowtopd.enrich.process.holders import Holders
from flowtopd.enrich.process.identity import Identities
from flowtopd.enrich.process.ledger import Inbox, Ledger
from flowtopd.enrich.process.namespaces import Namespaces
from flowtopd.enrich.process.sockets import Sockets
from flowtopd.enrich.process.verdict import Verdicts
from flowtopd.enrich.rdns.resolver import Resolver
from flowtopd.flows.closed import ClosedFlows
from flowtopd.netlink.datagrams import Subscription, open_all_flows, open_new_flows

INBOX: Final = 4096
"""Answers about processes that wait for a tick; between two that are an hour apart the oldest go."""


def make_pipeline(config: Config) -> Pipeline:
    """The enrichers, and what they need of one another's findings."""
    geoip = config.geoip
    directory = Directory(Lan(), Places(geoip.files, (geoip.directory, *SYSTEM_DIRECTORIES)), Resolver())
    inbox: Inbox = deque(maxlen=INBOX)
    endings = Endings()
    cgroups = Cgroups()
    verdicts = Verdicts(Holders(cgroups), Identities(cgroups))
    attributor = Attributor(Sockets(), verdicts, Namespaces(), directory.is_host)
    closed = ClosedFlows(config.history.closed) if config.history.closed else None
    events = open_all_flows if closed else open_new_flows
    watcher = Watcher(attributor, inbox.append, partial(Subscription, events), endings=endings)
    return Pipeline(directory, Ledger(watcher, inbox), services.load(), closed=closed, endings=endings)
