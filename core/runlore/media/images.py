"""Images as PNG files, by Pillow."""

import io
import sys
from typing import TYPE_CHECKING, Any

from runlore._text import with_article
from runlore.errors import MissingDependency
from runlore.media.dimensions import check_dimensions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHANNELS = (1, 3, 4)
QUICK = 1  # zlib's level: a sixth of the time of its usual one, for a file a tenth larger


def as_array(value: Any) -> "NDArray[Any]":
    """Return an array, a tensor on any device, or a nested list as an array of numpy's.

    Raises:
        ValueError: it is none.
    """
    import numpy as np

    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":  # which numpy has not
            value = value.float()
        value = value.numpy()
    found = np.asarray(value)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{with_article(type(value).__qualname__)} of {found.dtype} holds no numbers")
    return found


def are_pixels(value: Any) -> bool:
    """Return True for an image of PIL, an array or a tensor."""
    return _is_pil(value) or hasattr(value, "detach") or hasattr(value, "dtype")


def copied(value: Any) -> Any:
    """Return a copy of an image that nobody else changes.

    Raises:
        ValueError: it has no shape of an image, or too many pixels.
    """
    if _is_pil(value):
        check_dimensions(value.width, value.height)
        return value.copy()
    found = as_array(value)
    _check_shape(found.shape)
    return found.copy()


def size_of(copy: Any) -> int:
    """Return the bytes that a copy takes, approximately."""
    return int(copy.width * copy.height * 4 if _is_pil(copy) else copy.nbytes)


def png_of(value: Any) -> tuple[bytes, list[str]]:
    """Return an image of PIL, or an array of pixels, as a PNG file, and what was cut of its values.

    Raises:
        ValueError: it has no shape of an image, or too many pixels.
        MissingDependency: Pillow is not installed.
    """
    image_class = _pillow()
    if isinstance(value, image_class.Image):
        image, losses = value, list[str]()
        check_dimensions(image.width, image.height)
        if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
            image = image.convert("RGB")
    else:
        pixels, losses = _pixels(as_array(value))
        image = image_class.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=QUICK)
    return file.getvalue(), losses


def png_of_figure(figure: Any) -> bytes:
    """Return a figure of matplotlib as a PNG file, at its own resolution; its canvas stays the one that it has.

    Raises:
        ValueError: it would have too many pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    check_dimensions(*map(int, figure.bbox.size))
    canvas = figure.canvas
    file = io.BytesIO()
    try:
        FigureCanvasAgg(figure).print_png(file)
    finally:
        figure.set_canvas(canvas)
    return file.getvalue()


def _pixels(array: "NDArray[Any]") -> tuple["NDArray[np.uint8]", list[str]]:
    import numpy as np

    _check_shape(array.shape)
    if array.ndim == 3 and array.shape[2] not in CHANNELS:
        array = np.moveaxis(array, 0, 2)  # channels first, as torch has them
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == bool:
        return np.where(array, np.uint8(255), np.uint8(0)), []
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array), []
    largest = 1.0 if array.dtype.kind == "f" else 255.0
    numbers = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=largest, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    losses = []
    if low < 0 or high > largest or not np.isfinite(array).all():
        kind = "floats from 0 to 1" if largest == 1 else "whole numbers from 0 to 255"
        losses.append(f"pixels from {low:g} to {high:g} are cut to {kind}")
    scaled = np.clip(numbers, 0, largest) * (255 / largest)
    return np.rint(scaled).astype(np.uint8), losses


def _check_shape(shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array of this shape is an image, its channels last or first."""
    known = len(shape) == 2 or (len(shape) == 3 and (shape[2] in CHANNELS or shape[0] in CHANNELS))
    if not known or 0 in shape:
        raise ValueError(f"an array of shape {shape} is no image: height × width, or with 1, 3 or 4 channels")
    check_dimensions(*(shape[1::-1] if len(shape) == 2 or shape[2] in CHANNELS else shape[:0:-1]))


def _is_pil(value: Any) -> bool:
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return isinstance(kind, type) and isinstance(value, kind)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise MissingDependency("images need Pillow: pip install 'runlore[media]'") from None
    return Image
