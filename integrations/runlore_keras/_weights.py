"""Reads the variables of a `.weights.h5` file, or of the one in a `.keras` file, without importing Keras.

The states of optimizers and random generators are left out: they change while the model stays the same.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from runlore.hookspecs import ModelFile, Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
WEIGHTS_FILE = "model.weights.h5"  # in a .keras file
LEFT_OUT = {"optimizer", "seed_generator"}  # groups of a file
MAX_DEPTH = 50  # of groups within groups, which HDF5 visits by recursion
BLOCK_BYTES = 16 << 20  # read at once


def read(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the variables; None for another kind of file.

    Raises:
        ImportError: h5py is not installed.
        OSError, ValueError: the file is damaged, claims more values than it can hold, or takes some from other files.
    """
    head = file.read(0, len(SIGNATURE))
    if head == SIGNATURE or (head.startswith(b"PK") and WEIGHTS_FILE in (file.members() or ())):
        return {"": file.apart(variables)}
    return None


def variables(file: ModelFile) -> list[Tensor]:
    """Return the variables in a file of HDF5, or in the one in an archive.

    HDF5 sees an open file and never a path: what lies in other files can't be read.
    """
    import h5py

    found: list[Tensor] = []

    def visit(name: str, item: Any) -> None:
        file.spend("steps")
        file.spend("names", len(name))
        if name.count("/") > MAX_DEPTH:
            raise ValueError("its groups lie too deep")
        if isinstance(item, h5py.Dataset) and LEFT_OUT.isdisjoint(name.split("/")) and _holds_numbers(item):
            _refuse_foreign(name, item)
            shape = file.shape(item.shape)
            found.append(Tensor(name, str(item.dtype), shape, _digest(file, item, shape)))

    with ExitStack() as stack:
        source = file.opened()
        if file.read(0, len(SIGNATURE)) != SIGNATURE:
            file.members()
            source = stack.enter_context(file.member(WEIGHTS_FILE))
        stack.enter_context(h5py.File(source, "r")).visititems(visit)
    return found


def _holds_numbers(item: Any) -> bool:
    return item.shape is not None and item.dtype.kind in "biufcV" and not item.dtype.hasobject


def _refuse_foreign(name: str, item: Any) -> None:
    """Refuse values that lie in other files, or are put through filters, which unpack as much as the file likes."""
    if item.external or item.is_virtual:
        raise ValueError(f"the values of {name[:100]!r} lie in another file")
    if item.id.get_create_plist().get_nfilters():
        raise ValueError(f"{name[:100]!r} is compressed within HDF5, as Keras compresses nothing")


def _digest(file: ModelFile, item: Any, shape: tuple[int, ...]) -> str:
    import numpy

    digest = hashlib.sha256()
    for place in _blocks(shape, item.dtype.itemsize):
        values = numpy.ascontiguousarray(item[place])
        file.spend("bytes", values.nbytes)
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(little.reshape(-1).view(numpy.uint8).data)
    return digest.hexdigest()


def _blocks(shape: tuple[int, ...], size: int) -> Iterator[tuple[slice | int, ...]]:
    """Yield the places of parts of an array in the order of its rows, none larger than a block."""
    if 0 in shape:
        return
    row = size
    for length in shape[1:]:
        row *= length
    if not shape or row * shape[0] <= BLOCK_BYTES:
        yield ()
    elif row <= BLOCK_BYTES:
        rows = BLOCK_BYTES // row
        yield from ((slice(first, first + rows),) for first in range(0, shape[0], rows))
    else:
        for index in range(shape[0]):
            yield from ((index, *rest) for rest in _blocks(shape[1:], size))
