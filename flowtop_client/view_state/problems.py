"""What is wrong, in words, the most important first. Pure: a state and the time in, lines out."""

from dataclasses import replace
from typing import Final

from flowtop_client.humanize import clean, count, seconds
from flowtop_client.several import Merged
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtopd.wire.messages import Family, Snapshot

RESET_SHOWN_S: Final = 60.0
"""How long a counter reset is mentioned."""

_SILENT_PACES: Final = 3
_SILENT_S: Final = 5.0  # a tick may be late by some seconds on a machine that has no time
_NEARLY_FULL: Final = 0.9
_ANY: Final = "to be shown"
_STRETCHED: Final = 1.05  # the daemon rounds its pace; less than this is no news


def silent_from(state: ViewState) -> float | None:
    """From when on it is wrong that nothing has come; None while nothing needs to come."""
    if state.paused or state.trouble:
        return None
    pace = state.interval if state.snapshot is None else max(state.interval, state.snapshot.status.pace)
    return state.heard + max(_SILENT_PACES * pace, _SILENT_S)


def problems(state: ViewState, now: float) -> tuple[str, ...]:
    """Everything that is wrong at the time `now`, by importance; empty when all is well."""
    found = []
    if state.hosts:
        found += [f"{host.name} {clean(host.trouble)}" for host in state.hosts if host.trouble]
    elif state.trouble:
        why = clean(state.trouble)
        found.append(
            f"daemon gone: start flowtop again: {why}" if state.forsaken else f"daemon gone: {why}: reconnecting…"
        )
    silent = silent_from(state)
    if silent is not None and now >= silent:
        found.append(f"no news for {now - state.heard:.0f} s")
    if state.complaint:
        found.append(clean(state.complaint))
    if isinstance(state.snapshot, Merged):
        for name, status in state.snapshot.hosts:
            said = _of_snapshot(replace(state, reset_time=None), replace(state.snapshot, status=status))
            found += [f"{name}: {text}" for text in said]
        found += _of_resets(state, state.snapshot)
    elif state.snapshot is not None:
        found += _of_snapshot(state, state.snapshot)
    found += map(clean, state.warnings)
    return tuple(found)


def _of_snapshot(state: ViewState, snapshot: Snapshot) -> list[str]:
    status = snapshot.status
    found = []
    if snapshot.replay is not None and snapshot.replay.ended and snapshot.replay.trouble:
        found.append(clean(snapshot.replay.trouble))
    if not status.accounting:
        found.append("accounting is off: new flows have no bytes and rates while nf_conntrack_acct=0")
    if not status.flows and status.tracking is False:
        found.append("no rule asks the kernel to track connections: `flowtopd --activate` adds one")
    if status.pace > state.interval * _STRETCHED:
        found.append(
            f"a tick takes {seconds(status.tick_seconds)}: updates every {seconds(status.pace)}"
            f" instead of {seconds(state.interval)}"
        )
    found += _of_resets(state, snapshot)
    if status.max and status.flows > status.max * _NEARLY_FULL:
        found.append(
            f"the table is {status.flows * 100 // status.max} % full: at nf_conntrack_max new connections are dropped"
        )
    return found


def _of_resets(state: ViewState, snapshot: Snapshot) -> list[str]:
    if state.reset_time is None or snapshot.time - state.reset_time > RESET_SHOWN_S:
        return []
    return ["another program resets the counters: bytes go on from the last values seen"]


def empty_reason(state: ViewState) -> tuple[str, ...]:
    """Why there is no row to show, and what helps; for the place where the rows would be."""
    if state.placeless:
        return ("Countries and networks are switched off.", "G switches them on.")
    if state.snapshot is None:
        return ("waiting for the first snapshot…",)
    status = state.snapshot.status
    if not status.flows:
        if status.tracking is False:
            return (
                "The kernel tracks no connections here: no firewall rule asks it to.",
                "`flowtopd --activate` adds a rule that tracks and drops nothing.",
            )
        return ("The kernel's table holds no connection yet.",)
    if not state.protocols:
        return ("No protocol is chosen.", "T U D I S O switch them on.")
    if state.filter:
        return (f"None of the {_chosen(state)} matches the filter.", "\\ takes it away, / changes it.")
    if state.path:
        return (f"There is nothing of {clean(state.path[-1].name)} any more.", "Esc goes back.")
    if not state.loopback and state.protocols == ALL_PROTOCOLS and not state.active and len(state.families) > 1:
        return (
            f"None of the {count(status.flows)} flows in the table leaves this host.",
            "`--loopback` shows flows within it.",
        )
    hint = "a shows idle flows too" if state.active else "T U D I S O add protocols"
    return (f"None of the {count(status.flows)} flows in the table is {_selection(state)}.", f"{hint}.")


def _chosen(state: ViewState) -> str:
    """The flows that a filter chooses from: `active TCP flows of firefox[11]`."""
    kinds = _selection(state)
    of = f" of {clean(state.path[-1].name)}" if state.path else ""
    return f"{'' if kinds == _ANY else kinds + ' '}flows{of}"


def _selection(state: ViewState) -> str:
    """The chosen rows in words: `active TCP, UDP or ICMP over IPv4`."""
    chosen = [group.value for group in ProtocolGroup if group in state.protocols]
    kinds = " or ".join(filter(None, (", ".join(chosen[:-1]), chosen[-1])))
    words = [] if state.protocols == ALL_PROTOCOLS else [kinds]
    if state.active:
        words.insert(0, "active")
    if len(state.families) == 1:
        words.append("over " + ("IPv4" if state.families[0] is Family.IPV4 else "IPv6"))
    return " ".join(words) or _ANY
