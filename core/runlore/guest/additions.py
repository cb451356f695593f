"""Additions: what is learnt of a model after its fit goes to the run that made it."""

import hashlib
import math
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from runlore._process import Part, process
from runlore._warnings import report, without_warnings
from runlore.artifacts.events import extent, local_path
from runlore.guest import guards
from runlore.guest.recorder import Recorder
from runlore.guest.wrapping import ByIdentity
from runlore.log.points import stored_key
from runlore.log.record import read_files
from runlore.log.superseding import read_series
from runlore.log.values import as_number
from runlore.recording.additions import addition, addition_to, close_addition_to
from runlore.recording.ranks import is_worker
from runlore.recording.run import Run
from runlore.store.store import Store, open_store

if TYPE_CHECKING:
    from runlore.provenance.origins import Writing

VALUES = 16  # of each tensor that are looked at, at least, to tell weights from others
MAX_WRITTEN = 100  # models whose bytes are known
MAX_PLACES = 1000  # of a fit that are known by their weights
Place = tuple[int | None, float | None]  # step and epoch
Tensors = Callable[[], Sequence[Any] | None]  # gives flat arrays or tensors
Join = Callable[[list[Any]], Any]  # makes one of several flat tensors of one type on one device


def writer_of(store: Store, path: Path) -> "Writing | None":
    """Return the run that wrote a file or folder, by its content, and the step; None where no run did.

    Raises:
        OSError: it can't be read.
    """
    from runlore.provenance import origins

    return origins.writer_of(store, path)


@dataclass(frozen=True, slots=True)
class Source:
    """The local file or folder that a model was loaded from, and what tells whether it has changed since."""

    path: Path
    extent: tuple[int, int] | None  # size in bytes and time of change in ns; None where it is gone

    @classmethod
    def at(cls, path: object) -> "Source | None":
        """Return what lies at a path now; None for what is no path, and for one of another machine."""
        place = local_path(path) if isinstance(path, str | os.PathLike) else None
        return None if place is None else cls(place, _extent(place))

    @property
    def is_unchanged(self) -> bool:
        """True if the file or folder is as it was."""
        return _extent(self.path) == self.extent


def _extent(path: Path) -> tuple[int, int] | None:
    try:
        return extent(path)
    except OSError:
        return None


class Origins(Part):
    """Knows which fit made an object, or which file it was read from, as long as the object lives.

    `rounds` tells how far a model was then: one that has been trained on since is of no run, nor of a file. A forked
    child goes on with the models of its parent.
    """

    inherited = True

    def __init__(self) -> None:
        self._made: ByIdentity[tuple[Run, int | None]] = ByIdentity()
        self._read: ByIdentity[tuple[Source, int | None]] = ByIdentity()
        self._written: dict[bytes, tuple[Run, int | None]] = {}  # by the hash of the bytes that a model was written as

    def note_made(self, item: Any, run: Run, rounds: int | None = None) -> None:
        """Note that a recorded fit has made an object."""
        self._read.pop(item)
        self._made.set(item, (run, rounds))

    @guards.harmless
    def note_copy(self, copy: Any, item: Any, rounds: Callable[[Any], int]) -> None:
        """Note that one object is a copy of another, or of its first rounds, which `rounds` counts. Never raises."""
        run = self.run_of(item, rounds(item))
        if run is not None:
            self.note_made(copy, run, rounds(copy))

    def note_read(self, item: Any, path: object, rounds: int | None = None) -> None:
        """Note the file that an object has just been read from."""
        self.drop(item)
        source = Source.at(path)
        if source is not None:
            self._read.set(item, (source, rounds))

    def drop(self, item: Any) -> None:
        """Forget an object: what is not recorded has made it anew."""
        self._made.pop(item)
        self._read.pop(item)

    def note_written(self, item: Any, content: bytes | bytearray | str, rounds: int | None = None) -> None:
        """Note what an object was pickled or written as: who is made of the same bytes is the same model."""
        run = self.run_of(item, rounds)
        if run is not None:
            self._written[_digest_of(content)] = run, rounds
            while len(self._written) > MAX_WRITTEN:
                del self._written[next(iter(self._written))]

    def note_loaded(self, item: Any, content: bytes | bytearray | str, rounds: int | None = None) -> None:
        """Note the bytes that an object has just been made of."""
        self.drop(item)
        run, _ = self.written_by(content)
        if run is not None:
            self.note_made(item, run, rounds)

    def written_by(self, content: bytes | bytearray | str) -> tuple[Run | None, int | None]:
        """Return the run whose model was written as these bytes in this process, and how far it was then."""
        return (self._written.get(_digest_of(content)) if self._written else None) or (None, None)

    def run_of(self, item: Any, rounds: int | None = None) -> Run | None:
        """Return the run that made an object; None where none did, or it has gone on."""
        run, then = self._made.get(item) or (None, None)
        return run if then == rounds else None

    def file_of(self, item: Any, rounds: int | None = None) -> Path | None:
        """Return the file that an object was read from, if both are as they were."""
        source, then = self._read.get(item) or (None, None)
        return source.path if source is not None and then == rounds and source.is_unchanged else None


