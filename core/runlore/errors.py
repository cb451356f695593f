"""What runlore raises: one root, and each class also the builtin that it refines."""


class RunloreError(Exception):
    """The root of everything that runlore raises on purpose."""


class RunloreWarning(UserWarning):
    """Something could not be recorded; training was not touched."""


class FormatError(RunloreError, ValueError):
    """A store or a run file was written by a newer runlore than this one."""


class StoreNotFound(RunloreError, FileNotFoundError):
    """There is no store at the named place."""


class StoreRefused(RunloreError, PermissionError):
    """The store that was found belongs to somebody else."""


class BackendNotFound(RunloreError, ValueError):
    """No backend is registered for the scheme of a store's URL."""


class SettingError(RunloreError, ValueError):
    """A setting has a value that can't be used."""


class RunNotFound(RunloreError, LookupError):
    """No run answers to the given part of an id or name."""


class AmbiguousRun(RunloreError, LookupError):
    """More than one run answers; `candidates` holds their ids, newest first."""

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
    """Something is there already that can't be replaced."""


class UnsafePath(RunloreError, ValueError):
    """A recorded path would lead outside the folder that it is restored to."""


class NoCurrentRun(RunloreError, RuntimeError):
    """A module-level function was called while no run was open."""


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
    """A library that this needs is not installed; the message says how to install it."""
