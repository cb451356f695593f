"""The hooks that a plugin may implement. docs/plugins.md explains each with an example."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("runlore")
hookimpl = pluggy.HookimplMarker("runlore")

UNSEEDED = "unseeded"  # the state of a generator that nobody seeded, and from which nothing was drawn yet
SYSTEM_PREFIX = "system/"  # begins the keys of measurements of the machine


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run that an observer is told of. `store` is the folder of its store, `started` seconds since 1970."""

    id: str
    name: str
    experiment: str
    parent: str | None
    store: Path
    started: float


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of the log: params, tags, artifact, … (docs/format.md lists them). `time` is seconds since 1970."""

    type: str
    time: float
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoggedPoints:
    """New points of one metric, in the order of the calls; the sequences have equal length.

    `epochs` holds None where none was given; `times` are seconds since 1970. A (key, step) may come again: the later
    point counts.
    """

    key: str
    split: str | None
    steps: Sequence[int]
    epochs: Sequence[float | None]
    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What a provider may want to know: where the process works, and how long it may take."""

    cwd: Path
    argv: tuple[str, ...]
    timeout: float  # seconds that one provider should stay below
    since: float = math.inf  # when the run began, in seconds since 1970: what was written later is no part of what ran


@dataclass(frozen=True, slots=True)
class CapturedFile:
    """A file that is kept because a run needs it: a patch, a source file, output, a fitted model.

    Files with the same `folder` become one artifact of that name. `kind` is "code", "log" or "model". A rewriter that
    changes the content says where in `masked` ("train.py line 12"); one that forbids keeping it says why in `withheld`.
    """

    name: str
    content: bytes
    kind: str
    folder: str | None = None
    masked: tuple[str, ...] = ()
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class DataDescription:
    """What a dataset looks like, its values left out.

    `kind` names the library and type ("numpy.ndarray"). `dtypes` is one name, or one for each column. `missing` counts
    values that are NaN or null; None: not counted. `fingerprint` is a hash of the content, in hex; `sampled` says that
    only a part of it was hashed, because it is larger than a gigabyte.
    """

    kind: str
    shape: tuple[int, ...]
    dtypes: str | Sequence[str]
    columns: Sequence[str] | None = None
    missing: int | None = None
    size_bytes: int | None = None
    fingerprint: str | None = None
    sampled: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a model file. `sha256` is that of its values in C order, little-endian.

    `dtype` is what most libraries call the type: "float32", "bfloat16", "int64", "bool".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Integration:
    """A framework that autolog can record.

    `module` is the module whose import makes `enable` worth calling; None: it is called at once, and imports nothing.
    `enable` and `disable` take no arguments, may be called in any order and any number of times, and import the
    framework only when called. `packages` are those of which one has to be installed, if `module` does not tell.
    """

    name: str
    module: str | None
    enable: Callable[[], None]
    disable: Callable[[], None]
    packages: tuple[str, ...] = ()


# Observers: told by a thread that follows the run's log, and that exists only where somebody observes. What they raise
# is reported once per plugin and run, counted, and told in the run; they go on being called.


@hookspec
def runlore_run_started(run: RunInfo) -> None:
    """A run was started, or a new segment of it. Called once, before any other observer's hook for this run."""


@hookspec
def runlore_events_logged(run: RunInfo, events: Sequence[LoggedEvent]) -> None:
    """Events were logged: params, tags, notes, artifacts, the environment, … Called with what came within a second."""


@hookspec
def runlore_points_logged(run: RunInfo, points: Sequence[LoggedPoints]) -> None:
    """Metrics were logged. Called with what came within a second, one item per metric and batch."""


@hookspec
def runlore_run_finished(run: RunInfo, status: str, error: Mapping[str, Any] | None) -> None:
    """The run ended: finished, failed or interrupted; `error` has type, message and traceback. Not after a kill."""


# Rewriters: called on the thread that logs, before anything reaches the disk, so they have to be fast. They form a
# chain: each gets what the one before returned, `trylast` ones come last. One that raises costs the content: what it
# should have rewritten is left out, and the run says so.


@hookspec
def runlore_rewrite_event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event to write instead, or None to leave it as it is. Points are not rewritten.

    `event` has a `type`; don't change it in place, and keep its type.
    """


@hookspec
def runlore_rewrite_file(file: CapturedFile) -> CapturedFile | None:
    """Return the file to keep instead, or None to leave it as it is.

    Called for what runlore captures on its own (patches, source files, output, fitted models), not for what
    `log_artifact` was asked to keep.
    """


# Providers


@hookspec
def runlore_describe_data(data: Any) -> DataDescription | None:
    """Describe a dataset, or return None where it is not of a kind that you know.

    Called on the training thread before a fit that may change the data in place, so it must not take long, and must
    not change or consume `data`. The first answer counts, plugins that were registered last are asked first. May
    raise: the run then says that the data is not described, and why.
    """


@hookspec
def runlore_describe_weights(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """Describe the tensors of a model file, or return None where it is not of a kind that you know.

    The answer has a set of tensors for each name under which the file holds one ("" for the file itself); states of
    optimizers are not weights. Called by readers (`runlore which-run`), never while training. The file may be
    anybody's: nothing in it may be executed, so no pickle may be loaded; and it may have any name, so tell by its
    content. The first answer counts. May raise: the file then counts as unknown.
    """


@hookspec
def runlore_capture_environment(request: CaptureRequest) -> Mapping[str, Mapping[str, Any]] | None:
    """Describe where the run takes place: sections of plain values, such as `{"python": {"version": "3.11.7"}}`.

    Called once per run (or shared by runs that start shortly after each other) on a thread of its own, never on the
    training thread. Results of all plugins are merged section by section; of two that name the same key, the plugin
    that was registered last wins. May raise: the run then says what is missing, and why.
    """


@hookspec
def runlore_capture_seeds() -> Mapping[str, Any] | None:
    """Tell what is known of a library's random generators: plain values by name, such as `{"torch_seed": 7}`.

    Called on the training thread whenever a run starts, so it must take microseconds, import nothing and move no
    generator. A name that ends in `_seed` is what somebody set, one in `_state` tells of a state: `UNSEEDED` where
    it is that of the system's entropy, and so another in each process. Results are merged. May raise: the run then says
    what is missing, and why.
    """


@hookspec
def runlore_capture_files(request: CaptureRequest) -> Iterable[CapturedFile] | None:
    """Return files that tell what ran: patches, source files. Called right after the environment, on its thread.

    Results are concatenated. A file with `withheld` set is not kept, and the run says why. May raise: the run then says
    what is missing.
    """


@hookspec
def runlore_capture_metrics(request: CaptureRequest) -> Mapping[str, float] | None:
    """Measure the machine: numbers by name, recorded as `system/<name>`.

    Called on a thread of its own, 5 seconds after a run started (a beginning, whose numbers are thrown away) and then
    every 15 seconds. Results are merged. May raise: the run says so once.
    """


@hookspec
def runlore_register_integrations() -> Iterable[Integration]:  # type: ignore[empty-body]
    """Name the frameworks that `runlore.autolog()` can record.

    Called when autolog is switched on, on the calling thread; must not import a framework. Results are concatenated; of
    two with the same name, the plugin that was registered last wins. May raise: that plugin is reported and left out.
    """
