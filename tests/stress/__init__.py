"""Stores of any size, for tests of what must not grow with them."""
