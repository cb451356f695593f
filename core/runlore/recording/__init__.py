"""A run while it is written, and what goes along with it."""
