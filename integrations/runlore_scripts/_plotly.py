"""Figures of plotly: the files that `write_html` and its like write."""

import sys

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, writes

WRITERS = ("write_html", "write_image", "write_json")


def follow(wrappers: Wrappers) -> None:
    """Follow the functions that take a figure, by which the methods of figures write, too."""
    follow_all(wrappers, sys.modules["plotly.io"], WRITERS, lambda name: writes("plot", 1, "file"))
