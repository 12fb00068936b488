"""What is wrong, in words, the most important first. Pure: a state and the time in, lines out."""

from dataclasses import replace
from typing import Final

from flowtop_client.humanize import clean, count, seconds
from flowtop_client.several import Merged
from flowtop_client.view_state.misreading import misread
from flowtop_client.view_state.pausing import stands_alone
from flowtop_client.view_state.state import ALL_PROTOCOLS, ProtocolGroup, ViewState
from flowtop_client.view_state.versions import older_side
from flowtopd.wire.messages import Events, Family, Right, Snapshot, Status, View, Whose

RESET_SHOWN_S: Final = 60.0
"""How long a counter reset is mentioned."""

_BEFORE: Final = "the daemon was gone and is back: this is from before, Space goes on"
_BEFORE_A_HOST: Final = "this is from before a host went or came, Space goes on"
_SILENT_PACES: Final = 3
_SILENT_S: Final = 5.0  # a tick may be late by some seconds on a machine that has no time
_NEARLY_FULL: Final = 0.9
_ANY: Final = "to be shown"
_NOT_COUNTED: Final = "accounting is off: no bytes, no rates (sysctl net.netfilter.nf_conntrack_acct)"
_UNTRACKED: Final = "no rule asks the kernel to track connections"
_KINDS: Final = {"city": "cities", "asn": "networks"}
_WANTED: Final = {"city": frozenset({"city", "scity"}), "asn": frozenset({"network", "snetwork", "asn", "sasn"})}
"""The columns that show it."""
_STRETCHED: Final = 1.05  # the daemon rounds its pace; less than this is no news


def silent_from(state: ViewState) -> float | None:
    """From when on it is wrong that nothing has come; None while nothing needs to come."""
    if state.paused or state.trouble:
        return None
    pace = state.interval if state.snapshot is None else max(state.interval, state.snapshot.status.pace)
    return state.heard + max(_SILENT_PACES * pace, _SILENT_S)


def problems(state: ViewState, now: float) -> tuple[str, ...]:
    """Everything that is wrong at the time `now`, by importance; empty when all is well."""
    found = _of_connection(state)
    silent = silent_from(state)
    if silent is not None and now >= silent:
        found.append(f"no news for {now - state.heard:.0f} s")
    if state.complaint:
        found.append(clean(state.complaint))
    if state.help_in_trouble:
        found.append(clean(state.help_in_trouble))
    if isinstance(state.snapshot, Merged):
        for name, status in state.snapshot.hosts:
            said = _of_snapshot(replace(state, reset_time=None), replace(state.snapshot, status=status))
            found += [f"{name}: {text}" for text in said]
        found += _of_resets(state, state.snapshot)
    elif state.snapshot is not None:
        found += _of_snapshot(state, state.snapshot)
    found += map(clean, state.warnings)
    if older := older_side(state.server):
        found.append(older)
    return tuple(found)


def _of_connection(state: ViewState) -> list[str]:
    """Which daemons are gone, and whether what is paused is older than the one that is there."""
    found = [f"{host.name} {clean(host.trouble)}" for host in state.hosts if host.trouble]
    if state.trouble and not state.hosts:
        why = clean(state.trouble)
        found.append(
            f"daemon gone: start flowtop again: {why}" if state.forsaken else f"daemon gone: {why}: reconnecting…"
        )
    if stands_alone(state) and not state.trouble:
        found.append(_BEFORE_A_HOST if state.hosts else _BEFORE)
    return found


def _of_snapshot(state: ViewState, snapshot: Snapshot) -> list[str]:
    status = snapshot.status
    found = []
    if snapshot.replay is not None and snapshot.replay.ended and snapshot.replay.trouble:
        found.append(clean(snapshot.replay.trouble))
    found += _nearly_full(status)
    if not status.accounting:
        found.append(_NOT_COUNTED)
    if not status.flows and status.tracking is False:
        found.append(_UNTRACKED)
    if status.pace > state.interval * _STRETCHED:
        found.append(
            f"a tick takes {seconds(status.tick_seconds)}: updates every {seconds(status.pace)}"
            f" instead of {seconds(state.interval)}"
        )
    if status.events is Events.OVERLOADED:
        found.append("new flows come too fast to be followed one by one: short-lived ones may have no process")
    found += _of_resets(state, snapshot)
    found += _stands_still(status)
    # a number of bytes that is missing on the screen is what makes somebody wonder
    if snapshot.replay is None and any(_is_uncounted(state, index) for index in range(state.offset, _end(state))):
        found += _too_old(status)
    if state.geoip:
        found += _placeless(state, status)
    return found


def _end(state: ViewState) -> int:
    """Behind the last row on the screen."""
    return min(state.offset + state.page, state.total)


def _is_uncounted(state: ViewState, index: int) -> bool:
    snapshot, row = state.snapshot, state.row(index)
    if snapshot is None or row is None or "orig_bytes" not in snapshot.fields:
        return False
    return state.value(index, "orig_bytes") is None and not state.value(index, "closed")


