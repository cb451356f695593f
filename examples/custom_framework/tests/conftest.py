"""Fixtures of runlore for plugin authors."""

pytest_plugins = ["runlore.testing"]
