"""TensorBoard's `SummaryWriter`, of torch and of tensorboardX: what the user's own code writes is recorded, too."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.wrapping import Wrappers

MEDIA = {
    "add_audio": "sounds",
    "add_embedding": "embeddings",
    "add_figure": "figures",
    "add_graph": "graphs",
    "add_histogram": "histograms",
    "add_histogram_raw": "histograms",
    "add_image": "images",
    "add_image_with_boxes": "images",
    "add_images": "images",
    "add_mesh": "meshes",
    "add_pr_curve": "precision-recall curves",
    "add_pr_curve_raw": "precision-recall curves",
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
    _follow(wrappers, sys.modules["torch.utils.tensorboard.writer"].SummaryWriter)


def follow_tensorboardx(wrappers: Wrappers) -> None:
    """Follow `tensorboardX.SummaryWriter`."""
    _follow(wrappers, sys.modules["tensorboardX.writer"].SummaryWriter)


def _follow(wrappers: Wrappers, writer: type) -> None:
    for name, note in (
        ("add_scalar", _scalar),
        ("add_scalars", _scalars),
        ("add_hparams", _hparams),
        ("add_text", _text),
    ):
        wrappers.follow(writer, name, note)
    for name in MEDIA.keys() & vars(writer).keys():  # versions differ
        wrappers.follow(writer, name, partial(_medium, name))


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


def _text(args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    """Keep the first text of a tag as a note; those of each epoch would bury it."""
    run = guest.open_run()
    if run is not None:
        tag, text = _arguments(args, kwargs, ("tag", "text_string"))
        if _is_first(run.id, f"text {tag}"):
            run.note(f"{tag}: {text}")
        elif _is_first(run.id, "later texts"):
            run.log_missing("TensorBoard's later texts", "only the first text of a tag is kept, as a note")


def _medium(name: str, args: Arguments, kwargs: Mapping[str, Any], result: object) -> None:
    run = guest.open_run()
    if run is not None and _is_first(run.id, name):
        run.log_missing(f"TensorBoard's {name}", f"{MEDIA[name]} are not recorded; its own files have them")


def _arguments(args: Arguments, kwargs: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Return arguments of a method by their names; None for those that were not given."""
    given = args[1:]
    return [given[place] if place < len(given) else kwargs.get(name) for place, name in enumerate(names)]


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
