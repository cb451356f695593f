"""Files of numpy and h5py."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy

from runlore.guest.files.watch import read, wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import argument, follow_all, reads, writes

READING = ("r", "readonly", "c", "copyonwrite")  # modes of `memmap`


def follow(wrappers: Wrappers) -> None:
    """Follow what writes and reads arrays."""
    wrappers.follow(numpy, "save", writes("data", 0, "file", ending=".npy"))
    for name in ("savez", "savez_compressed"):
        wrappers.follow(numpy, name, writes("data", 0, "file", ending=".npz"))
    wrappers.follow(numpy, "savetxt", writes("data", 0, "fname"))
    loaders = ("load", "loadtxt", "genfromtxt", "fromfile")
    follow_all(wrappers, numpy, loaders, lambda name: reads(f"numpy.{name}", 0, "file", "fname"))
    wrappers.follow(numpy.memmap, "__new__", _mapped)


def follow_hdf(wrappers: Wrappers) -> None:
    """Follow the files of h5py as they are opened."""
    wrappers.follow(sys.modules["h5py"].File, "__init__", _opened)


def _opened(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    name, mode = argument(args, kwargs, 1, "name"), argument(args, kwargs, 2, "mode")
    if mode in (None, "r"):
        read(name, "h5py.File")
    else:
        wrote(name, "data")


def _mapped(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    name = argument(args, kwargs, 1, "filename")
    if argument(args, kwargs, 3, "mode") in READING:
        read(name, "numpy.memmap")
    else:
        wrote(name, "data")
