"""An update of the GeoIP databases, from the list of mirrors to the files in place.

    geoip.conf, account ─▶ sources by kind ─▶ a Child each, until one is good ─▶ install ─▶ next kind
                                                      └─ Progress to whoever asked

Rules
1. An old file stays until a new one is whole, checked and on the disk; then it is replaced at once.
2. One update at a time for a directory, whichever process runs it.
3. It went well when something is there, and nothing that a line of geoip.conf names by its kind is missing or failed.
   A host or directory need not have all kinds; what it has must be good.
4. Blocks until it has ended; `cancel` ends it from another thread.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flowtopd.config import Geoip
from flowtopd.enrich.geoip.records import Kind
from flowtopd.geoip_update import receipts
from flowtopd.geoip_update.child import DEADLINE_S, PATIENCE_S, Child, Silent
from flowtopd.geoip_update.job import Done, Failed, Got, Job
from flowtopd.geoip_update.mirrors import (
    MAXMIND,
    MAXMIND_CONF,
    Account,
    Source,
    maxmind_sources,
    read_account,
    read_mirrors,
)
from flowtopd.wire.messages import Progress

Tell = Callable[[Progress], None]

_ORDER: Final = (Kind.CITY, Kind.COUNTRY, Kind.ASN, None)
_RATE_AFTER_S: Final = 0.5
_DIRECTORY_MODE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where the outside world is; tests have their own."""

    maxmind: str = MAXMIND
    maxmind_conf: Path = MAXMIND_CONF
    deadline_s: float = DEADLINE_S
    patience_s: float = PATIENCE_S


class Update:
    """One update. `tell` hears of it, the last time with `ended`."""

    def __init__(self, config: Geoip, tell: Tell, elsewhere: Elsewhere = Elsewhere()) -> None:
        self._config = config
        self._directory = config.directory
        self._tell = tell
        self._elsewhere = elsewhere
        self._child: Child | None = None
        self._cancelled = False
        self._unreachable: set[str] = set()

    def run(self) -> bool:
        """Do it; return whether it went well."""
        try:
            well = self._run()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self._news(f"{where}{error.strerror or error}", good=False)
            well = False
        self._tell(Progress(good=well, ended=well))
        return well

    def cancel(self) -> None:
        """End it soon. May be called by another thread."""
        self._cancelled = True
        if (child := self._child) is not None:
            child.kill()

    def _run(self) -> bool:
        sources = self._sources()
        if not sources:
            self._news("no mirror to fetch from", good=False)
            return False
        self._directory.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
        with self._alone() as alone:
            if not alone:
                self._news("another update is running", good=False)
                return False
            receipts.remove_leftovers(self._directory)
            return self._all(sources)

    def _sources(self) -> list[Source]:
        """MaxMind's first, then those of the mirrors."""
        sources, mistakes = read_mirrors(self._config.mirrors)
        account, more = read_account(self._elsewhere.maxmind_conf)
        if self._config.account_id and self._config.license_key:
            account, more = Account(str(self._config.account_id), self._config.license_key), []
        for mistake in mistakes + more:
            self._news(mistake, good=False)
        return [*(maxmind_sources(account, self._elsewhere.maxmind) if account else ()), *sources]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process updates this directory, and none does while this goes on."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def _all(self, sources: Sequence[Source]) -> bool:
        there: set[Kind] = set()
        failed: set[Kind | None] = set()
        for kind in _ORDER:
            if kind is Kind.COUNTRY and Kind.CITY in there:
                continue
            got, bad = self._first_good([source for source in sources if source.kind is kind])
            there |= got
            failed |= {kind} if bad else set()
        if not there and not failed:
            self._news("no mirror has a database", good=False)
        return bool(there) and not failed - there and not self._cancelled

    def _first_good(self, sources: Sequence[Source]) -> tuple[set[Kind], bool]:
        """Fetch the first of these files that is good: what kind it is, or else whether there should have been one."""
        bad = False
        for source in sources:
            host = urlsplit(source.url).netloc
            if host in self._unreachable:
                bad |= not source.optional
                continue
            if self._cancelled:
                break
            match self._fetch(source):
                case Failed(reason, absent, unreachable):
                    if unreachable:
                        self._unreachable.add(host)
                    bad |= not (source.optional and (absent or unreachable))
                    if not (source.optional and absent):
                        self._news(f"{_name(source)}: {host}: {reason}", good=False)
                case Done(kind):
                    assert kind is not None
                    return {kind}, False
        return set(), bad

    def _fetch(self, source: Source) -> Done | Failed:
        """Fetch one file and put it into its place; Done has its kind also where it is up to date."""
        known = receipts.find(self._directory, source.url)
        before = known[1] if known else None
        job = Job(source.url, source.checksum_url, source.kind, source.user, source.password, before)
        with (
            tempfile.TemporaryFile(dir=self._directory) as raw,
            tempfile.NamedTemporaryFile(dir=self._directory, prefix=receipts.PREFIX, delete=False) as out,
        ):
            try:
                os.fchmod(out.fileno(), receipts.MODE)  # the child, which is nobody, opens it once more to look into it
                outcome = self._hear(job, raw.fileno(), out.fileno())
                if isinstance(outcome, Failed):
                    return outcome
                if outcome.kind is None or outcome.receipt is None:
                    kind = known[0] if known else None
                    if kind is None:
                        return Failed("the server says that nothing is newer than nothing")
                    self._news(f"{kind}: up to date")
                    return Done(kind, before)
                receipts.install(self._directory, outcome.kind, out, Path(out.name), outcome.receipt)
            finally:
                Path(out.name).unlink(missing_ok=True)
        made = time.strftime("%Y-%m-%d", time.gmtime(outcome.built_s))
        self._news(f"{outcome.kind}: {outcome.size / 1e6:.1f} MB of {made} from {urlsplit(source.url).netloc}")
        return outcome

    def _hear(self, job: Job, raw: int, out: int) -> Done | Failed:
        """Run the child, and pass on how far it is."""
        began_s: float | None = None
        what = job.kind or "database"
        limits = self._elsewhere
        with Child(job, raw, out, limits.deadline_s, patience_s=limits.patience_s) as self._child:
            if self._cancelled:  # before there was a child to kill
                self._child.kill()
            for answer in self._child.answers():
                if isinstance(answer, Silent):
                    self._news(f"{what}: waiting for {urlsplit(job.url).netloc}")
                    continue
                if not isinstance(answer, Got):
                    outcome = answer
                    break
                now_s = time.monotonic()
                began_s = now_s if began_s is None else began_s
                self._tell(_amount(what, answer, now_s - began_s))
        self._child = None
        return Failed("cancelled") if self._cancelled else outcome

    def _news(self, text: str, *, good: bool = True) -> None:
        self._tell(Progress(text=text, good=good))


def _amount(what: str, got: Got, since_s: float) -> Progress:
    rate = got.done / since_s if since_s >= _RATE_AFTER_S else None
    left = None if got.total is None or not rate else max(0, got.total - got.done) / rate
    return Progress(what=what, done=got.done, total=got.total, rate=rate, left=left)


def _name(source: Source) -> str:
    return source.kind or source.url.rsplit("/", 1)[-1]
