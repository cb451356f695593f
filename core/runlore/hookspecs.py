"""The hooks that a plugin may implement. docs/plugins.md explains each with an example."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from runlore._frozen import Frozen, fresh, late

F = TypeVar("F", bound=Callable[..., object])

UNSEEDED = "unseeded"  # the state of a generator that was never seeded and has drawn nothing yet
SYSTEM_PREFIX = "system/"  # begins the keys of measurements of the machine


if TYPE_CHECKING:
    import pluggy

    hookspec = pluggy.HookspecMarker("runlore")
    hookimpl = pluggy.HookimplMarker("runlore")
else:  # the same, without pluggy, which takes long to import: a script whose plugins are all our own does without it

    def hookspec(function: F) -> F:
        """Mark a function as the specification of a hook."""
        function.runlore_spec = dict.fromkeys(("firstresult", "historic"), False)
        function.runlore_spec |= dict.fromkeys(("warn_on_impl", "warn_on_impl_args"))
        return function

    def hookimpl(
        function: F | None = None,
        hookwrapper: bool = False,
        optionalhook: bool = False,
        tryfirst: bool = False,
        trylast: bool = False,
        specname: str | None = None,
        wrapper: bool = False,
    ) -> F | Callable[[F], F]:
        """Mark a function of a plugin as the implementation of the hook of its name; the options are pluggy's."""

        def mark(function: F) -> F:
            function.runlore_impl = options
            return function

        options = {"wrapper": wrapper, "hookwrapper": hookwrapper, "optionalhook": optionalhook}
        options |= {"tryfirst": tryfirst, "trylast": trylast, "specname": specname}
        return mark if function is None else mark(function)


@late
class RunInfo(Frozen):
    """The run that an observer hears of. `store` is the folder of its store, `started` is in seconds since 1970."""

    id: str
    name: str
    experiment: str
    parent: str | None
    store: Path
    started: float


@late
class LoggedEvent(Frozen):
    """One event of the log: params, tags, artifact, … (docs/format.md lists them). `time` is seconds since 1970."""

    type: str
    time: float
    values: Mapping[str, Any]


@late
class LoggedPoints(Frozen):
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


@late
class CaptureRequest(Frozen):
    """The circumstances of a capture: the process's folder and arguments, and the time limit of a provider.

    `modules` names the modules that were imported since an earlier capture; None for a first one. `recording` is false
    where a reader compares a run with what is here: nothing may be run then that a folder names, such as git's filters.
    """

    cwd: Path
    argv: tuple[str, ...]
    timeout: float  # seconds that one provider may take
    since: float = math.inf  # the run's start in seconds since 1970; files written later are not its code
    modules: frozenset[str] | None = None
    recording: bool = True


@late
class CapturedFile(Frozen):
    """A file that is kept as part of a run: a patch, a source file, output, a fitted model.

    Files with the same `folder` become one artifact of that name. `kind` is "code", "log" or "model". A rewriter that
    changes the content names the places in `masked` ("train.py line 12"); one that forbids keeping it gives the reason
    in `withheld`.
    """

    name: str
    content: bytes
    kind: str
    folder: str | None = None
    masked: tuple[str, ...] = ()
    withheld: str | None = None


@late
class DataDescription(Frozen):
    """The form of a dataset, without its values.

    `kind` names the library and the type ("numpy.ndarray"). `dtypes` is one name for all columns, or one for each.
    `missing` is the number of values that are NaN or null; None if they were not counted. `fingerprint` is a hash of
    the content, in hex; `sampled` is true if only a part was hashed, as it is larger than a gigabyte. `more` holds
    further facts, plain values by name.
    """

    kind: str
    shape: tuple[int, ...]
    dtypes: str | Sequence[str]
    columns: Sequence[str] | None = None
    missing: int | None = None
    size_bytes: int | None = None
    fingerprint: str | None = None
    sampled: bool = False
    more: Mapping[str, Any] = fresh(factory=dict)


