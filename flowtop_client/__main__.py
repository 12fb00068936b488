"""Where both `flowtop` and `python -m flowtop_client` begin."""

import importlib
import sys

import flowtopd.wire.without_openssl  # noqa: F401 - before anything imports asyncio
from flowtop_client.importing import uncollected


def main() -> int:
    """Run flowtop; return its exit status."""
    with uncollected():
        cli = importlib.import_module("flowtop_client.cli")
    status: int = cli.main()
    return status


if __name__ == "__main__":
    sys.exit(main())
