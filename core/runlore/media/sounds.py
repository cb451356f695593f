"""Sounds that are given as numbers, as WAV files of 16 bits."""

import io
import wave
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHANNELS = 8
MAX_RATE = 768_000  # samples a second
SAMPLE_BYTES = 2
LOUDEST = 32_767  # of such a sample


def checked_rate(samples: "NDArray[Any]", rate: int | None) -> int:
    """Return the rate of a sound: of samples, or of samples × channels in either order.

    Raises:
        ValueError: the shape, or the rate, is another one.
    """
    if type(rate) is not int or not 1 <= rate <= MAX_RATE:
        raise ValueError(f"rate is {rate!r}: it is the samples a second of a sound that is given as numbers")
    if samples.ndim not in (1, 2) or 0 in samples.shape or (samples.ndim == 2 and min(samples.shape) > MAX_CHANNELS):
        raise ValueError(f"an array of shape {samples.shape} is no sound: samples, or samples × channels")
    return rate


def wav_of(samples: "NDArray[Any]", rate: int) -> tuple[bytes, list[str]]:
    """Return a sound as a WAV file, and what was cut of it: floats go from -1 to 1, whole numbers are of 16 bits."""
    import numpy as np

    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        samples = samples.T  # channels first, as torch has them
    largest = 1.0 if samples.dtype.kind == "f" else float(LOUDEST)
    numbers = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=largest, neginf=-largest)
    losses = []
    low, high = float(numbers.min()), float(numbers.max())
    if max(-low, high) > largest + (largest > 1):  # of 16 bits there is one more below
        losses.append(f"samples from {low:g} to {high:g} are cut to {-largest:g} to {largest:g}")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1 if numbers.ndim == 1 else numbers.shape[1])
        sound.setsampwidth(SAMPLE_BYTES)
        sound.setframerate(rate)
        sound.writeframes((np.clip(numbers, -largest, largest) * (LOUDEST / largest)).astype("<i2").tobytes())
    return file.getvalue(), losses