class WrittenModels:
    """Follows the models of a framework through what they are written as, to be pickled or copied, say.

    That is of the class `kind`; `rounds` counts how far a model is. No method raises.
    """

    def __init__(self, kind: type[bytes | bytearray | str], rounds: Callable[[Any], int]) -> None:
        self._kind = kind
        self._rounds = rounds

    @guards.harmless
    def note_written(self, model: Any, content: Any) -> None:
        """Note what a model was just written as; nothing where that is of another class."""
        if isinstance(content, self._kind):
            process.part(Origins).note_written(model, content, self._rounds(model))

    @guards.harmless
    def note_loaded(self, model: Any, content: Any) -> None:
        """Note what a model was just made of; one of anything else comes from nowhere that is known."""
        if isinstance(content, self._kind):
            process.part(Origins).note_loaded(model, content, self._rounds(model))
        else:
            process.part(Origins).drop(model)


def _digest_of(content: bytes | bytearray | str) -> bytes:
    return hashlib.blake2b(content.encode() if isinstance(content, str) else content).digest()


class KnownWeights:
    """Tells the weights that a fit has made from others, by some of their values: at which step and epoch it made them.

    An evaluation claims no step whose weights it did not have: a user may train on, set or load them unseen. Weights of
    another type than those noted can't be told from them, unless types are `fixed`, nor those that `Tensors` gives no
    values of (of a model that is spread over processes): they count for the ones that were noted last.

    Tensors on a device are read at once with a framework's own `join`, such as `torch.cat`; without it one by one.
    Those that a `run` has made are known in any other object, too: see `Additions.to_maker_of`.
    """

    def __init__(self, join: Join | None = None, *, fixed: bool = False, run: Run | None = None) -> None:
        self.last: Place = (None, None)
        self._join = join
        self._fixed = fixed
        self._run = run
        self._places: dict[_Values, Place] = {}

    def note(self, step: int | None, epoch: float | None, tensors: "Tensors") -> None:
        """Note the weights that a model has now. Never raises."""
        self.last = step, epoch
        found = _values(tensors, self._join)
        if found is not None:
            self._places.pop(found, None)
            self._places[found] = self.last
            _drop_oldest(self._places)
            if self._run is not None and step != 0:  # at step 0 they may be what any seed has made
                process.part(Made).note(found, self._run, self.last)

    def place(self, tensors: "Tensors") -> Place | None:
        """Return step and epoch of the weights that a model has now; None for weights that were not noted."""
        found = _values(tensors, self._join)
        if found is None or not (self._fixed or any(found.types == other.types for other in self._places)):
            return self.last
        return self._places.get(found)

    def known(self, tensors: "Tensors") -> Place | None:
        """Return step and epoch of weights that were noted; None for all others, also those that can't be told."""
        return self._places.get(found) if self._places and (found := _values(tensors, self._join)) else None


def tensors_of(module: Any) -> Tensors:
    """Return what gives the parameters and buffers of a module; nothing of one that is spread over processes."""

    def tensors() -> Sequence[Any] | None:
        found = [*module.parameters(), *module.buffers()]
        is_whole = all(type(item).__name__ in ("Parameter", "Tensor") and item.numel() for item in found)
        return [item.detach().reshape(-1) for item in found] if is_whole else None

    return tensors


class _Values(NamedTuple):
    types: frozenset[str]
    digest: str


class Made(Part):
    """Knows the newest weights that fits of this process have made, and those that a forked child inherits."""

    inherited = True

    def __init__(self) -> None:
        self._made: dict[_Values, tuple[Run, Place]] = {}

    def note(self, found: _Values, run: Run, place: Place) -> None:
        """Note that a run has made weights."""
        self._made.pop(found, None)
        self._made[found] = run, place
        _drop_oldest(self._made)

    def by(self, found: _Values | None) -> tuple[Run, Place] | None:
        """Return the run that made weights last, with step and epoch; None where none did."""
        return None if found is None else self._made.get(found)


def _drop_oldest(known: dict[_Values, Any]) -> None:
    for other in list(known)[:-MAX_PLACES]:
        del known[other]


def _values(tensors: "Tensors", join: Join | None) -> _Values | None:
    with without_warnings():
        return _values_of(tensors, join)


