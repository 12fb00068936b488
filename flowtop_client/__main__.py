"""`python -m flowtop_client` is `flowtop`."""

import sys

from flowtop_client.cli import main

sys.exit(main())
