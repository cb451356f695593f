"""The record of a run: the events of all its log files, merged."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

from runlore._frozen import fresh, late
from runlore._ids import id_time
from runlore._inside import OddFile
from runlore.log import marks
from runlore.log.events import NEEDED, WEIGHTS, Event
from runlore.log.folder import Folder, WriterFile
from runlore.log.frames import fault_text
from runlore.log.liveness import Life, identity_of, life_of, was_restarted
from runlore.log.points import Tally
from runlore.log.reader import Content, read_log, read_sealed
from runlore.log.replay import Replay
from runlore.log.superseding import Artifacts, Notes
from runlore.log.values import Plain

# Kinds of links, to which integrations add others ("evaluates")
RESUMED_FROM = "resumed_from"  # it goes on from weights of the other run
STARTED_FROM = "started_from"  # it begins with weights of the other run
REFIT_OF = "refit_of"  # a search fitted its best estimator again
REPRODUCES = "reproduces"  # it does the other run again; also the name of the tag that holds the other run's name

UNREADABLE = "unreadable"  # the status of a run whose files can't be read here; they may be another user's
DAMAGED = "damaged"  # the status of a run of whose beginning nothing can be read: it may be arriving
OWN_MODES = ("start", "resume")  # of writers that carry the run's status; an "attach" only adds to it

_COMMAND_FIELDS = ("argv", "cwd", "host", "pid", "program", "script", "began_in")  # of an opening
_LINK_FIELDS = ("kind", "run", "step", "sha256")
MAX_SECTIONS = 1_000  # of the environment
NO_ROOM = "no room on the disk"  # why calls were lost, where an earlier runlore has not told it
MAX_PLACES = 3  # of damage that are named
_TRIES = 5  # to read files that are sealed between the listing and the reading


class Segment(NamedTuple):
    """A run from one beginning to its end, in µs since 1970; a resumed run has several.

    `cut` is the step that it was resumed at, `status` how it ended ("running": not yet), `error` type and message. Read
    from a store, it has the `params` that it trained with, and `from_step`, the step that it goes on from.
    """

    started: int
    ended: int | None
    status: str
    cut: int | None
    argv: tuple[str, ...]
    error: str | None
    ran: int | None = None  # µs that it ran, without the sleep of its machine, where it told its end
    params: Mapping[str, Any] = {}  # which nobody changes
    from_step: int | None = None


@late
class Record:
    """Everything of a run but its points and the contents of its artifacts. Times are µs since 1970."""

    id: str
    name: str = ""
    experiment: str = ""
    parent: str | None = None
    status: str = "running"
    started: int = 0
    ended: int | None = None
    ran: int | None = None  # µs of all segments together, None while it runs
    params: dict[str, Plain] = fresh(factory=dict)
    captured: set[str] = fresh(factory=set)  # keys of params that nobody passed
    summary: dict[str, Plain] = fresh(factory=dict)  # numbers of the run as a whole
    tags: dict[str, str] = fresh(factory=dict)
    links: list[dict[str, Any]] = fresh(factory=list)
    weights: dict[str, dict[str, list[str]]] = fresh(factory=dict)  # hashes of model files, by sha256 and kind
    environment: dict[str, dict[str, Any]] = fresh(factory=dict)  # section: {"sha256"} or {"values"}
    command: dict[str, Any] = fresh(factory=dict)
    data: dict[str, dict[str, Plain]] = fresh(factory=dict)  # facts of datasets, by name
    error: dict[str, Any] | None = None
    losses: dict[tuple[str, str], None] = fresh(factory=dict)  # what could not be captured, and why; each once
    lost: dict[str, int] = fresh(factory=dict)  # log calls that could not be written, by the reason
    damaged_bytes: int = 0
    segments: list[Segment] = fresh(factory=list)
    live: bool = False  # True while a writer may append
    silent: bool = False  # True where that was not heard of for a while, nor any other
    _notes: Notes = fresh(factory=Notes)
    _found: set[str] = fresh(factory=set)  # what was missing and came later
    _edits: dict[str, str] = fresh(factory=dict)  # what people made of the opening's fields
    _artifacts: Artifacts = fresh(factory=Artifacts)

    def apply(self, event: Event) -> None:
        """Take one event that `check_event` took; kinds that a newer runlore added are passed over."""
        kind = event["type"]
        if event.get("left_out"):  # a rewriter has failed
            self.losses[kind, str(event["left_out"])] = None
            if any(event.get(name) is None for name in NEEDED.get(kind, ())):
                return
        match kind:
            case "open":
                if event.get("seeds") is not None:
                    self.environment.setdefault("seeds", event["seeds"])
            case "params":
                self._take_params(event["values"], captured=event.get("captured") is True)
            case "summary":
                self.summary.update(event["values"])
            case "tags":
                self._take_tags(event["values"])
            case "edited":
                self._edits.update({key: event[key] for key in ("name", "experiment") if event.get(key)})
            case "note" | "corrected":
                self._notes.take(event)
            case "data":
                self.data.setdefault(event["name"], {}).update(event["values"])
            case "artifact":
                self._artifacts.take(event)
            case "removed":
                self._artifacts.remove(event["path"])
            case "environment":
                self._take_sections(event["sections"])
            case "link":
                self.links.append({key: event[key] for key in _LINK_FIELDS if event.get(key) is not None})
            case "dropped":
                self._artifacts.drop(event["sha256"], event.get("why") or None)
            case "weights":
                self._take_weights(event)
            case "missing":
                self.losses[event["what"], event["why"]] = None
            case "found":
                self._found.add(event["what"])
            case "gap":
                self.take_lost(event, event["calls"])

    def open_with(self, opening: Event) -> None:
        """Take the fields of the run's opening, but for those that people have changed since."""
        self.name = self._edits.get("name") or _text_of(opening, "name") or ""
        self.experiment = self._edits.get("experiment") or _text_of(opening, "experiment") or ""
        self.parent = _text_of(opening, "parent")
        self.started = opening["time"]
        self.status = "running"
        self.command = {key: opening[key] for key in _COMMAND_FIELDS if key in opening}

    @property
    def notes(self) -> list[Event]:
        """The notes as they are by all events so far; one that was corrected has the event that did it as `edited`."""
        return self._notes.now()

    def has_note(self, time: int) -> bool:
        """Return True if there is a note of that time, also one that was removed."""
        return time in self._notes

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """The files and folders as they are by all events so far, in the order they were recorded."""
        return self._artifacts.items

    @property
    def is_damaged(self) -> bool:
        """True if bytes of its files can't be read, or nothing tells what it is: they may still be arriving."""
        return self.damaged_bytes > 0 or not (self.segments or self.name)

    def missing(self, writers: "Writers") -> list[dict[str, Any]]:
        """Return what could not be captured or read, and why: `{"what", "why"}`; `writers` are the run's."""
        found = [{"what": what, "why": why} for what, why in self.losses if what not in self._found]
        is_told = any(what == "environment" for what, _ in self.losses) or not set(self.environment) <= {"seeds"}
        if not self.live and self.segments and self.parent is None and not is_told:
            found.append({"what": "environment", "why": "the process ended before it was known"})
        found += [{"what": f"{calls} log calls", "why": why} for why, calls in self.lost.items()]
        if self.damaged_bytes:
            places = writers.damages()
            more = f" and {len(places) - MAX_PLACES} more places" if len(places) > MAX_PLACES else ""
            why = "damaged or still arriving" + (f" ({'; '.join(places[:MAX_PLACES])}{more})" if places else "")
            found.append({"what": f"{self.damaged_bytes} bytes of its files", "why": why})
        blocks = sum(len(content.damaged_blocks) for content in writers.contents)
        if blocks:
            found.append({"what": f"{blocks} blocks of points", "why": "damaged, or more than a reader takes"})
        return found + [{"what": "a file", "why": reason} for reason in writers.unreadable]

    def take_lost(self, event: Event, calls: int) -> None:
        """Count log calls that could not be written."""
        if calls:
            why = event.get("why") or NO_ROOM
            self.lost[why] = self.lost.get(why, 0) + calls

    def _take_sections(self, sections: dict[str, dict[str, Any]]) -> None:
        for name, item in sections.items():
            if name in self.environment or len(self.environment) < MAX_SECTIONS:
                self.environment[name] = item
            else:
                self.losses["sections of the environment", f"a run has at most {MAX_SECTIONS:,}"] = None

    def _take_params(self, values: Mapping[str, Plain], *, captured: bool) -> None:
        """Take params; one that was passed once stays so, whatever is captured under its key later."""
        if captured:
            self.captured.update(key for key in values if key not in self.params)
        else:
            self.captured.difference_update(values)
        self.params.update(values)

    def _take_tags(self, values: Mapping[str, str | None]) -> None:
        for key, value in values.items():
            if value is None:
                self.tags.pop(key, None)
            else:
                self.tags[key] = value

    def _take_weights(self, event: Event) -> None:
        hashes = {kind: event[kind] for kind in WEIGHTS if kind in event}
        if hashes:
            self.weights[event["sha256"]] = hashes


