"""Files and folders that libraries for training write and read where the user's own code asks them to."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from runlore.guest.files.watch import read
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import Note, argument, follow_all, reads, writes


def follow_fabric(wrappers: Wrappers) -> None:
    """Follow `Fabric.save` and `Fabric.load`."""
    _follow_fabric(wrappers, "lightning_fabric.fabric")


def follow_lightnings_fabric(wrappers: Wrappers) -> None:
    """Follow those of the other namespace."""
    _follow_fabric(wrappers, "lightning.fabric.fabric")


def follow_accelerate(wrappers: Wrappers) -> None:
    """Follow what an `Accelerator` saves and loads; its `save` passes the call on to torch's."""
    accelerator = sys.modules["accelerate.accelerator"].Accelerator
    wrappers.follow(accelerator, "save_model", writes("model", 2, "save_directory"))
    wrappers.follow(accelerator, "save_state", _saved_state)
    wrappers.follow(accelerator, "load_state", _read_there("accelerate.Accelerator.load_state", "input_dir"))


def follow_transformers(wrappers: Wrappers) -> None:
    """Follow `save_pretrained` and `from_pretrained` of models."""
    model = sys.modules["transformers.modeling_utils"].PreTrainedModel
    follow_all(wrappers, model, ("save_pretrained",), lambda name: writes("model", 1, "save_directory"))
    name = "pretrained_model_name_or_path"
    follow_all(wrappers, model, ("from_pretrained",), lambda called: _read_there(f"transformers.{called}", name))


def _follow_fabric(wrappers: Wrappers, module: str) -> None:
    fabric = sys.modules[module].Fabric
    wrappers.follow(fabric, "save", writes("checkpoint", 1, "path"))
    wrappers.follow(fabric, "load", reads("Fabric.load", 1, "path"))


def _saved_state(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    writes("checkpoint", 1)((None, result), {}, None)  # which may have got a name of its own


def _read_there(name: str, keyword: str) -> Note:
    """Return what notes what a call has read, if that lies there and not on the hub."""

    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        place = argument(args, kwargs, 1, keyword)
        if isinstance(place, str | os.PathLike) and os.path.exists(place):  # noqa: PTH110  # any text
            read(place, name)

    return note
