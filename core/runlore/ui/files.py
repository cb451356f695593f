"""Endpoints for the files of a run: content, preview and output."""

import codecs
import csv
import hashlib
import io
import json
import mimetypes
import os
import re
from collections.abc import Sequence
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import quote

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from runlore._inside import is_regular, open_binary, state_of
from runlore._process import Part, process
from runlore.artifacts.artifact import Artifact
from runlore.artifacts.copying import check_dense
from runlore.errors import ArtifactNotFound
from runlore.media.dimensions import check_dimensions, dimensions_of
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

MAX_CHECKED = 10_000  # files of which is remembered that their content is the recorded one
MAX_TEXT_BYTES = 1 << 20  # of a file that is shown as text, or parsed
MAX_INDENTED = 8 * MAX_TEXT_BYTES  # characters of such a text with indents: each level in it adds to each line
MAX_PICTURE_BYTES = 20 << 20
MAX_OUTPUT_BYTES = 256 << 10  # of one answer
MAX_BINS = 1000  # of a histogram
MAX_TITLE = 100  # characters of what an axis is
MAX_MATRIX_ROWS = 40  # of a matrix that is shown as a heat map
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".bmp"}
PLAYED_SUFFIXES = {
    **dict.fromkeys((".wav", ".mp3", ".ogg", ".flac", ".m4a"), "audio"),
    **dict.fromkeys((".mp4", ".webm", ".mov", ".mkv"), "video"),
}
OUTPUT_NAME = "output.log"  # of the artifact with what a run printed
POSITION = re.compile(r"[0-9]{1,9}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SANDBOX = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}


def content(store: Store, run: str, position: str, member: str, drawn: bool = False) -> Response:
    """Send a file to be saved, with headers that keep a browser from running it.

    Raises:
        Refused: it is to be drawn, and too large for that.
    """
    file, name = _file(store, run, position, member)
    why = _undrawable(file, name) if drawn else None
    if why is not None:
        file.close()
        raise Refused(why)
    shown = PICTURE_SUFFIXES | PLAYED_SUFFIXES.keys()
    kind = mimetypes.guess_type(name)[0] if Path(name).suffix.lower() in shown else None
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(Path(name).name)}", **SANDBOX}
    return _OpenFile(file, media_type=kind or "application/octet-stream", headers=headers)


class _Most(NamedTuple):
    """Limits of what is read of a file, and sent of a table in it."""

    bytes: int
    rows: int
    columns: int | None


SEEN = _Most(MAX_TEXT_BYTES, 200, 100)
KEPT = _Most(16 << 20, 2_000_000, None)  # of a table that is kept as a file; `log_table` takes no larger one


def preview(store: Store, run: str, position: str, member: str, whole: bool = False) -> dict[str, Any]:
    """Return a file as picture, table, matrix, JSON or text, by its suffix and content."""
    file, name = _file(store, run, position, member)
    with file:
        return _preview(file, name, KEPT if whole else SEEN)


def _preview(file: BufferedReader, name: str, most: _Most) -> dict[str, Any]:
    size = os.fstat(file.fileno()).st_size
    head = {"name": name, "size": size, "cut": size > most.bytes}
    suffix = Path(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        why = _undrawable(file, name)
        return head | ({"kind": "picture", "cut": False} if why is None else {"kind": "none", "why": why})
    if suffix in PLAYED_SUFFIXES:
        return head | {"kind": PLAYED_SUFFIXES[suffix], "cut": False}
    data = file.read(most.bytes)
    if b"\0" in data:
        return head | {"kind": "none", "why": "it is no text"}
    text = data.decode("utf-8", "replace")
    if suffix in (".csv", ".tsv"):
        return head | _table(text, "\t" if suffix == ".tsv" else ",", most, whole=not head["cut"])
    if suffix == ".json" and not head["cut"]:
        return head | _json(text, most)
    return head | {"kind": "text", "text": text}


def _undrawable(file: BufferedReader, name: str) -> str | None:
    """Return why no browser should draw a picture, as whoever made a log may have put any into it; None if one may."""
    if Path(name).suffix.lower() not in PICTURE_SUFFIXES:
        return None
    if os.fstat(file.fileno()).st_size > MAX_PICTURE_BYTES:
        return "too large"
    try:
        check_dimensions(*dimensions_of(file))
    except ValueError as error:
        return str(error)
    return None


def output(store: Store, run: str, begin: int) -> dict[str, Any]:
    """Return the output of a run from a byte on; a negative one counts from the end."""
    found = store.run(run)
    item = next((item for item in reversed(found.artifacts) if item.name == OUTPUT_NAME), None)
    path = None if item is None else source_of(found, item)
    if path is None:
        return {"text": "", "begin": 0, "end": 0, "size": 0, "live": found.status == "running", "kept": False}
    try:
        file = open_binary(path, store.root)
    except OSError:  # as of a file of another user's, or one that was unpacked without a right to read it
        return {"text": "", "begin": 0, "end": 0, "size": 0, "live": found.status == "running", "kept": False}
    with file:
        size = os.fstat(file.fileno()).st_size
        first = max(0, size + begin) if begin < 0 else min(begin, size)
        file.seek(first)
        data = file.read(MAX_OUTPUT_BYTES)
    live = found.status == "running"
    end = first + len(data)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=end == size and not live)
    end -= len(decoder.getstate()[0])  # of a character that is incomplete so far
    return {"text": text, "begin": first, "end": end, "size": size, "live": live, "kept": True}


