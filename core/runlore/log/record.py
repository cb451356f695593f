"""A run's record: what the files of all its writers come to."""

import re
from dataclasses import dataclass, field
from typing import Any

from runlore._ids import id_time
from runlore.log import sigterm
from runlore.log.folder import Folder, WriterFile
from runlore.log.liveness import Life, life_of
from runlore.log.points import Tally
from runlore.log.reader import FOREIGN, Content, Event, Replay, read_log, read_sealed
from runlore.log.superseding import merge_tallies
from runlore.log.values import Plain

COMPLETED = ("size", "mtime_ns", "sha256", "stored", "files", "why", "pending", "keep")  # what may be told later
WEIGHTS = ("fingerprints", "shapes", "tensors")  # kinds of hashes of a content
LINK = ("kind", "run", "step", "sha256")  # what is known of a link
HASH = re.compile(r"[0-9a-f]{64}")
OWN_MODES = ("start", "resume")  # writers that carry the run's status; "attach" only adds to it


def _is_real(value: Any) -> bool:
    return value is None or type(value) in (int, float)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run from one beginning to its end, in µs since 1970; one that was resumed has several.

    `cut` is the step that it was resumed at. `status` is what it ended as, "running" for one that has not.
    """

    started: int
    ended: int | None
    status: str
    cut: int | None
    argv: tuple[str, ...]
    error: str | None  # its type and message


COMMAND = ("argv", "cwd", "host", "pid", "program", "script", "began_in")  # what is told of how a run was started


@dataclass(slots=True)
class Record:
    """Everything of a run but its points and the contents of its artifacts. Times are µs since 1970."""

    id: str
    name: str = ""
    experiment: str = ""
    parent: str | None = None
    status: str = "running"
    started: int = 0
    ended: int | None = None
    params: dict[str, Plain] = field(default_factory=dict)
    summary: dict[str, Plain] = field(default_factory=dict)  # numbers of the run as a whole
    tags: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # hashes of model files, by sha256 and kind
    environment: dict[str, dict[str, Any]] = field(default_factory=dict)  # section: {"sha256"} or {"values"}
    command: dict[str, Any] = field(default_factory=dict)
    data: dict[str, dict[str, Plain]] = field(default_factory=dict)  # what was trained on, by name
    error: dict[str, Any] | None = None
    missing: list[dict[str, Any]] = field(default_factory=list)  # what could not be captured, and why
    lost_calls: int = 0  # log calls that found no room on the disk
    damaged_bytes: int = 0
    segments: list[Segment] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    live: bool = False  # whether a writer may still append
    _at: dict[Any, dict[str, Any]] = field(default_factory=dict)  # the newest checkpoint of each path
    _holders: dict[str, dict[str, Any]] = field(default_factory=dict)  # of roles
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)  # artifacts by id

    def apply(self, event: Event) -> None:
        """Take one event; kinds that a newer runlore added are passed over."""
        kind = event["type"]
        if event.get("left_out"):  # a rewriter has failed
            self.missing.append({"what": kind, "why": str(event["left_out"])})
        if kind == "open" and isinstance(event.get("seeds"), dict):
            self.environment.setdefault("seeds", event["seeds"])
        elif kind == "params":
            self.params.update(event["values"])
        elif kind == "summary":
            self.summary.update(event["values"])
        elif kind == "tags":
            for key, value in event["values"].items():
                if value is None:
                    self.tags.pop(key, None)
                else:
                    self.tags[key] = value
        elif kind == "note":
            self.notes.append(event["text"])
        elif kind == "data":
            self.data.setdefault(str(event["name"]), {}).update(event["values"])
        elif kind == "artifact":
            self._take_artifact(event)
        elif kind == "removed":
            self._take_removal(event.get("path"))
        elif kind == "environment":
            self.environment.update({name: item for name, item in event["sections"].items() if str(item["sha256"])})
        elif kind == "link":
            self.links.append({key: event[key] for key in LINK if event.get(key) is not None})
        elif kind == "dropped":
            self._take_dropped({str(sha256) for sha256 in event["sha256"]}, str(event.get("why") or "") or None)
        elif kind == "weights":
            found = {kind: [str(item) for item in event[kind]] for kind in WEIGHTS if kind in event}
            if found and all(HASH.fullmatch(item) for item in sum(found.values(), [str(event["sha256"])])):
                self.weights[event["sha256"]] = found
        elif kind == "missing":
            self.missing.append({"what": event["what"], "why": event["why"]})
        elif kind == "gap":
            self.lost_calls += event["calls"]

    def _take_artifact(self, event: Event) -> None:
        """A new artifact, or what completes a known one: its hash, and whether it is kept."""
        check_artifact(event)
        path = event.get("path")
        if event.get("completes"):
            known = self._known.get(event["id"]) if "id" in event else self._unnamed_at(path, event.get("mtime_ns"))
            if known is not None:
                told = {key: event[key] for key in COMPLETED if key in event}
                hashed_only = bool(known.get("keep")) and not told.keys() & {"stored", "why"}  # it is still to be kept
                known.update({"pending": hashed_only, **told})
            return
        item = {"present": True, **event}
        if event.get("kind") == "checkpoint":  # a path has one content, and a role one checkpoint
            if path in self._at:
                self._at[path]["present"] = False
            for role in event.get("roles") or ():
                holder = self._holders.get(role)
                if holder is not None:
                    holder["roles"] = [other for other in holder["roles"] if other != role]
                self._holders[role] = item
            self._at[path] = item
        if "id" in event:
            self._known[event["id"]] = item
        self.artifacts.append(item)

    def _take_removal(self, path: Any) -> None:
        if path in self._at:
            self._at[path]["present"] = False
            return
        for artifact in self.artifacts:
            if artifact.get("path") == path:
                artifact["present"] = False

    def _take_dropped(self, hashes: set[str], why: str | None) -> None:
        """Contents that the store does not keep for this run any more."""
        for artifact in self.artifacts:
            if artifact.get("sha256") in hashes:
                artifact.update(stored=False, dropped=True, why=why)

    def _unnamed_at(self, path: Any, mtime_ns: Any) -> dict[str, Any] | None:
        """The first artifact there whose hash is not known, or that was written then: for events that name no id."""
        for item in self.artifacts:
            same_time = mtime_ns is not None and item.get("mtime_ns") == mtime_ns
            if item.get("path") == path and "id" not in item and (item.get("pending") or same_time):
                return item
        return None


def check_artifact(event: Event) -> None:
    """Refuse what no writer of ours writes, before it is used as a path or a hash.

    Raises:
        ValueError: something has the wrong type, or a hash is none.
    """
    texts = [event.get(key) for key in ("name", "kind", "path", "sha256", "id", "why", "monitor")]
    hashes = [event.get("sha256")]
    for member in event.get("files") or ():
        path, size, sha256 = member
        texts += [path, sha256]
        hashes.append(sha256)
        if type(size) is not int:
            raise ValueError(f"a file of an artifact has the size {size!r}")
    texts += list(event.get("roles") or ())
    if not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError(f"an artifact names something that is no text: {str(event)[:200]}")
    numbers = [event.get(key) for key in ("size", "step", "mtime_ns")]
    reals = [event.get(key) for key in ("epoch", "value")]
    if not all(number is None or type(number) is int for number in numbers) or not all(map(_is_real, reals)):
        raise ValueError(f"an artifact has a number that is none: {str(event)[:200]}")
    if "completes" not in event and not (isinstance(event.get("name"), str) and isinstance(event.get("kind"), str)):
        raise ValueError(f"an artifact has no name or kind: {str(event)[:200]}")
    if not all(text is None or HASH.fullmatch(text) for text in hashes):
        raise ValueError(f"an artifact has a hash that is none: {str(event)[:200]}")


@dataclass(slots=True)
class Writers:
    """The readable files of a run, in the order of their writers, and what is known of the newest's life."""

    contents: list[Content]
    unreadable: list[str]

    def owners(self) -> list[Content]:
        """Those that carry the status."""
        return [content for content in self.contents if content.opening.get("mode", "start") in OWN_MODES]


