"""`python -m flowtopd`."""

import sys

from flowtopd.cli import main

sys.exit(main())
