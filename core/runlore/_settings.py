"""Settings: environment variables first, then `[tool.runlore]` of the nearest pyproject.toml of this user's."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from runlore._process import Part, process
from runlore._sharing import owner_of_another
from runlore._startup import AUTOLOG, BEGAN_IN, PROGRAM, WATCHED, working_folder
from runlore._warnings import report
from runlore.errors import SettingError

CHECKPOINTS = ("best", "none", "all")  # values of RUNLORE_CHECKPOINTS; "best" keeps the last one, too

NAMES = {
    "store": "RUNLORE_STORE",
    "experiment": "RUNLORE_EXPERIMENT",
    "disabled": "RUNLORE_DISABLED",
    "quiet": "RUNLORE_QUIET",
    "progress": "RUNLORE_PROGRESS",
    "csv": "RUNLORE_CSV",
    "csv_exact": "RUNLORE_CSV_EXACT",
    "output": "RUNLORE_OUTPUT",
    "parse_output": "RUNLORE_PARSE_OUTPUT",
    "autolog": AUTOLOG,
    "notebook": "RUNLORE_NOTEBOOK",
    "checkpoints": "RUNLORE_CHECKPOINTS",
    "dry_runs": "RUNLORE_DRY_RUNS",
    "job": "RUNLORE_JOB",
    "shared": "RUNLORE_SHARED",
    "trusted": "RUNLORE_TRUSTED",
}
OF_PROGRAMS = (PROGRAM, WATCHED, "RUNLORE_REPRODUCTION")  # set for what runlore itself starts
FOR_ENVIRONMENT = {"trusted"}  # settings that no file can set
MAX_FILE_BYTES = 4 << 20  # of a pyproject.toml; a larger one is left alone
TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}

_known: ContextVar[dict[str, tuple[str, dict[str, Any]]] | None] = ContextVar("runlore_settings", default=None)


def present_folder() -> Path:
    """Return the folder that the process works in; where somebody has removed it, the one that it began in."""
    return Path(present_place())


def present_place() -> str:
    """Return the same as a text."""
    return working_folder() or BEGAN_IN or os.sep


def expanded(name: str) -> Path:
    """Return the path that a text names; `~` and `~ann` stand for folders of users.

    Raises:
        SettingError: there is no such user, or nothing tells where the user's folder is.
    """
    try:
        return Path(name).expanduser() if name.startswith("~") else Path(name)
    except RuntimeError:
        raise SettingError(f"{name!r} can't be found, as no such home folder is known: write a whole path") from None


class _PassedOver(Part):
    """The files and folders of other users that this process has been told of."""

    inherited = True

    def __init__(self) -> None:
        self.paths: set[Path] = set()


def is_of_another(path: Path) -> bool:
    """Return True if a file or folder belongs to another user, and RUNLORE_TRUSTED does not name its folder.

    One that can't be looked at counts as another's.
    """
    try:
        return owner_of_another(path) is not None and not _is_trusted(path.parent)
    except OSError:
        return True


def tell_passed_over(path: Path) -> None:
    """Warn, once, that a file or folder is not used because it belongs to another user."""
    told = process.part(_PassedOver).paths
    if path in told:
        return
    told.add(path)
    try:
        owner = f"belongs to user {owner_of_another(path)}, or its folder does"
    except OSError:
        owner = "can't be looked at"
    way = f"RUNLORE_TRUSTED={path.parent} in the environment lets it count"
    report(f"{str(path)!r} {owner}: it is passed over; {way}")


def _is_trusted(folder: Path) -> bool:
    named = os.environ.get(NAMES["trusted"], "")
    return bool(named) and any(folder.is_relative_to(name) for name in filter(None, named.split(os.pathsep)))


@contextmanager
def read_once() -> Iterator[None]:
    """Read no pyproject.toml twice in the block, in this context: a run that starts asks for a dozen settings."""
    token = None if _known.get() is not None else _known.set({})
    try:
        yield
    finally:
        if token is not None:
            _known.reset(token)


def setting(name: str, start: Path | None = None) -> str | None:
    """Return the value of a setting; None where it is not set.

    Raises:
        SettingError: pyproject.toml can't be read, or the value is no text, number, flag or list.
    """
    value = os.environ.get(NAMES[name])
    if value is not None or name in FOR_ENVIRONMENT:
        return value
    folder, settings = _settings_for(present_place() if start is None else str(start))
    found = settings.get(name)
    if found is None:
        return None
    if name in ("store", "csv") and isinstance(found, str) and "://" not in found:
        return str(Path(folder, expanded(found)))  # relative to the file, wherever the script is started
    if isinstance(found, bool):
        return "1" if found else "0"
    if isinstance(found, list):
        return ",".join(map(str, found))
    if isinstance(found, str | int | float):
        return str(found)
    raise SettingError(f"tool.runlore.{name} in pyproject.toml is {found!r}: write a text, a number or true")


def place_of(name: str) -> str | None:
    """Return where a setting comes from: "the environment", or a file; None where it is not set.

    Raises:
        SettingError: pyproject.toml can't be read.
    """
    if NAMES[name] in os.environ:
        return "the environment"
    folder, settings = _project_settings(present_place())
    return os.path.join(folder, "pyproject.toml") if settings.get(name) is not None else None


def flag(name: str) -> bool:
    """Return True for a setting that is on; one that is not set is off.

    Raises:
        SettingError: the value is neither on nor off.
    """
    value = (setting(name) or "").strip().lower()
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise SettingError(f"{NAMES[name]} is {value!r}: write 1 or 0")


def unknown_variables() -> list[str]:
    """Return the variables of the environment named RUNLORE_… that are neither a setting nor of `runlore run`."""
    known = {*NAMES.values(), *OF_PROGRAMS}
    return sorted(name for name in os.environ if name.startswith("RUNLORE_") and name not in known)


def seconds(name: str) -> float:
    """Return the seconds of a setting; 0 where it is off.

    Raises:
        SettingError: it is neither a positive number nor off.
    """
    value = (setting(name) or "").strip().lower()
    if value in FALSE:
        return 0.0
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise SettingError(f"{NAMES[name]} is {value!r}: write a number of seconds, or 0")
    return number


def choice(name: str, words: Sequence[str]) -> str:
    """Return the value of a setting that is one of some words; the first of them where it is not set.

    Raises:
        SettingError: it is another word.
    """
    value = (setting(name) or "").strip().lower() or words[0]
    if value not in words:
        raise SettingError(f"{NAMES[name]} is {value!r}: write {', '.join(words[:-1])} or {words[-1]}")
    return value


def disabled_names() -> frozenset[str]:
    """Return the names of plugins and integrations that are switched off; "all" stands for runlore itself."""
    value = (setting("disabled") or "").strip()
    if value.lower() in FALSE:
        return frozenset()
    if value.lower() in TRUE:
        return frozenset({"all"})
    return frozenset(part.strip() for part in value.split(",") if part.strip())


def _settings_for(start: str) -> tuple[str, dict[str, Any]]:
    """Return what `_project_settings` does, from what was read before in `read_once`."""
    known = _known.get()
    if known is None:
        return _project_settings(start)
    if start not in known:
        known[start] = _project_settings(start)
    return known[start]


def _project_settings(start: str) -> tuple[str, dict[str, Any]]:
    """Return the folder of the nearest pyproject.toml upwards, and its table `tool.runlore`; not another user's.

    No folder becomes a Path but the one with the file: that takes longer than to look for it.
    """
    for folder in _upwards(start):
        name = f"{folder.rstrip(os.sep)}{os.sep}pyproject.toml"
        text = _text_of(name)
        if text is None:
            continue
        path = Path(name)
        names_us = "tool.runlore" in text
        if is_of_another(path):
            if names_us:
                tell_passed_over(path)
            continue
        if not names_us:
            break
        try:
            return folder, _table(text)
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{path} can't be read: {error}") from error
    return start, {}


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and those above it, the nearest first."""
    below = ""
    while folder and folder != below:
        yield folder
        below, folder = folder, os.path.dirname(folder)  # noqa: PTH120


@lru_cache(maxsize=4)  # each run asks for a dozen settings
def _table(text: str) -> dict[str, Any]:
    """Return the table `tool.runlore` of a pyproject.toml, which nobody changes.

    Raises:
        ValueError: it is no TOML.
    """
    import tomllib

    found = tomllib.loads(text).get("tool", {}).get("runlore", {})
    return found if isinstance(found, dict) else {}


def _text_of(path: str) -> str | None:
    """Return the text of a regular file; None for anything else, and for one that is too large or can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            return None
        return os.read(descriptor, MAX_FILE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    finally:
        os.close(descriptor)
