"""The country table that the package ships, so that countries are known with nothing installed.

It is compressed, 1.3 MB for 5.2. It is unpacked into memory that has no name in any file system (memfd), so that a
read-only system and a service without a directory of its own can use it, and mapped from there: only the pages that
lookups touch count as the daemon's.
"""

import lzma
import os
import shutil
from pathlib import Path
from typing import Final

from flowtopd.enrich.geoip.mmdb import BrokenDatabaseError, Mmdb

PACKAGED: Final = Path(__file__).parents[2] / "data" / "country.mmdb.xz"


def unpack(path: Path) -> Mmdb:
    """The database in `path`, an xz file. Takes 0.2 s. Raises BrokenDatabaseError and OSError."""
    descriptor = os.memfd_create("flowtop-country", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as unpacked:
        try:
            with lzma.open(path) as packed:
                shutil.copyfileobj(packed, unpacked)
        except (lzma.LZMAError, EOFError) as error:
            raise BrokenDatabaseError(f"cannot be unpacked ({error})") from None
        unpacked.flush()
        return Mmdb(Path(f"/proc/self/fd/{descriptor}"))
