"""What runlore costs: `python -m tests.bench` prints a table with a floor beside each figure, and writes JSON."""
