"""Files of numpy."""

import numpy

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, reads, writes


def follow(wrappers: Wrappers) -> None:
    """Follow what writes and reads arrays."""
    wrappers.follow(numpy, "save", writes("data", 0, "file", ending=".npy"))
    for name in ("savez", "savez_compressed"):
        wrappers.follow(numpy, name, writes("data", 0, "file", ending=".npz"))
    wrappers.follow(numpy, "savetxt", writes("data", 0, "fname"))
    loaders = ("load", "loadtxt", "genfromtxt", "fromfile")
    follow_all(wrappers, numpy, loaders, lambda name: reads(f"numpy.{name}", 0, "file", "fname"))
