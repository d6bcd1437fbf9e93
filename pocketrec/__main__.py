"""`python -m pocketrec` is the `pocketrec` command."""

from pocketrec.cli.main import main

main()
