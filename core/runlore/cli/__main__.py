"""`python -m runlore.cli`."""

from runlore.cli import main

main()
