"""The verbs that record media; what encodes them is imported at their first call."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from runlore._warnings import report

if TYPE_CHECKING:
    from runlore.media.encoding import Media
    from runlore.media.later import Later


class Keeper(Protocol):
    """Takes media into a run's log; `writer` is None where nothing is recorded."""

    writer: Any

    @property
    def mode(self) -> str:
        """The way the run was opened: "start", "resume" or "attach"."""

    @property
    def is_of_this_process(self) -> bool:
        """True where this process opened the run, False in a forked child of the one that did."""

    def keep_bytes(
        self, data: bytes | Mapping[str, bytes], *, name: str, kind: str, masked: bool, step: int | None,
        epoch: float | None, facts: Mapping[str, Any] | None, whole: Callable[[bytes], bytes] | None,
    ) -> None:  # fmt: skip
        """Keep bytes, or a folder of them, as an artifact."""

    def missing(self, what: str, why: str) -> None:
        """Note that something could not be recorded."""


class MediaVerbs:
    """The verbs of a run for media. `run_log` takes them.

    Whatever is wrong with a value is reported and named in the run, and never raised: training goes on. Each call
    keeps one artifact of its `key`, at a step, of what is given as it is then. Images, and what else takes time, are
    encoded on a thread of runlore's, in the order of the calls. What is too large is cut or left out, as docs/media.md
    says.
    """

    run_log: Any
    _later: "Later | None" = None

    def log_media(
        self,
        key: str,
        value: Any,
        *,
        step: int | None = None,
        epoch: float | None = None,
        caption: "str | Sequence[str] | None" = None,
        kind: str | None = None,
        rate: int | None = None,
    ) -> None:
        """Keep an image, audio, video, text, HTML or a figure, or a list of several of one kind.

        Images are PIL images, arrays or tensors (height × width, with 1, 3 or 4 channels last or first; whole numbers
        from 0 to 255, floats from 0 to 1), matplotlib's and plotly's figures, or paths of files, which say by their
        suffix what they are. `kind` ("image", "audio", "video", "text", "html", "figure") says it of bytes and texts. A
        text is itself, but for names of images, audio and video; a file of text is given as a Path. Audio and video are
        kept as they are, without being decoded; of `kind` "audio" may be arrays and tensors, too: samples, or samples ×
        channels, floats from -1 to 1 or whole numbers of 16 bits, at a `rate` of samples a second. `caption` is one
        text, or one for each of a list.
        """
        self._keep(key, step, epoch, lambda: _encoding().media_of(value, kind, caption, rate))

    def log_table(self, key: str, rows: Any, *, step: int | None = None, epoch: float | None = None) -> None:
        """Keep a table: a DataFrame, a list of mappings, a list of rows, or a mapping of columns.

        Of more than 10,000 rows or 200 columns the first ones are kept, and the run says so.
        """
        self._keep(key, step, epoch, lambda: _encoding().table(rows))

    def log_histogram(
        self, key: str, values: Any, *, step: int | None = None, epoch: float | None = None, bins: int = 64
    ) -> None:
        """Keep the histogram of numbers: an array, a tensor or a list. NaN and infinite ones are counted apart.

        `bins` is from 1 to 512; the bins are of equal width between the least and the greatest finite value.
        """
        self._keep(key, step, epoch, lambda: _encoding().histogram(values, bins))

    def log_confusion_matrix(
        self, key: str, true: Any = None, predicted: Any = None, *, matrix: Any = None,
        labels: Sequence[Any] | None = None, step: int | None = None, epoch: float | None = None,
    ) -> None:  # fmt: skip
        """Keep how often each true label (rows) was predicted as each label (columns).

        `matrix` is given instead of labels where it was counted already. `labels` names the classes in their order; by
        default those that occur, sorted. At most 100 classes.
        """
        self._keep(key, step, epoch, lambda: _encoding().confusion(true, predicted, labels, matrix))

    def log_roc_curve(
        self, key: str, true: Any, scores: Any, *, labels: Sequence[Any] | None = None, step: int | None = None,
        epoch: float | None = None,
    ) -> None:  # fmt: skip
        """Keep the receiver operating characteristic of scores, and the area below it.

        `true` is 0 or 1 for scores of one column; for a column of scores for each class, the index of the class or one
        of `labels`, and there is a curve for each class against the others.
        """
        self._keep(key, step, epoch, lambda: _encoding().curves("roc", true, scores, labels))

    def log_pr_curve(
        self, key: str, true: Any, scores: Any, *, labels: Sequence[Any] | None = None, step: int | None = None,
        epoch: float | None = None,
    ) -> None:  # fmt: skip
        """Keep precision over recall of scores, and the average precision; see `log_roc_curve`."""
        self._keep(key, step, epoch, lambda: _encoding().curves("pr", true, scores, labels))

    def log_curves(
        self, key: str, curves: "Mapping[str, tuple[Any, Any]]", *, x: str = "x", y: str = "y",
        step: int | None = None, epoch: float | None = None,
    ) -> None:  # fmt: skip
        """Keep curves over something else than steps, such as a calibration: the numbers x and y of each, by its name.

        `x` and `y` say what the axes are. At most 20 curves; of one with more than 400 points those at equal distances
        are kept, and none that are NaN or infinite.
        """
        self._keep(key, step, epoch, lambda: _encoding().lines(curves, x, y))

    def settle_media(self) -> None:
        """Wait until all media that were given are kept."""
        if self._later is not None and self._later.is_own:
            self._later.wait()

    def _waits(self) -> bool:
        """Return True if something that was given before is not kept yet."""
        return self._later is not None and self._later.is_own and not self._later.is_done

    def _keep(self, key: str, step: int | None, epoch: float | None, take: "Callable[[], Media]") -> None:
        """Keep what a call takes; what takes time is encoded and kept on another thread, and what comes behind it."""
        keeper: Keeper = self.run_log
        if keeper.writer is None:
            return
        name = _text(key)
        try:
            found = take()
        except Exception as error:  # a value of the user's, in libraries of others: training goes on
            return _refuse(keeper, name, error)
        if keeper.mode == "attach" or not keeper.is_of_this_process or (found.is_quick and not self._waits()):
            return _keep(keeper, name, step, epoch, found)  # a worker may end without a word: nothing waits there
        if self._later is None:
            from runlore.media.later import Later

            self._later = Later()
        self._later.add(lambda: _keep(keeper, name, step, epoch, found), found.size)


def _keep(keeper: Keeper, name: str, step: int | None, epoch: float | None, media: "Media") -> None:
    try:
        media.encode()
        for why in media.losses:
            keeper.missing(f"media {name}", why)
        if media.items:
            data, path = media.contents(name)
            facts = {"media": name, **media.facts}
            whole = media.numbers.put_back if media.numbers.parts else None
            keeper.keep_bytes(
                data, name=path, kind=media.kind, masked=not media.is_text, step=step, epoch=epoch, facts=facts,
                whole=whole,
            )  # fmt: skip
    except Exception as error:  # a value of the user's, in libraries of others: training goes on
        _refuse(keeper, name, error)


def _text(key: Any) -> str:
    """Return a key as a text, whatever it is."""
    try:
        return key if type(key) is str else str(key)
    except Exception:  # an object of the user's
        return f"<{type(key).__qualname__}>"


def _refuse(keeper: Keeper, name: str, error: Exception) -> None:
    why = f"{type(error).__name__}: {error}"
    report(f"media {name!r} can't be recorded: {why}")
    keeper.missing(f"media {name}", why)


def _encoding() -> Any:
    from runlore.media import encoding

    return encoding