def _values_of(tensors: "Tensors", join: Join | None) -> _Values | None:
    try:
        flat = tensors()
        if not flat:
            return None
        digest = hashlib.sha256()
        alike: dict[tuple[str, str], list[Any]] = {}  # some values of each, by type and device
        for tensor in flat:
            kind, length = str(tensor.dtype), len(tensor)
            digest.update(f"{kind} {length} ".encode())
            step = max(1, length // VALUES)
            alike.setdefault((kind, str(getattr(tensor, "device", ""))), []).append(tensor[: 2 * VALUES * step : step])
        for some in alike.values():
            for part in some if join is None else [join(some)]:
                digest.update(_packed(part.tolist()))
        return _Values(frozenset(kind for kind, _ in alike), digest.hexdigest())
    except Exception:  # tensors of a framework, which may have been freed or moved
        return None


def _packed(values: list[Any]) -> bytes:
    try:
        return array("d", values).tobytes()
    except (TypeError, OverflowError):  # records, texts, complex numbers, integers beyond all floats
        return repr(values).encode()


class Additions(Recorder):
    """Adds to a run, which may have ended. No method raises; workers add nothing.

    `step` and `epoch` are those of the weights that the additions are about; metrics that name neither are of them.
    """

    def __init__(self, run: Run, step: int | None = None, epoch: float | None = None) -> None:
        super().__init__(run, self._add_metrics)
        self.step = step
        self.epoch = epoch

    @classmethod
    def to_writer_of(cls, checkpoint: str | os.PathLike[str], store: Store | None = None) -> "Self | None":
        """Return additions to the run that wrote a checkpoint, by its content, at its step; None where no run did.

        Never raises. Hashes the checkpoint, even a large one, where it was moved.
        """
        path = local_path(checkpoint)
        try:
            place = store or open_store()
            found = None if path is None or is_worker() or not path.exists() else writer_of(place, path)
            return None if found is None else cls(addition(place.folder, found.run), found.step, found.epoch)
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"the run that wrote {os.fspath(checkpoint)!r} can't be looked up: {type(error).__name__}: {error}")
            return None

    @classmethod
    def to_maker_of(cls, tensors: Tensors, join: Join | None = None, *, store: Store | None = None) -> "Self | None":
        """Return additions to the run of this process that has made weights, at their step; None where none has.

        So a copy of a model is known, and weights that a user has put into another one. Only runs of the store count.
        `tensors` and `join` are as `KnownWeights` has them. Never raises.
        """
        try:
            made = None if is_worker() else process.part(Made).by(_values(tensors, join))
            if made is None or made[0].folder.root != (store or open_store()).root:
                return None
            return cls(made[0], *made[1])
        except Exception as error:  # a framework calls us here, and must not meet our exceptions
            report(f"the run that made a model can't be looked up: {type(error).__name__}: {error}")
            return None

    def opened(self) -> Run | None:
        """Return the run itself, open for whatever a user adds by hand; None in workers. Never raises."""
        return self._write("what is logged by hand", lambda run: run)

    def beside_recorded(self, metrics: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        """Return metrics by names under which they replace no point that the run has at the step of the weights.

        One with the value that is recorded there is left out; another value is "<name>/after". Only this run's files
        are read. Never raises.
        """
        found = self._write("metrics", lambda run: _beside(run, metrics, split, self.step))
        return metrics if found is None else found

    def close(self) -> None:
        """Close the run's log for now; a later addition opens it again."""
        close_addition_to(self.run)

    def _add_metrics(
        self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None
    ) -> None:
        run = self._open_run()
        if run is not None:
            if step is None and epoch is None:
                step, epoch = self.step, self.epoch
            run.log_metrics(metrics, step, epoch, split)

    def _open_run(self) -> Run | None:
        return None if is_worker() else addition_to(self.run)

    def _failed(self, what: str, error: Exception) -> None:
        report(f"{what} can't be added to {self.run!r}: {type(error).__name__}: {error}")


def _beside(run: Run, metrics: Mapping[str, Any], split: str, step: int | None) -> Mapping[str, Any]:
    keys = {name: stored_key(name, split) for name in metrics}
    recorded = read_series(read_files(run.folder, run.id).contents, keys.values())
    found = {}
    for name, value in metrics.items():
        steps, values, *_ = recorded[keys[name]]
        at, number = values[steps == step].tolist(), as_number(value)
        if not at or number is None:  # what is no number replaces nothing
            found[name] = value
        elif not _is_close(at[-1], number):
            found[f"{name}/after"] = value
    return found


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-5) or (math.isnan(one) and math.isnan(other))
