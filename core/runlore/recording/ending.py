"""The end of a run: the status that an exception means, and the event that records it."""

import sys
from pathlib import Path
from typing import Any, Literal, get_args

Status = Literal["finished", "failed", "interrupted"]
STATUSES = get_args(Status)
OWN_FOLDER = Path(__file__).parent.parent  # of all modules of the core
MAX_ERROR_CHARS = 64 << 10  # of a message, and of a traceback
CANCELLED = (("asyncio.exceptions", "CancelledError"), ("trio", "Cancelled"))  # what a task gets that is to end


def status_of(error: BaseException | None) -> Status:
    """Return the status of a block that `error` left, or that returned."""
    if error is None:
        return "finished"
    if _is_interruption(error):
        return "interrupted"
    if isinstance(error, SystemExit):
        if isinstance(error.__context__, KeyboardInterrupt):
            return "interrupted"  # some frameworks turn Ctrl-C into an exit
        return "finished" if error.code in (None, 0) else "failed"
    return "finished" if isinstance(error, GeneratorExit) else "failed"


def _is_interruption(error: BaseException) -> bool:
    """Return True for Ctrl-C, also in a group of exceptions, and for a task that was told to end.

    asyncio turns Ctrl-C into the cancellation of the main task, and so do time-outs and groups of tasks.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None or all(map(_is_interruption, error.exceptions))
    known = (getattr(sys.modules.get(module), name, None) for module, name in CANCELLED)
    return isinstance(error, (KeyboardInterrupt, *filter(None, known)))


def end_event(status: str, error: BaseException | None) -> dict[str, Any]:
    """Return the event that ends a run."""
    end: dict[str, Any] = {
        "type": "end",
        "status": status if isinstance(status, str) and status in STATUSES else "failed",
    }
    return end if error is None else end | {"error": describe_error(error)}


def describe_error(error: BaseException) -> dict[str, str]:
    """Return type, message and traceback of an exception as the end event holds them."""
    try:
        message = str(error)
        trace = _trace_of(error)
    except Exception as second:  # a foreign exception's str
        message, trace = f"its str() raises {type(second).__name__}", ""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"type": name, "message": message[:MAX_ERROR_CHARS], "traceback": trace[-MAX_ERROR_CHARS:]}


def cause(error: BaseException | None) -> BaseException | None:
    """Return the exception that made somebody call `sys.exit(1)`; `error` itself where that is not what happened."""
    if isinstance(error, SystemExit) and error.code not in (None, 0) and isinstance(error.__context__, Exception):
        return error.__context__
    return error


def _trace_of(error: BaseException) -> str:
    """Return the traceback as the user would see it: from the outermost call, without frames of ours."""
    import traceback  # needed only where something went wrong

    found = traceback.TracebackException.from_exception(error)
    above = error.__traceback__.tb_frame.f_back if error.__traceback__ is not None else None
    frames = [*(traceback.extract_stack(above) if above is not None else ()), *found.stack]
    found.stack = traceback.StackSummary.from_list([frame for frame in frames if not _is_own(frame.filename)])
    return "".join(found.format())


def _is_own(filename: str) -> bool:
    path = Path(filename)
    if filename == "<frozen runpy>":  # `runlore run` starts scripts with it
        return True
    own = OWN_FOLDER in path.parents and path.relative_to(OWN_FOLDER).parts[0] != "testing"  # which calls users' tests
    return filename.startswith("<runlore") or own or path.parent.name.startswith("runlore_")