def source_of(run: RecordedRun, artifact: Artifact) -> Path | None:
    """Return the path of a file's content: a blob of the store, or the output beside the log of a run.

    Other recorded paths are never followed, as a store may come from somebody else. None if there is no content.
    """
    if artifact.is_folder:
        return artifact.blobs.root if artifact.stored else None
    if artifact.sha256 is not None:
        return _kept(artifact, artifact.sha256)
    path = Path(artifact.path or "")
    beside = (
        path.parent == run.store.folder.day(run.id) and path.name.startswith(f"{run.id}.") and path.suffix == ".out"
    )
    return path if beside and is_regular(path) else None


def has_content(run: RecordedRun, artifact: Artifact) -> bool:
    """Return True if `source_of` finds the content; sooner, as it is asked of every file of a run."""
    if artifact.is_folder:
        return artifact.is_kept
    if artifact.sha256 is None:
        return source_of(run, artifact) is not None
    return SHA256.fullmatch(artifact.sha256) is not None and artifact.blobs.holds(artifact.sha256)


class _OpenFile(FileResponse):
    """Sends an open file, which no other can take the place of meanwhile, and closes it in any case."""

    def __init__(self, file: BufferedReader, **options: Any) -> None:
        super().__init__(f"/dev/fd/{file.fileno()}", stat_result=os.fstat(file.fileno()), **options)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)


def _file(store: Store, run: str, position: str, member: str) -> tuple[BufferedReader, str]:
    """Return an artifact, or a file in an artifact that is a folder, opened, and its name.

    Raises:
        ArtifactNotFound: its content is not in the store, or is another one than was recorded.
    """
    recorded = store.run(run)
    artifacts = recorded.artifacts
    if not POSITION.fullmatch(position) or int(position) >= len(artifacts):
        raise ArtifactNotFound(f"run {run!r} has no artifact number {position}")
    artifact = artifacts[int(position)]
    path, name, sha256 = source_of(recorded, artifact), artifact.name, artifact.sha256
    if artifact.is_folder:
        found = next((item for item in artifact.members if item.path == member), None)
        if found is None:
            raise ArtifactNotFound(f"{artifact.name!r} is a folder and has no file {member!r}")
        path, name, sha256 = _kept(artifact, found.sha256), found.path, found.sha256
    if path is None:
        raise ArtifactNotFound(f"the content of {name!r} is not in the store: `runlore restore` may still find it")
    try:
        file = open_binary(path, store.root)
    except OSError as error:
        raise ArtifactNotFound(f"the content of {name!r} can't be read: {error}") from None
    try:
        check_dense(file, name, sha256 or "not hashed")
        if sha256 is not None and not _Checked.of(file, sha256):
            raise ArtifactNotFound(f"the content of {name!r} ({sha256}) is damaged on the disk")
    except ArtifactNotFound:
        file.close()
        raise
    return file, name


class _Checked(Part):
    """The files whose content was found to be the recorded one: a large one is not hashed for each part of it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    @classmethod
    def of(cls, file: BufferedReader, sha256: str) -> bool:
        """Return True if an open file has this hash; it is read from its beginning afterwards."""
        state = state_of(os.fstat(file.fileno()))
        known = process.part(cls)._known
        if known.get(state) != sha256:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return False
            file.seek(0)
            if len(known) >= MAX_CHECKED:
                known.clear()
            known[state] = sha256
        return True


def _kept(artifact: Artifact, sha256: str) -> Path | None:
    """Return the path of a blob; None if the store lacks it."""
    if not SHA256.fullmatch(sha256):
        return None
    path = artifact.blobs.path(sha256)
    return path if is_regular(path) else None


def _json(text: str, most: _Most) -> dict[str, Any]:
    try:
        return _document(json.loads(text), most)
    except (ValueError, RecursionError):  # it takes more levels to write than to read
        return {"kind": "text", "text": text}


def _document(found: Any, most: _Most) -> dict[str, Any]:
    names = found if isinstance(found, dict) else {}
    special = _histogram(names) or _curve(names) or _rows(names, most)
    if special is not None:
        return special
    matrix = found if isinstance(found, list) else next(
        (names[key] for key in ("matrix", "confusion_matrix", "data", "values") if key in names), None
    )  # fmt: skip
    if _is_matrix(matrix):
        labels = next((names[key] for key in ("labels", "classes") if isinstance(names.get(key), list)), None)
        return {"kind": "matrix", "rows": matrix, "labels": labels and [_cell(label) for label in labels]}
    return {"kind": "json", "text": _indented(found)}


def _indented(found: Any) -> str:
    """Return a document with indents; without them where they would make it much longer than a text may be."""
    parts: list[str] = []
    left = MAX_INDENTED
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(found):
        parts.append(part)
        left -= len(part)
        if left < 0:
            return json.dumps(found, ensure_ascii=False)
    return "".join(parts)


def _cell(value: Any) -> Any:
    """Return a value as it stands in a table: what holds others, to any depth, as its text."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _histogram(names: dict[str, Any]) -> dict[str, Any] | None:
    edges, counts = names.get("edges"), names.get("counts")
    if not _are_numbers(edges) or not _are_numbers(counts) or len(edges) != len(counts) + 1 or len(counts) > MAX_BINS:
        return None
    return {"kind": "histogram", "edges": edges, "counts": counts}


