"""Where both `flowtopd` and `python -m flowtopd` begin: what must be so before numpy is loaded.

OpenBLAS, which numpy brings and nothing here uses, starts a thread for every processor when it is loaded. Such a
thread takes signals that the main thread has blocked, and SIGTERM then ends the process before the sysctls are
back. One thread means none beside the main one.
"""

import importlib
import os
import sys

import flowtopd.wire.without_openssl  # noqa: F401 - before anything imports asyncio


def main() -> int:
    """Run flowtopd; return its exit status."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    status: int = importlib.import_module("flowtopd.cli").main()
    return status


if __name__ == "__main__":
    sys.exit(main())