def _nearly_full(status: Status) -> list[str]:
    if not status.max or status.flows <= status.max * _NEARLY_FULL:
        return []
    part = status.flows * 100 // status.max
    return [f"table {part} % full ({count(status.flows)} of {count(status.max)}): raise net.netfilter.nf_conntrack_max"]


def _stands_still(status: Status) -> list[str]:
    if not status.frozen:
        return []
    what = "1 flow is" if status.frozen == 1 else f"{count(status.frozen)} flows are"
    return [f"{what} offloaded: no bytes or rates without `counter` in the flowtable"]


def _too_old(status: Status) -> list[str]:
    """Only while the kernel counts: else new flows have no counters either, and that is said already."""
    if not status.accounting or not status.uncounted:
        return []
    return [f"counters only for new flows: {count(status.uncounted)} here began before accounting was on"]


def _placeless(state: ViewState, status: Status) -> list[str]:
    """What the databases cannot tell, where it was asked for by name: a view of it, or a column that was chosen."""
    for kind, what in _KINDS.items():
        if not lacks(status, kind):
            continue
        wanted = _WANTED[kind] & set(state.chosen) or (state.view is View.NETWORKS and kind == "asn")
        if wanted:
            return [f"no database tells {what}: {how_to_update(state)} gets one"]
    return []


def lacks(status: Status, kind: str) -> bool:
    """Whether it is known that no database has this kind of facts: `country`, `city` or `asn`."""
    return status.places is not None and kind not in status.places


def how_to_update(state: ViewState) -> str:
    """The command by which this user gets databases of places."""
    return "`flowtop -u`" if Right.UPDATE in state.may and not state.private else "`sudo flowtopd --update`"


def notes(state: ViewState, snapshot: Snapshot, *, people: bool) -> tuple[str, ...]:
    """What to know about output for scripts: what makes it empty or wrong; for `people` also what is odd.

    `state` is what was asked for; its rows are not looked at.
    """
    status = snapshot.status
    found = _nearly_full(status)
    if not status.accounting:
        found.append(_NOT_COUNTED)
    if not status.flows and status.tracking is False:
        found += _untracked(state)
    elif people:
        found += _stands_still(status) + ([] if snapshot.replay else _too_old(status))
        if status.flows and not status.matched and state.filter:
            found += [clean(odd)] if (odd := misread(state.filter)) else []
        elif status.flows and not status.matched:
            wider = [] if state.protocols == ALL_PROTOCOLS else ["`--all` takes every protocol"]
            wider += [] if state.loopback else ["`--loopback` takes those within this host"]
            why = f"none of the {count(status.flows)} flows in the table is {_meant(state)}"
            found.append(": ".join([why, ", ".join(wider)] if wider else [why]))
        if state.geoip:
            found += _placeless(state, status)
    return tuple(found)


def _untracked(state: ViewState) -> list[str]:
    """Why the table stays empty, and what changes that: a rule that tracks and drops nothing."""
    why = "The kernel tracks no connections here: no firewall rule asks it to."
    if state.private:
        return [why, "`sudo flowtop --activate` adds a rule that tracks, and drops nothing."]
    how = (
        "`activate = true` below [conntrack] in /etc/flowtop/flowtopd.toml and a restart of flowtopd,"
        " or `sudo flowtopd --activate`, adds a rule that tracks, and drops nothing."
    )
    return [why, how]


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
            return tuple(_untracked(state))
        if state.whose is Whose.OWN:
            return (
                "None of the connections is yours, and others you may not see.",
                "Its group, mostly flowtop, sees all: `sudo usermod -aG flowtop $USER`, then log in again.",
            )
        return ("The kernel's table holds no connection yet.",)
    if not state.protocols:
        return ("No protocol is chosen.", "T U D I S O switch them on.")
    if state.filter:
        # with a mistake in what is typed, this is still the filter from before it
        odd = "" if state.line is not None and state.line.mistake is not None else misread(state.filter)
        hint = "" if state.line is not None else "\\ takes it away, / changes it."
        return (f"None of the {_chosen(state)} matches the filter.", *filter(None, (clean(odd), hint)))
    if state.path:
        return (f"There is nothing of {clean(state.path[-1].name)} any more.", "Esc goes back.")
    if not state.loopback and state.protocols == ALL_PROTOCOLS and not state.active and len(state.families) > 1:
        return (
            f"None of the {count(status.flows)} flows in the table leaves this host.",
            "`--loopback` shows flows within it.",
        )
    hints = ["a shows idle flows too" if state.active else "T U D I S O add protocols"]
    hints += [] if state.loopback else ["`--loopback` shows flows within this host"]
    return (f"None of the {count(status.flows)} flows in the table is {_meant(state)}.", f"{', '.join(hints)}.")


def _meant(state: ViewState) -> str:
    """The chosen rows in words, also where they have to go."""
    return _selection(state) + ("" if state.loopback else " and goes beyond this host")


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
