"""Maintain a store: remove runs, drop files by rules, free disk space, and diagnose."""
