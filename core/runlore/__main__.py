"""`python -m runlore`."""

from runlore.cli import main

main(prog_name="runlore")
