"""What the page asks of single runs: all about one, its files, why it differs from others, where it comes from."""

import codecs
import csv
import io
import json
import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from runlore.analysis.comparison import ASIDE, GROUPS, compare
from runlore.analysis.ranking import by_use
from runlore.artifacts.artifact import Artifact
from runlore.documents import comparison_document, iso_time, lineage_document, origin_document, plain, run_details
from runlore.errors import ArtifactNotFound
from runlore.provenance.hashing import complete_run
from runlore.provenance.lineage import lineage
from runlore.provenance.origins import Target, which_run
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused, exact

COMPARED = 10  # runs at the most
LOOK = 1 << 20  # bytes of a text that a look inside shows
PICTURE = 20 << 20  # bytes of a picture that is shown
ROWS = 200  # of a table
COLUMNS = 100  # likewise
OUTPUT = 256 << 10  # bytes of output in one answer
CELLS = 40  # rows of a matrix that is shown as a heat map
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".bmp"}
TEXTS = {"output.log"}
SHA256 = re.compile(r"[0-9a-f]{6,64}")
NUMBER = re.compile(r"[0-9]{1,9}")
WHOLE = re.compile(r"[0-9a-f]{64}")
SANDBOX = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
RUNS = Parameter("runs", "texts", "runs by id; the others are compared with the first", required=True, most=COMPARED)


def details(store: Store, run: str) -> dict[str, Any]:
    """Everything about a run, as `runlore show --json`, with what only a page needs."""
    found = complete_run(store.run(run))
    children = found.children
    document = run_details(found)
    for place, (item, artifact) in enumerate(zip(document["artifacts"], found.artifacts, strict=True)):
        item |= {"position": place, "folder": artifact.is_folder, "available": _source(found, artifact) is not None}
        item["members"] = [{"path": member.path, "size": member.size} for member in artifact.members[:ROWS]]
    for link in document["links"]:
        link["name"] = _name_of(store, str(link["run"]))
    return document | {
        "params": {key: exact(value) for key, value in by_use(document["params"]).items()},
        "parent_name": _name_of(store, found.parent_id) if found.parent_id else None,
        "children": [
            {"id": child.id, "name": child.name, "status": child.status, "started": iso_time(child.started),
             "params": {key: plain(value) for key, value in child.params.items()},
             "metrics": {key: plain(series.last) for key, series in child.metrics.items()}}
            for child in children[:ROWS]
        ],
        "children_count": len(children),
        "has_output": any(item.name in TEXTS for item in found.artifacts),
    }  # fmt: skip


def _name_of(store: Store, run_id: str) -> str | None:
    """The name of another run; None where the store lacks it."""
    found = store.runs(f"id == {run_id!r}", limit=1)
    return found[0].name if found else None


# Files


def content(store: Store, run: str, position: str, member: str) -> Response:
    """A file, to be saved: whatever is in it, the browser doesn't run it."""
    path, name = _file(store, run, position, member)
    kind = mimetypes.guess_type(name)[0] if Path(name).suffix.lower() in PICTURES else None
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(Path(name).name)}", **SANDBOX}
    return FileResponse(path, media_type=kind or "application/octet-stream", headers=headers)


def look(store: Store, run: str, position: str, member: str) -> dict[str, Any]:
    """What is in a file: a picture, a table, a matrix, JSON or text, as far as it can be told."""
    path, name = _file(store, run, position, member)
    size = path.stat().st_size
    head = {"name": name, "size": size, "cut": size > LOOK}
    suffix = Path(name).suffix.lower()
    if suffix in PICTURES:
        return head | ({"kind": "picture", "cut": False} if size <= PICTURE else {"kind": "none", "why": "too large"})
    with path.open("rb") as file:
        data = file.read(LOOK)
    if b"\0" in data:
        return head | {"kind": "none", "why": "it is no text"}
    text = data.decode("utf-8", "replace")
    if suffix in (".csv", ".tsv"):
        return head | _table(text, "\t" if suffix == ".tsv" else ",", whole=not head["cut"])
    if suffix == ".json" and not head["cut"]:
        return head | _json(text)
    return head | {"kind": "text", "text": text}


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"kind": "text", "text": text}
    names = found if isinstance(found, dict) else {}
    matrix = found if isinstance(found, list) else next(
        (names[key] for key in ("matrix", "confusion_matrix", "data", "values") if key in names), None
    )  # fmt: skip
    if _is_matrix(matrix):
        labels = next((names[key] for key in ("labels", "classes") if isinstance(names.get(key), list)), None)
        return {"kind": "matrix", "rows": matrix, "labels": labels}
    return {"kind": "json", "text": json.dumps(found, indent=2, ensure_ascii=False)}


