from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flowtopd.enrich.geoip.databases import write
from tests.flowtopd.geoip_update.mirror import CONTENTS, Mirror

Make = Callable[[str], bytes]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror().serving() as serving:
        yield serving


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The bytes of a database of this kind, and of this age where a number of seconds follows: `asn`, `asn:1`."""

    def make(what: str) -> bytes:
        kind, _, built_s = what.partition(":")
        path: Path = tmp_path_factory.mktemp("made") / "x.mmdb"
        return write(path, CONTENTS[kind], f"Test-{kind}", built_s=int(built_s or 1_700_000_000)).read_bytes()

    return make
