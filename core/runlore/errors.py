"""Exceptions of runlore: all have one root, and each is also the builtin exception that it refines.

A message says what is wrong, names the value, and tells the way out.
"""


class RunloreError(Exception):
    """The root of all exceptions that runlore raises on purpose."""


class RunloreWarning(UserWarning):
    """Something could not be recorded; the training goes on."""


class FormatError(RunloreError, ValueError):
    """A store or a run's file was written by a newer version of runlore."""


class StoreNotFound(RunloreError, FileNotFoundError):
    """No store lies at the named place."""


class StoreRefused(RunloreError, PermissionError):
    """The store that was found belongs to another user."""


class BackendNotFound(RunloreError, ValueError):
    """No backend is registered for the scheme of a store's URL."""


class SettingError(RunloreError, ValueError):
    """A setting has a value that can't be used."""


class RunNotFound(RunloreError, LookupError):
    """No run matches the given name or part of an id."""


class AmbiguousRun(RunloreError, LookupError):
    """More than one run matches; `candidates` are their ids, newest first."""

    def __init__(self, message: str, candidates: list[str]) -> None:
        super().__init__(message)
        self.candidates = candidates


class ArtifactNotFound(RunloreError, LookupError):
    """The run has no such artifact, or its content was not kept."""


class MetricNotFound(RunloreError, KeyError):
    """The run has no such metric."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show its repr


class PlaceTaken(RunloreError, FileExistsError):
    """A file or folder is already there and must not be replaced."""


class UnsafePath(RunloreError, ValueError):
    """A recorded path would lead outside the folder that it is restored to."""


class NoCurrentRun(RunloreError, RuntimeError):
    """A function of the module, such as `runlore.log_metrics`, was called while no run was open."""


class QueryError(RunloreError, ValueError):
    """A query can't be understood.

    `column` counts characters from 0; `str()` shows the query with a caret below that place.
    """

    def __init__(self, message: str, query: str, column: int) -> None:
        self.reason = message
        self.query = query
        self.column = column
        super().__init__(f"{message}\n  {query}\n  {' ' * column}^")


class MissingDependency(RunloreError, ImportError):
    """A library that is needed is not installed; the message says how to install it."""
