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
ASIDE = {"optimizer", "seed_generator"}


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """The variables; None where it is another kind of file.

    Raises:
        ImportError: h5py is needed for it, and not installed.
        OSError: it is one, and damaged.
    """
    with path.open("rb") as file:
        head = file.read(len(SIGNATURE))
    if head == SIGNATURE:
        return {"": _variables(path)}
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if INSIDE in archive.namelist():
                return {"": _variables(io.BytesIO(archive.read(INSIDE)))}
    return None


def _variables(source: Any) -> list[Tensor]:
    import h5py
    import numpy

    found: list[Tensor] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and ASIDE.isdisjoint(name.split("/")) and item.dtype.kind in "biufcV":
            values = numpy.ascontiguousarray(item[()])
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            digest = hashlib.sha256(little.reshape(-1).view(numpy.uint8).data).hexdigest()
            found.append(Tensor(name, str(item.dtype), tuple(item.shape), digest))

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return found
