"""Media that the user's own code writes for TensorBoard: kept as the run's own, by step."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runlore import guest

Arguments = tuple[Any, ...]
Keep = Callable[[Any, str, Mapping[str, Any], int | None], None]  # run, key, other arguments by name, step
CHANNELS_LAST = "NHWC"


class Drawn(guest.Part):
    """The pixels of the last figures that a writer has drawn, until its call ends."""

    inherited = True

    def __init__(self) -> None:
        self.pixels: Any = None


def note_drawn(args: Arguments, kwargs: Mapping[str, Any], pixels: Any) -> None:
    """Note what a writer has drawn of a figure, so that it is drawn once."""
    guest.part(Drawn).pixels = pixels if guest.open_run() is not None else None


def keep_images(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep one image, or a batch of them, whose axes `dataformats` names."""
    form, values = given["dataformats"], given["img_tensor"]
    if isinstance(values, list | tuple):
        run.log_media(key, [_channels_last(value, form) for value in values], step=step, kind="image")
        return
    is_batch = "N" in form.upper()
    pixels = _channels_last(values, form)
    run.log_media(key, list(pixels) if is_batch else pixels, step=step, kind="image")


def keep_figure(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep what the writer has drawn of a figure, or of several."""
    drawn = guest.part(Drawn)
    pixels, drawn.pixels = drawn.pixels, None
    if pixels is not None:
        is_batch = getattr(pixels, "ndim", 3) == 4
        run.log_media(key, list(pixels) if is_batch else pixels, step=step, kind="image")


def keep_histogram(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep a histogram, by bins of ours."""
    run.log_histogram(key, given["values"], step=step)


def keep_text(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep a text."""
    run.log_media(key, given["text_string"], step=step, kind="text")


def keep_pr_curve(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep precision over recall; weights of ours there are none."""
    if given["weights"] is None:
        run.log_pr_curve(key, given["labels"], given["predictions"], step=step)
    else:
        run.log_missing(f"media {key}", "a precision-recall curve with weights is not recorded")


def keep_audio(run: Any, key: str, given: Mapping[str, Any], step: int | None) -> None:
    """Keep a sound: one channel, or two as the columns that tensorboardX takes."""
    sound = _array(given["snd_tensor"]).astype(np.float64).squeeze()
    run.log_media(key, sound, step=step, kind="audio", rate=int(given["sample_rate"]))


KEPT: Mapping[str, tuple[Keep, Mapping[str, Any]]] = {  # by method, with the arguments behind the tag in their order
    "add_image": (keep_images, {"img_tensor": None, "global_step": None, "walltime": None, "dataformats": "CHW"}),
    "add_images": (keep_images, {"img_tensor": None, "global_step": None, "walltime": None, "dataformats": "NCHW"}),
    "add_figure": (keep_figure, {"figure": None, "global_step": None}),
    "add_histogram": (keep_histogram, {"values": None, "global_step": None}),
    "add_text": (keep_text, {"text_string": None, "global_step": None}),
    "add_pr_curve": (
        keep_pr_curve,
        {"labels": None, "predictions": None, "global_step": None, "num_thresholds": 127, "weights": None},
    ),
    "add_audio": (keep_audio, {"snd_tensor": None, "global_step": None, "sample_rate": 44100}),
}


def _channels_last(value: Any, form: str) -> Any:
    """Return an image, or a batch of them, with its axes in the order that the log takes."""
    form = form.upper()
    order = [form.index(axis) for axis in CHANNELS_LAST if axis in form]
    if order == sorted(order):
        return value
    return value.permute(*order) if hasattr(value, "permute") else np.transpose(_array(value), order)


def _array(value: Any) -> Any:
    """Return an array of numbers, also of a tensor that has a gradient or lies on a device."""
    value = value.detach().cpu() if hasattr(value, "detach") else value
    return np.asarray(value)
