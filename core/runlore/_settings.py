"""Settings: environment variables first, then `[tool.runlore]` of the nearest pyproject.toml."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runlore._startup import BEGAN_IN, working_folder
from runlore.errors import SettingError

CHECKPOINTS = ("best", "none", "all")  # values of RUNLORE_CHECKPOINTS; "best" keeps the last one, too

NAMES = {
    "store": "RUNLORE_STORE",
    "experiment": "RUNLORE_EXPERIMENT",
    "disabled": "RUNLORE_DISABLED",
    "quiet": "RUNLORE_QUIET",
    "progress": "RUNLORE_PROGRESS",
    "csv": "RUNLORE_CSV",
    "output": "RUNLORE_OUTPUT",
    "autolog": "RUNLORE_AUTOLOG",
    "checkpoints": "RUNLORE_CHECKPOINTS",
    "dry_runs": "RUNLORE_DRY_RUNS",
    "job": "RUNLORE_JOB",
}
TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}


def present_folder() -> Path:
    """Return the folder that the process works in; where somebody has removed it, the one that it began in."""
    return Path(working_folder() or BEGAN_IN or os.sep)


def setting(name: str, start: Path | None = None) -> str | None:
    """Return the value of a setting; None where it is not set.

    Raises:
        SettingError: pyproject.toml can't be read, or the value is no text, number, flag or list.
    """
    value = os.environ.get(NAMES[name])
    if value is not None:
        return value
    folder, settings = _project_settings(start or present_folder())
    found = settings.get(name)
    if found is None:
        return None
    if name in ("store", "csv") and isinstance(found, str) and "://" not in found:
        return str(folder / Path(found).expanduser())  # relative to the file, wherever the script is started
    if isinstance(found, bool):
        return "1" if found else "0"
    if isinstance(found, list):
        return ",".join(map(str, found))
    if isinstance(found, str | int | float):
        return str(found)
    raise SettingError(f"tool.runlore.{name} in pyproject.toml is {found!r}: write a text, a number or true")


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
    """Return the variables of the environment that begin with RUNLORE_ and are no setting."""
    return sorted(name for name in os.environ if name.startswith("RUNLORE_") and name not in NAMES.values())


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


def _project_settings(start: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the nearest pyproject.toml upwards, and its table `tool.runlore`."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if "tool.runlore" not in text:
            break
        import tomllib

        try:
            found = tomllib.loads(text).get("tool", {}).get("runlore", {})
        except tomllib.TOMLDecodeError as error:
            raise SettingError(f"{path} can't be read: {error}") from error
        return folder, found if isinstance(found, dict) else {}
    return start, {}
