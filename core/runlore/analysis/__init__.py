"""Runs side by side: differences, groups, curves, tables and exports."""
