"""Values as files: which kind each is of, and its bytes. Libraries are used where the user has imported them."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runlore._text import with_article
from runlore.media import figures, images, numbers, sounds, tables
from runlore.media.dimensions import check_dimensions, dimensions_of
from runlore.media.later import MAX_WAITING_BYTES

MAX_ITEMS = 100  # of one call
MAX_BYTES = 256 << 20  # of a file
MAX_WORDS = 16 << 20  # bytes of a figure of plotly, a table or another file that is looked through for secrets
MAX_TEXT_CHARS = 1 << 20
LABEL_BYTES = 8  # of one in a list; the values that it names are few
QUICK = 1 << 14  # bytes that are encoded, searched for secrets and kept in a millisecond
KINDS = ("image", "audio", "video", "text", "html", "figure")
TEXTS = frozenset({".txt", ".md", ".log", ".json", ".html", ".htm", ".svg"})
SUFFIXES = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg"), "image"),
    **dict.fromkeys((".wav", ".mp3", ".ogg", ".flac", ".m4a"), "audio"),
    **dict.fromkeys((".mp4", ".webm", ".mov", ".avi", ".mkv"), "video"),
    **dict.fromkeys((".txt", ".md", ".log", ".json"), "text"),
    **dict.fromkeys((".html", ".htm"), "html"),
}
SIGNATURES: dict[str, tuple[tuple[int, bytes], ...]] = {  # what a file of a suffix has at a place, one of them
    ".png": ((0, b"\x89PNG\r\n\x1a\n"),),
    ".jpg": ((0, b"\xff\xd8\xff"),),
    ".gif": ((0, b"GIF8"),),
    ".webp": ((8, b"WEBP"),),
    ".bmp": ((0, b"BM"),),
    ".wav": ((8, b"WAVE"),),
    ".mp3": ((0, b"ID3"), (0, b"\xff\xfb"), (0, b"\xff\xf3"), (0, b"\xff\xf2")),
    ".ogg": ((0, b"OggS"),),
    ".flac": ((0, b"fLaC"),),
    ".m4a": ((4, b"ftyp"),),
    ".mp4": ((4, b"ftyp"),),
    ".mov": ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide")),
    ".avi": ((0, b"RIFF"),),
    ".webm": ((0, b"\x1aE\xdf\xa3"),),
    ".mkv": ((0, b"\x1aE\xdf\xa3"),),
}
SIGNATURES[".jpeg"] = SIGNATURES[".jpg"]


class Taken(NamedTuple):
    """Values as they were at the call, of about `size` bytes; `encode` makes a file of them, and says what was cut."""

    size: int
    encode: Callable[[], tuple[bytes, list[str]]]


class Encoded(NamedTuple):
    """One item as a file: its suffix and its bytes; of plotly's figures and of numbers these are made later."""

    suffix: str
    content: bytes | figures.Snapshot | Taken