@late
class Writers:
    """The files of a run that can be read, in the order of their writers, and why others can't.

    `closed` tells whether one can't be opened, which may be otherwise for another user.
    """

    contents: list[Content]
    unreadable: list[str]
    closed: bool = False

    def damages(self) -> list[str]:
        """Return which files are damaged, where, and what is wrong, as far as that is known."""
        return [place for content in self.contents for place in content.damages()]

    def owners(self) -> list[Content]:
        """Return the files that carry the run's status."""
        return [content for content in self.contents if _is_own(content)]

    def tallies(self) -> dict[str, Tally]:
        """Return the tallies of the run's series; where points may supersede others, these are read.

        Raises:
            FileNotFoundError: a file was removed meanwhile.
        """
        if len(self.contents) == 1 and all(tally.exact for tally in self.contents[0].tallies.values()):
            return {key: tally for key, tally in self.contents[0].tallies.items() if tally.count}
        from runlore.log.long.merged import merge_tallies  # which most runs don't need

        return merge_tallies(self.contents)

    def last_steps(self) -> dict[str, int]:
        """Return the highest step of each series."""
        try:
            return {key: tally.last_step for key, tally in self.tallies().items()}
        except FileNotFoundError:  # the run was removed: no step is left to go on from
            return {}


def _is_own(content: Content) -> bool:
    """Return True for a file that begins or continues its run; one of a run that this one includes does not."""
    opening = content.opening
    run_id = content.path.name.partition(".")[0]
    return opening.get("mode", "start") in OWN_MODES and opening.get("run", run_id) == run_id


