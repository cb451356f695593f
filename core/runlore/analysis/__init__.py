"""Compare runs: differences, groups, curves, tables and exports."""
