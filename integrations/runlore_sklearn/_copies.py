"""Copy a fitted estimator: as bytes to be kept, and as an object to be scored. Know the copies that users make."""

import hashlib
import io
import pickle
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from runlore import FitSession, guest
from runlore.guest.additions import Additions

MAX_KEPT_BYTES = 100 << 20  # of a fitted model
MAX_KNOWN_BYTES = 16 << 20  # of one whose copies are known
MAX_KNOWN = 1000  # estimators whose copies are
CALLBACKS = "_skl_callbacks"  # where scikit-learn keeps an estimator's callbacks


class TooLarge(Exception):
    """The pickle of an estimator has more bytes than are kept."""

    def __init__(self) -> None:
        super().__init__(f"larger than {MAX_KEPT_BYTES >> 20} MiB when pickled")


def pickled(session: FitSession, estimator: Any) -> bytes | None:
    """Return the pickle of a fitted estimator; None if it can't be made, which the run then tells.

    Raises:
        TooLarge: it has more bytes than are kept.
    """
    buffer = _Bounded()
    try:
        pickle.Pickler(buffer, protocol=5).dump(estimator)
    except TooLarge as error:
        session.missing("the fitted model", str(error))
        raise
    except Exception as error:  # an estimator's own pickling may raise anything
        session.missing("the fitted model", f"it can't be pickled: {type(error).__name__}: {error}")
        return None
    return buffer.getvalue()


class Maker(NamedTuple):
    """Additions to the run that fitted an estimator, and the fingerprint of the data that it was fitted on."""

    additions: Additions
    trained_on: str | None


class Copies(guest.Part):
    """Knows the estimators that were fitted by all that they hold, so that a copy is known as well."""

    inherited = True

    def __init__(self) -> None:
        self._made: dict[str, Maker] = {}

    def note(self, estimator: Any, session: FitSession, trained_on: str | None) -> None:
        """Note the fit that has made an estimator what it is now."""
        digest = _digest(estimator)
        if digest is not None:
            self._made.pop(digest, None)
            self._made[digest] = Maker(Additions(session.run), trained_on)
            for other in list(self._made)[:-MAX_KNOWN]:
                del self._made[other]

    def maker_of(self, estimator: Any) -> Maker | None:
        """Return the fit that made an estimator, or the one that it is a copy of; None where it isn't known."""
        digest = _digest(estimator) if self._made and hasattr(type(estimator), "get_params") else None
        return None if digest is None else self._made.get(digest)


def copies() -> Copies:
    """Return those that this process knows."""
    return guest.part(Copies)


def _digest(estimator: Any) -> str | None:
    """Return a hash of all that an estimator holds, by value; None where that can't be told, or is a lot."""
    content = _Hashed()
    pickler = pickle.Pickler(content, protocol=5)
    pickler.fast = True  # what occurs twice is written twice, be it one object or two that are equal
    try:
        with guest.without_trace():
            pickler.dump(estimator)
    except Exception:  # an estimator's own pickling may raise anything
        return None
    return content.digest.hexdigest()


class _Hashed:
    """A file that only counts and hashes."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._room = MAX_KNOWN_BYTES

    def write(self, data: bytes) -> int:
        """Take a part of a pickle.

        Raises:
            TooLarge: it is beyond what is looked at.
        """
        size = memoryview(data).nbytes
        self._room -= size
        if self._room < 0:
            raise TooLarge
        self.digest.update(data)
        return size


def copy_of(estimator: Any, model: bytes | None) -> Any:
    """Return a copy of a fitted estimator, `model` being its pickle if there is one.

    It has no callbacks, which may start threads when they are unpickled, and shares functions and classes with the
    original, which may be local ones that pickle refuses.

    Raises:
        Exception: parts of it can't be copied.
    """
    if model is not None and CALLBACKS.encode() not in model:
        return pickle.loads(model)
    buffer = _Bounded()
    pickler = _Copier(buffer, protocol=5)
    pickler.dump(estimator)
    buffer.seek(0)
    return _Restorer(buffer, pickler.shared).load()


class _Copier(pickle.Pickler):
    """Pickles for this process: what it shares with the copy is only numbered."""

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol=protocol)
        self.shared: list[Any] = []

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, FunctionType | ModuleType | type):
            return None
        self.shared.append(obj)
        return len(self.shared) - 1

    def reducer_override(self, obj: Any) -> Any:
        if CALLBACKS not in getattr(obj, "__dict__", ()):
            return NotImplemented
        function, arguments, state, *rest = obj.__reduce_ex__(5)
        if isinstance(state, dict):
            state = {name: value for name, value in state.items() if name != CALLBACKS}
        return function, arguments, state, *rest


class _Restorer(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: list[Any]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: Any) -> Any:
        return self._shared[pid]


class _Bounded(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + memoryview(data).nbytes > MAX_KEPT_BYTES:
            raise TooLarge
        return super().write(data)