def read_writers(
    files: list[WriterFile], replays: dict[str, Replay] | None = None, above: int | None = None
) -> Writers:
    """Read a run's files; `replays` holds, by file name, how far logs were read before.

    For `above`, the folder of them, see `open_binary`.

    Raises:
        FileNotFoundError: a file was sealed or removed meanwhile; list the folder again.
    """
    contents: list[Content] = []
    unreadable: list[str] = []
    closed = False
    for item in files:
        try:
            if item.sealed:
                contents.append(read_sealed(item.path, item.ordinal, above))
            else:
                contents.append(_read_live(item, (replays or {}).get(item.path.name)))
        except FileNotFoundError:
            raise
        except Exception as error:  # of a file that somebody else has written: it costs no other
            unreadable.append(f"{item.path.name}: {fault_text(error)}")
            closed = closed or (isinstance(error, OSError) and not isinstance(error, OddFile))
    return Writers(contents, unreadable, closed)


def read_files(folder: Folder, run_id: str, known: dict[str, Replay] | None = None) -> Writers:
    """Read a run's files as they are now, but for logs of which `known` tells everything, by file name."""
    for _ in range(_TRIES):
        try:
            return read_writers(folder.files_of(run_id), known)
        except FileNotFoundError:
            continue  # one was sealed between the listing and the reading
        except OSError as error:
            return Writers([], [f"its folder: {error.strerror or error}"], closed=True)
    return Writers([], ["its files keep changing"])


def read_record(folder: Folder, run_id: str) -> tuple[Record, Writers]:
    """Read a run's files as they are now, and merge them into its record."""
    writers = read_files(folder, run_id)
    return build_record(folder, run_id, writers), writers


def build_record(folder: Folder, run_id: str, writers: Writers) -> Record:
    """Merge the events of a run's files."""
    record = Record(run_id, status="crashed", started=id_time(run_id))
    for content in writers.contents:
        for event in content.events:
            record.apply(event)
    if writers.closed and not writers.contents:
        record.status = UNREADABLE
    owners = writers.owners()
    tellers = owners or writers.contents
    if tellers and tellers[0].opening:
        record.open_with(tellers[0].opening)
        appended = _Appended(writers.contents)
        ends = [_end_of(folder, content, appended) for content in tellers]
        _apply_end(record, tellers[-1], ends[-1])
        record.segments = [_segment(content, end) for content, end in zip(owners, ends[: len(owners)], strict=True)]
    if record.status != UNREADABLE and not any(content.opening for content in owners):
        record.status = DAMAGED
    if record.ended is not None:
        record.ran = sum(map(_time_of, record.segments)) if record.segments else max(0, record.ended - record.started)
    lives = {content.life for content in writers.contents}
    record.live, record.silent = not lives <= {Life.DEAD}, Life.SILENT in lives and Life.ALIVE not in lives
    record.damaged_bytes = sum(content.damaged_bytes for content in writers.contents)
    return record


