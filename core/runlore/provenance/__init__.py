"""The origins of code, files and weights."""
