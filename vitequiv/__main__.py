"""`python -m vitequiv`."""

from vitequiv.cli.app import main

main()
