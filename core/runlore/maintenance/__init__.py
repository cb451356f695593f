"""Removing runs, keeping by rule, freeing room, and the doctor."""
