"""Imported first by both programs: asyncio, hashlib and hmac without OpenSSL, which neither of them needs.

They import `ssl` and `_hashlib` where these can be had, and with them come libssl and libcrypto: 7 MB of memory and
8 ms of every start. All three do without when the import fails. Afterwards it works again, for whoever imports it on
purpose. The update of databases, which speaks TLS, is a program of its own.
"""

import sys
from typing import Any, Final

_LIBRARIES: Final = tuple(name for name in ("ssl", "_hashlib") if name not in sys.modules)

_modules: dict[str, Any] = sys.modules
for _name in _LIBRARIES:
    _modules[_name] = None  # an import of it fails, says the reference on sys.modules
try:
    import asyncio
    import hashlib
    import hmac
finally:
    for _name in _LIBRARIES:
        del _modules[_name]

__all__ = ["asyncio", "hashlib", "hmac"]
