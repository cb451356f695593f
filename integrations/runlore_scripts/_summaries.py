"""TensorBoard's `SummaryWriter`, of torch and of tensorboardX: what the user's own code writes is recorded, too."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.wrapping import Wrappers
from runlore_scripts._summary_media import KEPT, note_drawn

LEFT_OUT = {
    "add_embedding": "embeddings",
    "add_graph": "graphs",
    "add_histogram_raw": "histograms of bins",
    "add_image_with_boxes": "images with boxes",
    "add_mesh": "meshes",
    "add_pr_curve_raw": "precision-recall curves of counts",
    "add_tensor": "tensors",
    "add_video": "videos",
}
Arguments = tuple[Any, ...]


class _Written(guest.Part):
    """Notes of this process, by the run: the folder that a tag belongs to, and what was told."""

    inherited = True

    def __init__(self) -> None:
        self.folders: dict[tuple[str, str], str] = {}
        self.told: set[tuple[str, str]] = set()


def follow_torch(wrappers: Wrappers) -> None:
    """Follow `torch.utils.tensorboard.SummaryWriter`."""
    _follow(wrappers, sys.modules["torch.utils.tensorboard.writer"])


def follow_tensorboardx(wrappers: Wrappers) -> None:
    """Follow `tensorboardX.SummaryWriter`."""
    _follow(wrappers, sys.modules["tensorboardX.writer"])


def _follow(wrappers: Wrappers, module: Any) -> None:
    writer = module.SummaryWriter
    for name, note in (("add_scalar", _scalar), ("add_scalars", _scalars), ("add_hparams", _hparams)):
        wrappers.follow(writer, name, note)
    for name in KEPT.keys() & vars(writer).keys():  # versions differ
        wrappers.follow(writer, name, partial(_kept, name))
    for name in LEFT_OUT.keys() & vars(writer).keys():
        wrappers.follow(writer, name, partial(_left_out, name))
    wrappers.follow(module, "figure_to_image", note_drawn, by_all=True)


def _scalar(args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None:
        tag, value, step = _arguments(args, kwargs, ("tag", "scalar_value", "global_step"))
        run.log_metrics({_key(run.id, args[0], str(tag)): float(value)}, step)


def _scalars(args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None:
        tag, values, step = _arguments(args, kwargs, ("main_tag", "tag_scalar_dict", "global_step"))
        named = {_key(run.id, args[0], f"{tag}/{name}"): float(value) for name, value in values.items()}
        run.log_metrics(named, step)


def _hparams(args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None:
        params, metrics = _arguments(args, kwargs, ("hparam_dict", "metric_dict"))
        run.log_params(params)
        run.log_summary({name: float(value) for name, value in metrics.items()})


def _kept(name: str, args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None:
        keep, defaults = KEPT[name]
        tag, *values = _arguments(args, kwargs, ("tag", *defaults))
        given = {key: defaults[key] if value is None else value for key, value in zip(defaults, values, strict=True)}
        keep(run, _key(run.id, args[0], str(tag)), given, given["global_step"])


def _left_out(name: str, args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None and _is_first(run.id, name):
        run.log_missing(f"TensorBoard's {name}", f"{LEFT_OUT[name]} are not recorded; its own files have them")


def _arguments(args: Arguments, kwargs: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Return arguments of a method by their names, a step as the writer makes it; None for what was not given."""
    given = args[1:]
    found: dict[str, Any] = {
        name: given[place] if place < len(given) else kwargs.get(name) for place, name in enumerate(names)
    }
    if found.get("global_step") is not None:
        found["global_step"] = int(found["global_step"])
    return list(found.values())


def _key(run_id: str, writer: Any, tag: str) -> str:
    """Return the key for a tag: where two writers write the same one, that of the second has its folder before it."""
    folder = str(getattr(writer, "log_dir", None) or getattr(writer, "logdir", ""))
    owner = guest.part(_Written).folders.setdefault((run_id, tag), folder)
    return tag if owner == folder else f"{Path(folder).name}/{tag}"


def _is_first(run_id: str, what: str) -> bool:
    told = guest.part(_Written).told
    before = len(told)
    told.add((run_id, what))
    return len(told) > before
