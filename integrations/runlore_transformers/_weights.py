"""Reads the tensors of a `.safetensors` file from its header and bytes, and compares them with those of a model.

The format: the length of a JSON header as u64, the header (`{name: {"dtype", "shape", "data_offsets"}}`), then the
values in C order, little-endian. From https://huggingface.co/docs/safetensors.
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore.hookspecs import ModelFile, Tensor

MAX_COMPARED = 1 << 24  # values of a tensor that is compared
SMALLEST, LAST = (
    64,
    4,
)  # tensors of a model that are compared: each layer that learns has small ones, a head is the last
ADAPTER = re.compile(r"(\.lora_\w+)\.[^.]+(\.|$)")
MAX_HEADER_BYTES = 25_000_000  # that of a model with 100,000 tensors has 12 MB
BYTES_A_STEP = 8  # of a header
SPECIAL_DTYPES = {"BOOL": "bool", "F8_E4M3": "float8_e4m3fn"}  # those that other libraries call otherwise
DTYPES = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint", "C": "complex"}  # by the letters before the bits


def read(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the tensors; None for another kind of file.

    Raises:
        ValueError: the file looks like one, and its header is damaged.
    """
    head = file.read(0, 9)
    if len(head) < 9 or head[8:] != b"{":
        return None
    (length,) = struct.unpack("<Q", head[:8])
    if not 2 <= length <= min(MAX_HEADER_BYTES, file.size - 8):
        return None
    file.spend("steps", length // BYTES_A_STEP)
    header = json.loads(file.read(8, length).decode())
    found = []
    end = 0
    entries = [(name, item) for name, item in header.items() if name != "__metadata__"]
    for name, item in sorted(entries, key=lambda entry: file.shape(entry[1]["data_offsets"])):
        file.spend("names", len(name))
        shape = file.shape(item["shape"])
        first, last = file.shape(item["data_offsets"])
        if first < end:
            raise ValueError(f"{name[:100]!r} shares bytes with another tensor")
        if math.prod(shape) > 8 * (last - first):
            raise ValueError(f"{name[:100]!r} has more values than bits")
        found.append(Tensor(name, _dtype(item["dtype"]), shape, file.sha256(8 + length + first, last - first)))
        end = last
    return {"": found}


def _dtype(code: str) -> str:
    """Return the name of a type by its code: bfloat16 for "BF16", float8_e4m3fn for "F8_E4M3"."""
    if not isinstance(code, str) or len(code) > 20:
        raise ValueError("a tensor has no type")
    letters = code.rstrip("0123456789") if "_" not in code else code[: code.index("_")].rstrip("0123456789")
    return SPECIAL_DTYPES.get(code) or f"{DTYPES.get(letters, letters)}{code[len(letters) :]}".lower()


def holds(folder: Path, model: Any) -> bool:
    """Return True if the weights of a model, or of its adapters, are those in a folder: some are compared, by value.

    A new head, or training since, makes it other weights; so does what can't be read or compared.
    """
    from safetensors import SafetensorError

    try:
        return _holds(folder, model)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, SafetensorError):
        return False


def _holds(folder: Path, model: Any) -> bool:
    import torch
    from safetensors import safe_open

    files = sorted(folder.glob("*.safetensors"))
    own = {_plain(name): tensor for name, tensor in model.state_dict().items()}
    held: dict[str, Path] = {}
    for file in files:
        with safe_open(file, "pt") as tensors:
            held |= dict.fromkeys(tensors.keys(), file)
    if not held or not held.keys() <= own.keys():
        return False
    places = {own[name].data_ptr() for name in held}
    adapted = {name for name in own if ADAPTER.search(name)}
    if any(own[name].data_ptr() not in places for name in adapted or own):  # tied weights are in the file once
        return False
    names = [name for name in own if name in held and own[name].numel() <= MAX_COMPARED]
    some = {*names[-LAST:], *sorted(names, key=lambda name: own[name].numel())[:SMALLEST]}
    for name in some:
        with safe_open(held[name], "pt") as tensors:
            found = tensors.get_tensor(name)
        if not torch.equal(own[name].detach().cpu(), found.to(own[name].dtype)):
            return False
    return bool(some)


def _plain(name: str) -> str:
    """Return the name of a tensor without that of its adapter, which files leave out."""
    return ADAPTER.sub(r"\1\2", name)
