"""The exceptions that workers raise, as the record tells them."""

from pathlib import Path
from typing import Any

from ray import cloudpickle


class Elsewhere(Exception):
    """Tells the traceback of an exception that was raised in another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def error_of(trial: Any) -> BaseException:
    """Return the exception that a trial has failed with last, as its own code raised it.

    Tune tells its callbacks none, but has just written it to a file of this machine.
    """
    try:
        error: BaseException = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except Exception:  # a worker that died raises nothing, and a class of the user's own may not be found here
        text = "" if trial.error_file is None else Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        return RuntimeError(text.strip().rpartition("Failure # ")[2] or "a worker has died")
    raised = getattr(error, "cause", None)
    if not isinstance(raised, BaseException):
        return error  # of Ray itself: the worker has died
    raised.__cause__ = Elsewhere(getattr(error, "traceback_str", error))
    return raised
