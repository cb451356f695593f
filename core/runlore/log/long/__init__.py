"""Modules that keep long logs cheap; short ones load none of them."""