@late
class Tensor(Frozen):
    """One tensor of a model file. `sha256` is the hash of its values in C order, little-endian.

    `dtype` is the common name of the type: "float32", "bfloat16", "int64", "bool".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


class ModelFile:
    """A model file that may come from anybody: a regular file, open, and one budget for all that reading it costs.

    Readers spend before they work: a step for each item that the file makes them look at, the length of each name that
    they put together. Reading bytes is charged by itself. Every method raises ValueError once the file has cost more
    than an honest one of its size does. docs/security.md has the limits.
    """

    size: int  # in bytes

    def spend(self, what: Literal["steps", "names", "bytes"], amount: int = 1) -> None:
        """Charge steps, characters of names, or bytes that are hashed or made beside those that were read."""
        raise NotImplementedError

    def shape(self, lengths: Any) -> tuple[int, ...]:
        """Return lengths that the file names as a shape; ValueError for those that no tensor has."""
        raise NotImplementedError

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the file, fewer at its end."""
        raise NotImplementedError

    def sha256(self, start: int, length: int) -> str:
        """Return the hash of bytes of the file, all of which must be there."""
        raise NotImplementedError

    def opened(self, start: int = 0, length: int | None = None) -> BinaryIO:
        """Return a part of the file as a file of its own."""
        raise NotImplementedError

    def members(self) -> Mapping[str, tuple[int, int] | None] | None:
        """Return the files in a zip archive; None for another kind of file.

        With the place of the first byte and the size of each; None for one that is compressed.
        """
        raise NotImplementedError

    def member(self, name: str) -> BinaryIO:
        """Return a file of the archive, open; a compressed one lies unpacked in a file without a name."""
        raise NotImplementedError

    def apart(self, reader: "Callable[[ModelFile], Sequence[Tensor]]") -> "Sequence[Tensor]":
        """Return what a function of a module finds in the file, called in another process with the same budget.

        For libraries in C, which a hostile file can stall or crash.
        """
        raise NotImplementedError


@late
class Importance(Frozen):
    """The findings of a model that predicts values from columns.

    `lost` says for each column by how much the squared error grows where its values are shuffled, as a part of the
    variance; `explained` which part of the variance the model predicts (R²: below 0 it predicts worse than the mean).
    Both are measured on values that the model was not made from.
    """

    lost: Mapping[str, float]
    explained: float


@late
class Integration(Frozen):
    """A framework that autolog can record.

    `enable` is called once `module` has been imported; at once where it is None, and then it must import nothing.
    `enable` and `disable` may be called in any order and any number of times, and import the framework only when they
    are called. `packages` names distributions of which one must be installed, where `module` does not tell it.

    `also` holds further modules, each with what is called once it has been imported, while the integration is on.
    `trains` is false for a library that trains nothing: files, figures and settings of a script. `runlore.autolog()`
    takes such a one on only by its name, or with one that `brings` it; `runlore run` and RUNLORE_AUTOLOG=1 take on all.
    """

    name: str
    module: str | None
    enable: Callable[[], None]
    disable: Callable[[], None]
    packages: tuple[str, ...] = ()
    also: Mapping[str, Callable[[], None]] = fresh(factory=dict)
    trains: bool = True
    brings: tuple[str, ...] = ()


# Observers are called on a thread that follows the run's log; it exists only if some plugin observes. What they raise
# is reported once per plugin and run, and counted in the run's record; they go on being called.


@hookspec
def runlore_run_started(run: RunInfo) -> None:
    """Observe the start of a run, or of a new segment of it. Called once, before all other hooks of an observer."""


@hookspec
def runlore_events_logged(run: RunInfo, events: Sequence[LoggedEvent]) -> None:
    """Observe new events: params, tags, notes, artifacts, the environment, … Called with those of about a second."""


@hookspec
def runlore_points_logged(run: RunInfo, points: Sequence[LoggedPoints]) -> None:
    """Observe new points of metrics. Called with those of about a second, one item per metric and batch."""


@hookspec
def runlore_run_finished(run: RunInfo, status: str, error: Mapping[str, Any] | None) -> None:
    """Observe the end of a run. Not called after a kill.

    `status` is "finished", "failed" or "interrupted"; `error` has type, message and traceback.
    """


# Rewriters are called while the thread that logs waits, before anything reaches the disk, so they must be fast; each on
# a thread of its own, in the context of the one that waits. They form a chain: each gets what the previous one
# returned, and those marked `trylast` come last. Where one raises, the content that it should have rewritten is left
# out, and the run says so; one that does not return within 5 s is left out for the rest of the process, with all such
# contents.