def read_writers(files: list[WriterFile], replays: dict[str, Replay] | None = None) -> Writers:
    """Read a run's files; `replays` holds, by file name, how far logs were read before.

    Raises:
        FileNotFoundError: a file was sealed or removed meanwhile; list the folder again.
    """
    contents, unreadable = [], []
    for item in files:
        try:
            if item.sealed:
                contents.append(read_sealed(item.path, item.ordinal))
            else:
                contents.append(_read_live(item, (replays or {}).get(item.path.name)))
        except FileNotFoundError:
            raise
        except FOREIGN as error:
            unreadable.append(f"{item.path.name}: {error or type(error).__name__}")
    return Writers(contents, unreadable)


def _read_live(item: WriterFile, replay: Replay | None) -> Content:
    content = read_log(item.path, item.ordinal, replay)
    content.life = life_of(item.path, content.opening)
    if content.end is None and content.life is not Life.ALIVE:
        again = read_log(item.path, item.ordinal, content.replay)  # what it wrote between our look and its death
        again.life = content.life
        return again
    return content


def read_files(folder: Folder, run_id: str) -> Writers:
    """Read a run's files as they are now; this is quicker than `read_record`, which adds up the points of all."""
    for _ in range(5):
        try:
            return read_writers(folder.files_of(run_id))
        except FileNotFoundError:
            continue  # sealed between the listing and the reading
    return Writers([], ["its files keep changing"])