@dataclass
class Media:
    """Holds what a call keeps: items of a kind, facts about all of them, and what was cut or left out.

    Images that are still to be encoded lie in `waiting` as copies. Whatever waits, nobody changes it meanwhile. The
    `numbers` of figures are put back into their contents behind the search for secrets.
    """

    kind: str
    items: list[Encoded]
    facts: dict[str, Any] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    waiting: list[Any] = field(default_factory=list)
    numbers: figures.Numbers = field(default_factory=figures.Numbers)

    @property
    def size(self) -> int:
        """Bytes that all items take, about."""
        sizes = (len(item.content) if isinstance(item.content, bytes) else item.content.size for item in self.items)
        return sum(sizes) + sum(map(images.size_of, self.waiting))

    @property
    def is_quick(self) -> bool:
        """True if keeping it takes a millisecond: it is small, and neither an image nor drawn."""
        drawn = self.waiting or any(isinstance(item.content, figures.Snapshot) for item in self.items)
        return not drawn and self.size <= QUICK

    def encode(self) -> None:
        """Encode what waits.

        Raises:
            MissingDependency: Pillow is not installed.
        """
        for image in self.waiting:
            content, losses = images.png_of(image)
            self.add(Encoded(".png", content), losses)
        self.waiting = []
        for place, item in enumerate(self.items):
            if isinstance(item.content, figures.Snapshot):
                self.items[place] = Encoded(item.suffix, self.numbers.words_of(item.content))
            elif isinstance(item.content, Taken):
                content, losses = item.content.encode()
                self.items[place] = Encoded(item.suffix, content)
                self.losses += losses

    @property
    def is_text(self) -> bool:
        """True if the items may hold a secret in words."""
        return any(item.suffix in TEXTS for item in self.items)

    def contents(self, key: str) -> tuple[bytes | dict[str, bytes], str]:
        """Return the only item and its name as a file, or a folder of several and its name; all are encoded."""
        contents = [item.content for item in self.items if isinstance(item.content, bytes)]
        if len(self.items) == 1:
            return contents[0], f"{key}{self.items[0].suffix}"
        names = [f"{place}{item.suffix}" for place, item in enumerate(self.items)]
        return dict(zip(names, contents, strict=True)), key

    def add(self, item: Encoded, losses: list[str]) -> None:
        """Add an item; what was cut of several is told once."""
        self.items.append(item)
        self.losses += [loss for loss in losses if loss not in self.losses]