@hookspec
def runlore_rewrite_event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event to write instead, or None to leave it as it is. Points are not rewritten.

    Return a new mapping with the same `type`; don't change `event` in place.
    """


@hookspec
def runlore_rewrite_file(file: CapturedFile) -> CapturedFile | None:
    """Return the file to keep instead, or None to leave it as it is.

    Called for files that runlore captures on its own (patches, source files, output, fitted models), not for those
    that are given to `log_artifact`.
    """


# Providers return something that is recorded.


@hookspec
def runlore_describe_data(data: Any) -> DataDescription | None:
    """Describe a dataset, or return None for a type that you don't know.

    Called on the training thread before a fit, which may change the data in place: it must not take long, nor change or
    consume `data`. The first answer counts; the plugin that was registered last is called first. May raise: the run
    then says that the data is not described, and why.
    """


@hookspec
def runlore_describe_weights(path: Path, file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Describe the tensors of a model file, or return None for a format that you don't know.

    Return sets of tensors by their name in the file, "" for a file with only one; the state of an optimizer is no set
    of weights. Called by readers (`runlore which-run`), never while training. The file may come from anybody: never
    execute anything in it, so load no pickle, and read it through `file`, which bounds what that costs. It may have any
    name: recognise it by its content. The first answer counts. May raise: the weights are then not compared.
    """


@hookspec
def runlore_capture_environment(request: CaptureRequest) -> Mapping[str, Mapping[str, Any]] | None:
    """Describe the environment of the run: sections of plain values, such as `{"python": {"version": "3.11.7"}}`.

    Called on a thread of its own, once per run; runs that start shortly after each other share the result. The results
    of all plugins are merged section by section; of two that name the same key, the plugin that was registered last
    wins. May raise: the run then says what is missing, and why.
    """


@hookspec
def runlore_capture_seeds() -> Mapping[str, Any] | None:
    """Return seeds and states of a library's random generators: plain values by name, such as `{"torch_seed": 7}`.

    Called on the training thread whenever a run starts: it must take microseconds, import nothing, and draw from no
    generator. Names of seeds that were set end in `_seed`. Names of states end in `_state`; the value is `UNSEEDED`
    for a state that comes from the system's entropy and differs in each process. Results are merged. May raise: the
    run then says what is missing, and why.
    """


@hookspec
def runlore_capture_files(request: CaptureRequest) -> Iterable[CapturedFile] | None:
    """Return files of the code that runs: patches, sources. Called right after the environment, on its thread.

    Results are concatenated. A file with `withheld` set is not kept, and the run says why. May raise: the run then says
    what is missing.
    """


@hookspec
def runlore_capture_late_files(request: CaptureRequest) -> Iterable[CapturedFile] | None:
    """Return files of the code that came to run while a run was open: modules imported since, cells of a notebook.

    Called once when a run ends, on the thread that ends it: it must be fast, and return at once where nothing is new.
    A file that was captured at the start stays as it was then, but for one that has its beginning in common. May raise:
    the run then says what is missing.
    """


@hookspec
def runlore_capture_metrics(request: CaptureRequest) -> Mapping[str, float] | None:
    """Measure the machine: numbers by name, recorded as `system/<name>`.

    Called on a thread of its own, 5 seconds after the start of a run (this first result is not recorded), and then
    every 15 seconds. Results are merged. May raise: the run says so once.
    """


@hookspec
def runlore_measure_importance(
    columns: Mapping[str, Sequence[float]], values: Sequence[float], seconds: float
) -> Importance | None:
    """Measure how much each column tells of values, or return None if you can't.

    Called by readers (the page of `runlore ui`), never while training. All sequences have the same length, of 10 at
    least; NaN in a column stands for what is missing there. Take about so many `seconds` at most. The first answer
    counts. May raise: the reader is told why; `MissingDependency` for a library that is not installed.
    """


@hookspec
def runlore_register_integrations() -> Iterable[Integration]:  # type: ignore[empty-body]
    """Name the frameworks that `runlore.autolog()` can record.

    Called when autolog is switched on, on the calling thread. It must not import a framework. Results are concatenated;
    of two with the same name, the plugin that was registered last wins. May raise: the plugin is reported and left out.
    """
