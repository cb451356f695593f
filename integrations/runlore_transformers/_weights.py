"""Reads the tensors of a `.safetensors` file from its header and bytes.

The format: the length of a JSON header as u64, the header (`{name: {"dtype", "shape", "data_offsets"}}`), then the
values in C order, little-endian. From https://huggingface.co/docs/safetensors.
"""

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore.hookspecs import Tensor

MAX_HEADER_BYTES = 100_000_000  # as in the format's own library
SPECIAL_DTYPES = {"BOOL": "bool", "F8_E4M3": "float8_e4m3fn"}  # those that other libraries call otherwise
DTYPES = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint", "C": "complex"}  # by the letters before the bits


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the tensors; None for another kind of file.

    Raises:
        ValueError: the file looks like one, and its header is damaged.
    """
    with path.open("rb") as file:
        head = file.read(9)
        if len(head) < 9 or head[8:] != b"{":
            return None
        (length,) = struct.unpack("<Q", head[:8])
        size = path.stat().st_size
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            return None
        file.seek(8)
        header = json.loads(file.read(length))
        found = []
        for name, item in header.items():
            if name != "__metadata__":
                first, last = item["data_offsets"]
                if not 0 <= first <= last <= size - 8 - length:
                    raise ValueError(f"{name!r} reaches beyond the file")
                if math.prod(map(int, item["shape"])) > 8 * (last - first):
                    raise ValueError(f"{name!r} has more values than bits")
                file.seek(8 + length + first)
                digest = _digest(file, last - first)
                found.append(Tensor(name, _dtype(item["dtype"]), tuple(map(int, item["shape"])), digest))
    return {"": found}


def _digest(file: Any, remaining: int) -> str:
    digest = hashlib.sha256()
    while remaining and (piece := file.read(min(remaining, 1 << 20))):
        digest.update(piece)
        remaining -= len(piece)
    return digest.hexdigest()


def _dtype(code: str) -> str:
    """Return the name of a type by its code: bfloat16 for "BF16", float8_e4m3fn for "F8_E4M3"."""
    letters = code.rstrip("0123456789") if "_" not in code else code[: code.index("_")].rstrip("0123456789")
    return SPECIAL_DTYPES.get(code) or f"{DTYPES.get(letters, letters)}{code[len(letters) :]}".lower()