def _is_matrix(found: Any) -> bool:
    """Whether these are the rows of a square of numbers."""
    if not isinstance(found, list) or not 2 <= len(found) <= CELLS:
        return False
    return all(
        isinstance(row, list)
        and len(row) == len(found)
        and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in row)
        for row in found
    )


def _table(text: str, separator: str, *, whole: bool) -> dict[str, Any]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error:
        return {"kind": "text", "text": text}
    rows = rows if whole else rows[:-1]  # the last one is cut
    if not rows:
        return {"kind": "text", "text": text}
    square = _square(rows)
    if square is not None:
        return square
    shown = [row[:COLUMNS] for row in rows[: ROWS + 1]]
    return {"kind": "table", "head": shown[0], "rows": shown[1:], "count": len(rows) - 1, "cut": not whole}


def _square(rows: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """A table of classes by classes: the first row and the first column have the same labels."""
    (_, *labels), *body = rows
    if not body or [row[0] for row in body] != labels:
        return None
    try:
        numbers = [[float(cell) for cell in row[1:]] for row in body]
    except ValueError:
        return None
    return {"kind": "matrix", "rows": numbers, "labels": labels} if _is_matrix(numbers) else None


def _file(store: Store, run: str, position: str, member: str) -> tuple[Path, str]:
    """A file of a run: where its content lies, and what it is called."""
    recorded = store.run(run)
    artifacts = recorded.artifacts
    if not NUMBER.fullmatch(position) or int(position) >= len(artifacts):
        raise ArtifactNotFound(f"run {run!r} has no artifact number {position}")
    artifact = artifacts[int(position)]
    path, name = _source(recorded, artifact), artifact.name
    if artifact.is_folder:
        found = next((item for item in artifact.members if item.path == member), None)
        if found is None:
            raise ArtifactNotFound(f"{artifact.name!r} is a folder and has no file {member!r}")
        path, name = _kept(artifact, found.sha256), found.path
    if path is None:
        raise ArtifactNotFound(f"the content of {name!r} is not in the store: `runlore restore` may still find it")
    return path, name


def _source(run: RecordedRun, artifact: Artifact) -> Path | None:
    """Where the content of a file lies: in the store, or beside the log of a run that still prints.

    What a log says of paths is not believed: a store may come from somebody else.
    """
    if artifact.is_folder:
        return artifact.blobs.root if artifact.stored else None
    if artifact.sha256 is not None:
        return _kept(artifact, artifact.sha256)
    path = Path(artifact.path or "")
    beside = (
        path.parent == run.store.folder.day(run.id) and path.name.startswith(f"{run.id}.") and path.suffix == ".out"
    )
    return path if beside and path.is_file() and not path.is_symlink() else None


def _kept(artifact: Artifact, sha256: str) -> Path | None:
    if not WHOLE.fullmatch(sha256):
        return None
    path = artifact.blobs.path(sha256)
    return path if path.is_file() and not path.is_symlink() else None


def output(store: Store, run: str, begin: int) -> dict[str, Any]:
    """What a run printed, from a byte on; a negative one counts from the end."""
    found = store.run(run)
    item = next((item for item in reversed(found.artifacts) if item.name in TEXTS), None)
    path = None if item is None else _source(found, item)
    if path is None:
        return {"text": "", "begin": 0, "end": 0, "size": 0, "live": found.status == "running", "kept": False}
    size = path.stat().st_size
    first = max(0, size + begin) if begin < 0 else min(begin, size)
    with path.open("rb") as file:
        file.seek(first)
        data = file.read(OUTPUT)
    live = found.status == "running"
    end = first + len(data)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=end == size and not live)
    end -= len(decoder.getstate()[0])  # of a character that is not whole yet
    return {"text": text, "begin": first, "end": end, "size": size, "live": live, "kept": True}


