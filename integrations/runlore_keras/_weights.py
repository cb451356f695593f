"""Reads the variables of a `.weights.h5` file, or of the one in a `.keras` file, without importing Keras.

The states of optimizers and random generators are left out: they change while the model stays the same.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore.hookspecs import Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
WEIGHTS_FILE = "model.weights.h5"  # in a .keras file
MAX_EXPANDED_BYTES = 64 << 20  # that a file may claim beyond its own size
LEFT_OUT = {"optimizer", "seed_generator"}  # groups of a file


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the variables; None for another kind of file.

    Raises:
        ImportError: h5py is not installed.
        OSError, ValueError: the file is damaged, or claims more values than it can hold.
    """
    with path.open("rb") as file:
        head = file.read(len(SIGNATURE))
    if head == SIGNATURE:
        return {"": _variables(path, path.stat().st_size)}
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if WEIGHTS_FILE in archive.namelist():
                entry = archive.getinfo(WEIGHTS_FILE)
                if entry.file_size > MAX_EXPANDED_BYTES + 4 * entry.compress_size:
                    raise ValueError(f"it says that it has {entry.file_size:,} bytes of weights")
                return {"": _variables(io.BytesIO(archive.read(WEIGHTS_FILE)), entry.file_size)}
    return None


def _variables(source: Any, size: int) -> list[Tensor]:
    import h5py
    import numpy

    found: list[Tensor] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and LEFT_OUT.isdisjoint(name.split("/")) and item.dtype.kind in "biufcV":
            if item.nbytes > MAX_EXPANDED_BYTES + size:
                raise ValueError(f"{name!r} has more values than the file")
            values = numpy.ascontiguousarray(item[()])
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            digest = hashlib.sha256(little.reshape(-1).view(numpy.uint8).data).hexdigest()
            found.append(Tensor(name, str(item.dtype), tuple(item.shape), digest))

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return found