def closing_of(folder: Folder, content: Content) -> Event | None:
    """Return the end record to seal a dead writer's log with: of a signal, or None where the writer crashed."""
    return marks.end_by_mark(folder.marks, content.opening, content.last_time)


def _read_live(item: WriterFile, replay: Replay | None) -> Content:
    content = read_log(item.path, item.ordinal, replay)
    content.life = life_of(item.path, identity_of(content.events))
    if content.end is None and content.life is not Life.ALIVE:
        again = read_log(item.path, item.ordinal, content.replay)  # with what was written before it died
        again.life = content.life
        return again
    return content


def _text_of(event: Event, key: str) -> str | None:
    value = event.get(key)
    return value if isinstance(value, str) else None


def _end_of(folder: Folder, content: Content, appended: "_Appended") -> Event | None:
    """Return the end of a segment as anybody has told it; None while it runs, and where it crashed."""
    end = appended.end_of(content) or appended.explained(content.end)
    return closing_of(folder, content) if end is None and content.life is not Life.ALIVE else end


class _Appended:
    """The ends that launchers appended for their children."""

    def __init__(self, contents: list[Content]) -> None:
        self._ordinals = [content.ordinal for content in contents]
        self._ends: list[Event | None] = [None]  # that the files from a place on tell for one before them, last first
        told = [content for content in contents if content.end and content.end.get("error")]
        told.sort(key=lambda content: content.opening.get("mode") not in OWN_MODES)  # those of a training come first
        self._errors = [content.end["error"] for content in told if content.end]
        for content in reversed(contents):
            own = content.opening.get("mode") in OWN_MODES  # later files belong to a later segment
            self._ends.append(None if own else content.end or self._ends[-1])

    def end_of(self, owner: Content) -> Event | None:
        """Return what was appended where a writer told no end, or only of a signal; None without."""
        told = owner.end
        if owner.life is Life.ALIVE or (
            told is not None and (told.get("error") or {}).get("type") not in marks.MEANINGS
        ):
            return None
        return self._ends[len(self._ordinals) - bisect_right(self._ordinals, owner.ordinal)]

    def explained(self, end: Event | None) -> Event | None:
        """Return an end with the error that another process has told, where its writer only saw that there was one."""
        if end is None or end["status"] == "finished" or end.get("error") or not self._errors:
            return end
        return {**end, "error": self._errors[-1]}


def _apply_end(record: Record, content: Content, end: Event | None) -> None:
    if end is not None:
        record.status = end["status"]
        record.ended = end["time"]
        record.error = end.get("error")
        record.take_lost(end, end.get("lost") or 0)
    elif content.life is not Life.ALIVE:
        record.status = _status_without_end(content)
        record.ended = content.last_time


def _status_without_end(content: Content) -> str:
    """Return the status of a writer that does not write any more: it died, or nobody can know from here."""
    is_known = content.life is Life.DEAD or was_restarted(content.opening)
    return "crashed" if is_known else "silent"


def _segment(content: Content, end: Event | None) -> Segment:
    opening = content.opening
    running = end is None and content.life is Life.ALIVE
    status = "running" if running else _status_without_end(content) if end is None else end["status"]
    ended = None if running else content.last_time if end is None else end["time"]
    error = (end or {}).get("error") or {}
    told = ": ".join(filter(None, (error.get("type"), str(error.get("message") or "").partition("\n")[0]))) or None
    argv = opening.get("argv")
    arguments = tuple(map(str, argv)) if isinstance(argv, list) else ()
    return Segment(opening.get("time", 0), ended, status, opening.get("cut"), arguments, told, (end or {}).get("ran"))


def _time_of(segment: Segment) -> int:
    ended = segment.started if segment.ended is None else segment.ended
    return max(0, ended - segment.started if segment.ran is None else segment.ran)