def _curve(names: dict[str, Any]) -> dict[str, Any] | None:
    """Return curves of classifiers, each with its area, or "lines" of any kind with what their axes are."""
    curve, classes = names.get("curve"), names.get("classes")
    if curve not in ("roc", "pr", "lines") or not isinstance(classes, list) or len(classes) > MAX_MATRIX_ROWS:
        return None
    for item in classes:
        known = isinstance(item, dict) and _are_numbers(item.get("x")) and _are_numbers(item.get("y"))
        if not known or len(item["x"]) != len(item["y"]) or not (curve == "lines" or _are_numbers([item.get("area")])):
            return None
    found = [
        {"name": str(item.get("name")), "x": item["x"], "y": item["y"], "area": item.get("area")} for item in classes
    ]
    axes = {axis: str(names.get(axis))[:MAX_TITLE] for axis in ("x", "y") if curve == "lines"}
    return {"kind": "curve", "curve": curve, "classes": found, **axes}


def _rows(names: dict[str, Any], most: _Most) -> dict[str, Any] | None:
    """Return the table of a document with `columns` and `rows`, as `log_table` makes it."""
    columns, rows = names.get("columns"), names.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return None
    shown = [[_cell(cell) for cell in row[: most.columns]] for row in rows[: most.rows]]
    head = [_cell(column) for column in columns[: most.columns]]
    return {"kind": "table", "head": head, "rows": shown, "count": len(rows), "cut": False}


def _are_numbers(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _table(text: str, separator: str, most: _Most, *, whole: bool) -> dict[str, Any]:
    try:
        reader = (row for row in csv.reader(io.StringIO(text), delimiter=separator) if row)
        rows = list(islice(reader, most.rows + 1))  # each takes more room than it has text
        count = len(rows) + sum(1 for _ in reader) - (not whole)  # the last one may be cut
    except csv.Error:
        return {"kind": "text", "text": text}
    del rows[max(0, count) :]
    if not rows:
        return {"kind": "text", "text": text}
    matrix = _matrix(rows)
    if matrix is not None:
        return matrix
    head, *body = rows if most.columns is None else (row[: most.columns] for row in rows)
    return {"kind": "table", "head": head, "rows": body, "count": count - 1, "cut": not whole}


def _matrix(rows: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """Return a table as a matrix if its first row and its first column have the same labels; else None."""
    (_, *labels), *body = rows
    if not body or [row[0] for row in body] != labels:
        return None
    try:
        numbers = [[float(cell) for cell in row[1:]] for row in body]
    except ValueError:
        return None
    return {"kind": "matrix", "rows": numbers, "labels": labels} if _is_matrix(numbers) else None


def _is_matrix(found: Any) -> bool:
    """Return True for the rows of a square matrix of numbers."""
    if not isinstance(found, list) or not 2 <= len(found) <= MAX_MATRIX_ROWS:
        return False
    return all(
        isinstance(row, list)
        and len(row) == len(found)
        and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in row)
        for row in found
    )


MEMBER = Parameter("member", "text", "a file of a folder", "")
ENDPOINTS = [
    Endpoint(
        "/api/runs/{run}/artifacts/{position}/content", "The content of a file, to be saved", content,
        [MEMBER, Parameter("drawn", "flag", "refuse a picture that is too large to be drawn", False)],
    ),
    Endpoint(
        "/api/runs/{run}/artifacts/{position}/look", "A preview of a file", preview,
        [MEMBER, Parameter("whole", "flag", "all rows of a table, up to 2,000,000 of 16 MiB", False)],
    ),
    Endpoint(
        "/api/runs/{run}/output", "The output of a run", output,
        [Parameter("begin", "whole", "the first byte; a negative one counts from the end", 0, least=-(1 << 40))],
    ),
]  # fmt: skip