def read_record(folder: Folder, run_id: str) -> tuple[Record, Writers]:
    """The record of a run, read from its files now."""
    for _ in range(5):
        files = folder.files_of(run_id)
        try:
            writers = read_writers(files)
            return build_record(folder, run_id, writers), writers
        except FileNotFoundError:
            continue  # sealed between the listing and the reading
    return Record(run_id), Writers([], ["its files keep changing"])


def build_record(folder: Folder, run_id: str, writers: Writers) -> Record:
    """What the files come to."""
    record = Record(run_id, status="crashed", started=id_time(run_id))
    events = [event for content in writers.contents for event in content.events]
    for event in events:
        try:
            record.apply(event)
        except FOREIGN as error:
            writers.unreadable.append(f"an event {event['type']!r}: {error or type(error).__name__}")
    owners = writers.owners() or writers.contents
    if owners and owners[0].opening:
        _apply_opening(record, owners[0].opening)
        ends = [_end_of(folder, content, writers.contents) for content in owners]
        _apply_end(record, owners[-1], ends[-1])
        mine = [pair for pair in zip(owners, ends, strict=True) if pair[0].opening.get("mode") != "attach"]
        record.segments = [_segment(content, end) for content, end in mine]
    record.live = any(content.life is not Life.DEAD for content in writers.contents)
    record.damaged_bytes = sum(damage.length for content in writers.contents for damage in content.damage)
    record.damaged_bytes += sum(map(_broken_bytes, writers.contents))
    record.tallies = merge_tallies(writers.contents)
    return record


def closing_of(folder: Folder, content: Content) -> Event | None:
    """The end record to seal a dead writer's log with: one that tells of SIGTERM, or none (it crashed)."""
    mark = sigterm.read_mark(folder.marks, content.opening)
    if mark is None or _last_time(content) > mark[0] + sigterm.SURVIVED_US:
        return None
    time_us, stack = mark
    error = {"type": "SIGTERM", "message": "the process was told to terminate", "traceback": stack}
    return {"type": "end", "time": time_us, "status": "interrupted", "error": error}


def _apply_opening(record: Record, opening: Event) -> None:
    record.name = opening.get("name", "")
    record.experiment = opening.get("experiment", "")
    record.parent = opening.get("parent")
    record.started = opening.get("time", record.started)
    record.status = "running"
    record.command = {key: opening[key] for key in COMMAND if key in opening}


def _added_end(contents: list[Content], owner: Content) -> Event | None:
    """What a process says that started the owner and saw it end, where the owner could not say it itself."""
    if owner.life is Life.ALIVE or not (owner.end is None or (owner.end.get("error") or {}).get("type") == "SIGTERM"):
        return None
    for content in contents:
        if content.ordinal > owner.ordinal:
            if content.opening.get("mode") in ("start", "resume"):
                return None  # what follows is told of a later segment
            if content.end is not None:
                return content.end
    return None


def _end_of(folder: Folder, content: Content, contents: list[Content]) -> Event | None:
    """How a segment ended, as far as anybody has told; None while it runs, and where it crashed."""
    end = _added_end(contents, content) or content.end
    return closing_of(folder, content) if end is None and content.life is not Life.ALIVE else end


def _apply_end(record: Record, content: Content, end: Event | None) -> None:
    if end is not None:
        record.status = str(end.get("status"))
        record.ended = end["time"]
        record.error = end.get("error")
        record.lost_calls += end.get("lost", 0)
    elif content.life is not Life.ALIVE:
        record.status = "crashed"
        record.ended = _last_time(content)


def _segment(content: Content, end: Event | None) -> Segment:
    opening = content.opening
    running = end is None and content.life is Life.ALIVE
    status = "running" if running else "crashed" if end is None else str(end.get("status"))
    ended = None if running else _last_time(content) if end is None else end["time"]
    error = (end or {}).get("error") or {}
    told = ": ".join(filter(None, (error.get("type"), str(error.get("message") or "").partition("\n")[0]))) or None
    argv = tuple(map(str, opening.get("argv") or ()))
    return Segment(opening.get("time", 0), ended, status, opening.get("cut"), argv, told)


def _last_time(content: Content) -> int:
    times = [event.get("time", 0) for event in content.events]
    return max([*times, *(tally.last_time for tally in content.tallies.values())], default=0)


def _broken_bytes(content: Content) -> int:
    """Bytes at the end of a dead writer's log that are damage, and not just a frame that was never completed."""
    replay = content.replay
    return replay.tail if replay is not None and replay.broken and content.life is Life.DEAD else 0


REPRODUCES = "reproduces"  # the tag of a run that does another again, which it names, and the kind of the link