# Questions


def comparison(store: Store, runs: list[str]) -> dict[str, Any]:
    """What differs between the first of some runs and each other."""
    found = [store.run(part) for part in dict.fromkeys(runs)]
    if len(found) < 2:
        raise Refused("two runs are needed to compare")
    first, *others = found
    documents = [comparison_document(compare(first, other)) for other in others]
    rows: dict[tuple[str, str], list[Any]] = {}
    telling = {(item["group"], item["key"]) for one in documents for item in one["changes"] if not item.get("aside")}
    for place, document in enumerate(documents, 1):
        for change in document["changes"]:
            line = rows.setdefault((change["group"], change["key"]), [exact(change["a"])] * len(found))
            line[place] = exact(change["b"])
    return {
        "runs": [_short(run) for run in found],
        "rows": [
            {"group": group if (group, key) in telling else ASIDE, "key": key, "values": values}
            for (group, key), values in sorted(
                rows.items(), key=lambda row: GROUPS.index(row[0][0]) if row[0] in telling else len(GROUPS)
            )
        ],
        "pairs": documents,
    }


def _short(run: RecordedRun) -> dict[str, Any]:
    metrics = {
        key: {name: plain(getattr(series, name)) for name in ("last", "min", "max", "count")}
        for key, series in run.metrics.items()
    }
    return {
        "id": run.id, "name": run.name, "status": run.status, "started": iso_time(run.started),
        "duration_s": run.duration, "metrics": metrics,
    }  # fmt: skip


def tree(store: Store, target: str) -> dict[str, Any]:
    """The lineage of a run or of a content; files of the machine are not looked at."""
    if not (SHA256.fullmatch(target) or target.isalnum()):
        raise Refused(f"{target!r} is neither a run's id nor a sha256")
    return lineage_document(lineage(store, Target(target, None) if SHA256.fullmatch(target) else store.run(target)))


def origins(store: Store, sha256: str) -> dict[str, Any]:
    """The runs that wrote or read the content with a hash."""
    if not SHA256.fullmatch(sha256):
        raise Refused(f"{sha256!r} is no sha256: it has 6 to 64 digits of 0-9 and a-f")
    found = which_run(store, Target(sha256, None))
    return {
        "sha256": found.sha256,
        "found": [origin_document(item) for item in found.found],
        "hints": list(found.hints),
    }


POSITION = Parameter("member", "text", "a file of a folder", "")
ENDPOINTS = [
    Endpoint("/api/runs/{run}", "Everything about a run, as `runlore show --json`", details),
    Endpoint("/api/runs/{run}/artifacts/{position}/content", "A file, to be saved", content, [POSITION]),
    Endpoint("/api/runs/{run}/artifacts/{position}/look", "What is in a file", look, [POSITION]),
    Endpoint(
        "/api/runs/{run}/output", "What a run printed", output,
        [Parameter("begin", "whole", "from which byte on; a negative one counts from the end", 0, least=-(1 << 40))],
    ),
    Endpoint("/api/compare", "What differs between runs, as `runlore diff`", comparison, [RUNS]),
    Endpoint(
        "/api/lineage", "Where a run or a content comes from, and what came of it", tree,
        [Parameter("target", "text", "a run's id, or a sha256", required=True)],
    ),
    Endpoint(
        "/api/which-run", "The runs that wrote or read a content", origins,
        [Parameter("sha256", "text", "of a file: 6 to 64 digits", required=True)],
    ),
]  # fmt: skip