def media_of(value: Any, kind: str | None, caption: "str | Sequence[str] | None", rate: int | None = None) -> Media:
    """Return a value, or the values of a list, as files of one kind; images and sounds are only copied.

    Raises:
        ValueError: the value, or the kind, is none that is known; the message names it.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: it is one of {', '.join(KINDS)}")
    values = list(value) if isinstance(value, list | tuple) else [value]
    captions = [caption] * len(values) if caption is None or isinstance(caption, str) else [*map(str, caption)]
    found = Media(kind or "", [])
    if len(values) > MAX_ITEMS:
        found.losses.append(f"{len(values) - MAX_ITEMS} of {len(values)} items left out: {MAX_ITEMS} are kept at once")
    for item in values[:MAX_ITEMS]:
        if kind in (None, "image") and images.are_pixels(item):
            own = "image"
            found.waiting.append(images.copied(item))
        elif kind == "audio" and images.are_pixels(item):
            own = "audio"
            found.add(_sound(item, rate), [])
        else:
            own, file, losses = _one(item, kind)
            found.add(file, losses)
        if found.kind not in ("", own) or (found.waiting and found.items):
            raise ValueError(f"a list holds one kind: this one has {found.kind} and {own}, or files and pixels")
        found.kind = own
    if any(captions):
        found.facts["captions"] = [words or "" for words in captions[:MAX_ITEMS]]
    return found


def table(rows: Any) -> Media:
    """Return a table, to be kept as `columns` with their names, and `rows`."""
    found = tables.taken(rows)
    facts = {"shape": [len(found.rows), len(found.columns)]}
    return Media("table", [_later(found.size, found.document)], facts, found.losses)


def histogram(values: Any, bins: int) -> Media:
    """Return a histogram, to be kept as `edges`, `counts`, and how many values are not finite."""
    found = _numbers(values)
    return Media("histogram", [_later(found.nbytes, partial(numbers.histogram, found, numbers.checked_bins(bins)))])


def confusion(true: Any, predicted: Any, labels: Sequence[Any] | None, matrix: Any = None) -> Media:
    """Return a confusion matrix, to be kept as `labels` and `matrix`, which may be known already.

    Raises:
        ValueError: labels and matrix are given both or neither, or do not fit each other.
    """
    if (true is None) != (predicted is None) or (true is None) == (matrix is None):
        raise ValueError("give true and predicted labels, or matrix")
    names = None if labels is None else list(labels)
    if matrix is not None:
        found = _numbers(matrix)
        return Media("matrix", [_later(found.nbytes, partial(numbers.counted, found, names))])
    size, pair = _labels(true, predicted)

    def document() -> dict[str, Any]:
        one, other = pair()
        return numbers.confusion(one, other, names)

    return Media("matrix", [_later(size, document)])


def curves(name: str, true: Any, scores: Any, labels: Sequence[Any] | None) -> Media:
    """Return a curve for each class, to be kept as `curve` ("roc" or "pr") and `classes` with x, y and their area."""
    names = None if labels is None else list(labels)
    size, only = _labels(true)
    found = _numbers(scores)

    def document() -> dict[str, Any]:
        (plain,) = only()
        return {"curve": name, "classes": numbers.curves(name, plain, found, names)}

    return Media("curve", [_later(size + found.nbytes, document)])


def lines(named: Mapping[str, Any], x: str, y: str) -> Media:
    """Return curves, to be kept as `curve` ("lines"), `classes` with x and y of each, and what the axes are."""
    points = {str(name): (_numbers(one), _numbers(other)) for name, (one, other) in named.items()}
    axes = {"curve": "lines", "x": str(x), "y": str(y)}

    def encode() -> tuple[bytes, list[str]]:
        found, losses = numbers.lines(points)
        return _json({**axes, "classes": found}), losses

    size = sum(one.nbytes + other.nbytes for one, other in points.values())
    return Media("curve", [Encoded(".json", Taken(size, encode))])


def _later(size: int, document: Callable[[], dict[str, Any]]) -> Encoded:
    return Encoded(".json", Taken(size, lambda: (_json(document()), [])))


def _numbers(values: Any) -> Any:
    """Return numbers as an array that nobody changes; what is too large to wait is encoded at the call, as it is."""
    found = images.as_array(values)
    is_new = isinstance(values, list | tuple) or found.nbytes > MAX_WAITING_BYTES
    return found if is_new else found.copy()


def _labels(*given: Any) -> tuple[int, Callable[[], list[list[Any]]]]:
    """Return the bytes of some lists of labels as they are now, about, and what makes plain values of them."""
    found = [values.copy() if _is_plain_array(values) else _listed(values) for values in given]
    return sum(map(_size, found)), lambda: [_listed(values) for values in found]


def _is_plain_array(values: Any) -> bool:
    return _is_a(values, "numpy", "ndarray") and values.dtype.kind in "biufUS" and values.nbytes <= MAX_WAITING_BYTES


def _size(values: Any) -> int:
    return values.nbytes if hasattr(values, "nbytes") else LABEL_BYTES * len(values)


def _sound(value: Any, rate: int | None) -> Encoded:
    samples = _numbers(value)
    if samples.size * sounds.SAMPLE_BYTES > MAX_BYTES:
        raise ValueError(f"it has {samples.size:,} samples, at most {MAX_BYTES // sounds.SAMPLE_BYTES:,} are kept")
    return Encoded(".wav", Taken(samples.nbytes, partial(sounds.wav_of, samples, sounds.checked_rate(samples, rate))))


def _one(value: Any, kind: str | None) -> tuple[str, Encoded, list[str]]:
    if isinstance(value, bytes | bytearray):
        return _of_bytes(bytes(value), kind)
    if isinstance(value, os.PathLike) or (isinstance(value, str) and _is_path(value, kind)):
        return _of_file(Path(value), kind)
    if isinstance(value, str):
        return _of_text(value, kind)
    if _is_a(value, "matplotlib.figure", "Figure"):
        return "figure", Encoded(".png", images.png_of_figure(value)), []
    if _is_a(value, "plotly.basedatatypes", "BaseFigure"):
        return "figure", Encoded(".json", _drawn(value)), []
    wanted = kind or "image, audio, video, text or figure"
    raise ValueError(f"{with_article(type(value).__qualname__)} is no {wanted}: give an array, a path, or bytes")


def _drawn(figure: Any) -> figures.Snapshot:
    """Return a figure of plotly as it is now."""
    found = figures.snapshot(figure)
    if found.size > MAX_WORDS:
        raise ValueError(f"it has about {found.size:,} bytes, at most {MAX_WORDS:,} are kept")
    return found


def _is_path(text: str, kind: str | None) -> bool:
    """Return True for the path of an image, of audio or of video: whatever else stands in a text, it is itself.

    What a model has written may look like the path of a file of the user's.
    """
    if kind in ("text", "html") or len(text) > 1000 or "\n" in text or "\0" in text:
        return False
    return SUFFIXES.get(Path(text).suffix.lower()) in ("image", "audio", "video")


def _of_file(path: Path, kind: str | None) -> tuple[str, Encoded, list[str]]:
    suffix = path.suffix.lower()
    own = SUFFIXES.get(suffix)
    if own is None:
        raise ValueError(f"{str(path)!r} has no suffix of an image, audio, video, text or HTML: use log_artifact")
    if kind is not None and own != kind:
        raise ValueError(f"{str(path)!r} is {own}, no {kind}")
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{str(path)!r} has {path.stat().st_size:,} bytes, {MAX_BYTES:,} are kept: use log_artifact")
    content = path.read_bytes()
    _check(content, suffix, repr(str(path)))
    return own, Encoded(suffix, _bounded(content, suffix)), []


def _of_bytes(content: bytes, kind: str | None) -> tuple[str, Encoded, list[str]]:
    _bounded(content, "")
    fitting = [suffix for suffix in SIGNATURES if kind in (None, SUFFIXES[suffix]) and _fits(content, suffix)]
    if fitting:
        _check(content, fitting[0], "it")
        return SUFFIXES[fitting[0]], Encoded(fitting[0], content), []
    if kind in ("text", "html"):
        return _of_text(content.decode("utf-8", "replace"), kind)
    raise ValueError(f"{len(content):,} bytes are no {kind or 'image, audio or video'} of a known format")


def _of_text(text: str, kind: str | None) -> tuple[str, Encoded, list[str]]:
    if kind not in (None, "text", "html"):
        raise ValueError(f"a text is no {kind}, and there is no file {text[:100]!r}")
    cut = text[:MAX_TEXT_CHARS]
    losses = [f"a text of {len(text):,} characters is cut to {MAX_TEXT_CHARS:,}"] if len(text) > len(cut) else []
    suffix = ".html" if kind == "html" else ".txt"
    return kind or "text", Encoded(suffix, cut.encode("utf-8", "replace")), losses


def _check(content: bytes, suffix: str, what: str) -> None:
    if suffix in SIGNATURES and not _fits(content, suffix):
        raise ValueError(f"{what} does not begin as {with_article(suffix[1:])} file does")
    if SUFFIXES.get(suffix) == "image":
        check_dimensions(*dimensions_of(io.BytesIO(content)))


def _fits(content: bytes, suffix: str) -> bool:
    return any(content.startswith(sign, place) for place, sign in SIGNATURES[suffix])


def _bounded(content: bytes, suffix: str) -> bytes:
    most = MAX_WORDS if suffix in TEXTS else MAX_BYTES
    if len(content) > most:
        raise ValueError(f"it has {len(content):,} bytes, at most {most:,} are kept")
    return content


def _is_a(value: Any, module: str, name: str) -> bool:
    """Return True for an object of a class that is loaded; none is imported to know it."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _listed(values: Any) -> list[Any]:
    """Return labels as a list of plain values; of arrays and tensors, their numbers."""
    if isinstance(values, list | tuple):
        return [item.item() if hasattr(item, "item") else item for item in values]
    if isinstance(values, Iterable) and not hasattr(values, "__array__") and not hasattr(values, "detach"):
        return list(values)
    array = images.as_array(values) if hasattr(values, "detach") else values.__array__()
    found: list[Any] = array.ravel().tolist()
    return found


def _json(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return _bounded(text.encode("utf-8", "replace"), ".json")
