"""How a run ends: the status that an exception means, and what is recorded of it."""

import traceback
from pathlib import Path
from typing import Any, Literal, get_args

Status = Literal["finished", "failed", "interrupted"]
STATUSES = get_args(Status)
OWN = Path(__file__).parent.parent  # the folder of all our modules
MAX_TRACEBACK = 64 << 10  # characters


def status_of(error: BaseException | None) -> Status:
    """How a block that `error` left has ended."""
    if error is None:
        return "finished"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):
        if isinstance(error.__context__, KeyboardInterrupt):
            return "interrupted"  # what some frameworks make of Ctrl-C
        return "finished" if error.code in (None, 0) else "failed"
    return "finished" if isinstance(error, GeneratorExit) else "failed"


def describe_error(error: BaseException) -> dict[str, str]:
    """Type, message and traceback of an exception, as the end record holds them."""
    try:
        message = str(error)
        trace = _trace_of(error)
    except Exception as second:  # a foreign exception's str
        message, trace = f"its str() raises {type(second).__name__}", ""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"type": name, "message": message[:MAX_TRACEBACK], "traceback": trace[-MAX_TRACEBACK:]}


def _trace_of(error: BaseException) -> str:
    """The traceback as the user would see it: from the outermost call, without frames of ours."""
    found = traceback.TracebackException.from_exception(error)
    above = error.__traceback__.tb_frame.f_back if error.__traceback__ is not None else None
    frames = [*(traceback.extract_stack(above) if above is not None else ()), *found.stack]
    found.stack = traceback.StackSummary.from_list([frame for frame in frames if not _is_own(frame.filename)])
    return "".join(found.format())


def _is_own(filename: str) -> bool:
    path = Path(filename)
    if filename == "<frozen runpy>":  # `runlore run`
        return True
    ours = OWN in path.parents and path.relative_to(OWN).parts[0] != "testing"  # whose contracts call users' code
    return filename.startswith("<runlore") or ours or path.parent.name.startswith("runlore_")


def cause(error: BaseException | None) -> BaseException | None:
    """The exception that made somebody call `sys.exit(1)`, if that is what happened."""
    if isinstance(error, SystemExit) and error.code not in (None, 0) and isinstance(error.__context__, Exception):
        return error.__context__
    return error


def end_event(status: str, error: BaseException | None) -> dict[str, Any]:
    """The event that ends a run."""
    end: dict[str, Any] = {"type": "end", "status": status if status in STATUSES else "failed"}
    return end if error is None else end | {"error": describe_error(error)}
