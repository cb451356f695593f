"""Exceptions of runlore: all have one root, and each is also the builtin exception that it refines.

A message says what is wrong, names the value, and tells the way out.
"""

SHOWN = 400  # characters of a query that its error shows


class RunloreError(Exception):
    """The root of all exceptions that runlore raises on purpose. Hidden characters in its text are shown as escapes."""

    def __str__(self) -> str:
        return _visible(super().__str__())


class RunloreWarning(UserWarning):
    """Something could not be recorded; the training goes on. Hidden characters in its text are shown as escapes."""

    def __str__(self) -> str:
        return _visible(super().__str__())


class FormatError(RunloreError, ValueError):
    """A store or a run's file was written by a newer version of runlore."""


class StoreNotFound(RunloreError, FileNotFoundError):
    """No store lies at the named place."""


class StoreRefused(RunloreError, PermissionError):
    """The store that was found belongs to another user."""


class StoreBusy(RunloreError, BlockingIOError):
    """Another process is still reading a store whose runs must all be known."""


class BackendNotFound(RunloreError, ValueError):
    """No backend is registered for the scheme of a store's URL."""


class SettingError(RunloreError, ValueError):
    """A setting has a value that can't be used."""


class RunNotFound(RunloreError, LookupError):
    """No run matches the given name or part of an id."""


class RunNotReadable(RunloreError, PermissionError):
    """The run is there, but this user can't read its files."""


class StillRunning(RunloreError, ValueError):
    """A run that is being written can't be removed or set aside."""


class AmbiguousRun(RunloreError, LookupError):
    """More than one run matches; `candidates` are their ids, newest first."""

    def __init__(self, message: str, candidates: list[str]) -> None:
        super().__init__(message)
        self.candidates = candidates


class ModelNotFound(RunNotFound):
    """No model, no version or no alias matches an address such as `model:digits@prod`."""


class NameRefused(RunloreError, ValueError):
    """A model or an alias can't have this name."""


class StillNamed(RunloreError, ValueError):
    """An alias names a version: neither it nor the run behind it can be removed."""


class ModelUnreadable(RunloreError, OSError):
    """A part of what models name can't be read, so that it is not known which files they need."""


class ArtifactNotFound(RunloreError, LookupError):
    """The run has no such artifact, or its content was not kept."""


class NoteNotFound(RunloreError, LookupError):
    """The run has no such note."""


class MetricNotFound(RunloreError, KeyError):
    """The run has no such metric."""

    def __str__(self) -> str:
        return _visible(str(self.args[0]))  # KeyError would show its repr


class PlaceTaken(RunloreError, FileExistsError):
    """A file or folder is already there and must not be replaced."""


class UnsafePath(RunloreError, ValueError):
    """A recorded path would lead outside the folder that it is restored to."""


class NoCurrentRun(RunloreError, RuntimeError):
    """A function of the module, such as `runlore.log_metrics`, was called while no run was open."""


def excerpt(query: str, column: int) -> tuple[str, int]:
    """Return the part of a long query around a place, and the place in it."""
    begin = max(0, min(column - SHOWN // 2, len(query) - SHOWN))
    cut = query[begin : begin + SHOWN]
    before, behind = "…" if begin else "", "…" if begin + SHOWN < len(query) else ""
    return f"{before}{cut}{behind}", column - begin + len(before)


class QueryError(RunloreError, ValueError):
    """A query can't be understood.

    `column` counts characters from 0; `str()` shows the query with a caret below that place.
    """

    def __init__(self, message: str, query: str, column: int) -> None:
        self.reason = message
        self.query = query
        self.column = column
        shown, place = excerpt(query, column)
        super().__init__(f"{message}\n  {shown}\n  {' ' * place}^")


class MissingDependency(RunloreError, ImportError):
    """A library that is needed is not installed; the message says how to install it."""


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    from runlore._text import visible_text  # only messages of several lines, or with foreign text, need it

    return visible_text(text)
