"""The variables of a `.weights.h5` or `.keras` file, which holds such a one; Keras itself is not imported.

Left out are the states of optimizers and random generators, which change while the model stays the same.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore.hookspecs import Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
INSIDE = "model.weights.h5"  # of a .keras file
MOST_EXPANDED = 64 << 20  # bytes that what is told may have beyond those that are there
ASIDE = {"optimizer", "seed_generator"}


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """The variables; None where it is another kind of file.

    Raises:
        ImportError: h5py is needed for it, and not installed.
        OSError, ValueError: it is one, and damaged or lying.
    """
    with path.open("rb") as file:
        head = file.read(len(SIGNATURE))
    if head == SIGNATURE:
        return {"": _variables(path, path.stat().st_size)}
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if INSIDE in archive.namelist():
                entry = archive.getinfo(INSIDE)
                if entry.file_size > MOST_EXPANDED + 4 * entry.compress_size:
                    raise ValueError(f"it says that it has {entry.file_size:,} bytes of weights")
                return {"": _variables(io.BytesIO(archive.read(INSIDE)), entry.file_size)}
    return None


def _variables(source: Any, size: int) -> list[Tensor]:
    import h5py
    import numpy

    found: list[Tensor] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and ASIDE.isdisjoint(name.split("/")) and item.dtype.kind in "biufcV":
            if item.nbytes > MOST_EXPANDED + size:
                raise ValueError(f"{name!r} has more values than the file")
            values = numpy.ascontiguousarray(item[()])
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            digest = hashlib.sha256(little.reshape(-1).view(numpy.uint8).data).hexdigest()
            found.append(Tensor(name, str(item.dtype), tuple(item.shape), digest))

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return found
