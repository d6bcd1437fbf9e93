"""`python -m pocketrec` is the `pocketrec` command."""

import sys

from pocketrec.cli.main import main

sys.exit(main())
