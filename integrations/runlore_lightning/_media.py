"""Media that are logged by hand, by the methods that Lightning's other loggers have for them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runlore import guest


class Hand(Protocol):
    """Finds the run that media go to."""

    def media(self, keep: Callable[[Any, int | None], None]) -> None:
        """Keep media of a run, given the step that the trainer is at."""


class MediaMethods:
    """The methods of a logger for media. `step` is that of the trainer, where none is given."""

    def _hand(self) -> Hand:
        raise NotImplementedError

    @guest.harmless
    def log_image(self, key: str, images: Sequence[Any], step: int | None = None, **options: Any) -> None:
        """Keep images: arrays, tensors, PIL images, figures or paths; `caption` is a text, or one for each."""
        items, caption = list(images), options.get("caption")
        self._hand().media(
            lambda run, now: run.log_media(key, items, step=now if step is None else step, caption=caption)
        )

    log_audio = log_video = log_image  # of paths, which say what they are

    @guest.harmless
    def log_table(
        self,
        key: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Keep a table: rows and the names of their columns, or a DataFrame."""
        named = data if columns is None else [dict(zip(columns, row, strict=True)) for row in data or ()]
        rows = named if dataframe is None else dataframe
        self._hand().media(lambda run, now: run.log_table(key, rows, step=now if step is None else step))

    log_text = log_table
