"""Settings: environment variables first, then `[tool.runlore]` of the nearest pyproject.toml."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runlore.errors import SettingError

KEEP = ("best", "none", "all")  # what RUNLORE_CHECKPOINTS may say; "best" stands for best and last

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
}
TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}


def setting(name: str, start: Path | None = None) -> str | None:
    """The value of a setting; None where nobody set it.

    Raises:
        SettingError: pyproject.toml can't be read, or holds something else than a text, a number, a flag or a list.
    """
    value = os.environ.get(NAMES[name])
    if value is not None:
        return value
    folder, settings = _project_settings(start or Path.cwd())
    found = settings.get(name)
    if found is None:
        return None
    if name in ("store", "csv") and isinstance(found, str) and "://" not in found:
        return str(folder / Path(found).expanduser())  # as the file means it, wherever the script is started
    if isinstance(found, bool):
        return "1" if found else "0"
    if isinstance(found, list):
        return ",".join(map(str, found))
    if isinstance(found, str | int | float):
        return str(found)
    raise SettingError(f"tool.runlore.{name} in pyproject.toml is {found!r}: write a text, a number or true")


def flag(name: str) -> bool:
    """A setting that is on or off; off where nobody set it.

    Raises:
        SettingError: the value says neither.
    """
    value = (setting(name) or "").strip().lower()
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise SettingError(f"{NAMES[name]} is {value!r}: write 1 or 0")


def unknown_variables() -> list[str]:
    """Variables of the environment that begin with RUNLORE_ and mean nothing."""
    return sorted(name for name in os.environ if name.startswith("RUNLORE_") and name not in NAMES.values())


def seconds(name: str) -> float:
    """A setting that is a number of seconds; 0 where it is off.

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
    """A setting that is one of some words; the first where nobody set it.

    Raises:
        SettingError: it is another word.
    """
    value = (setting(name) or "").strip().lower() or words[0]
    if value not in words:
        raise SettingError(f"{NAMES[name]} is {value!r}: write {', '.join(words[:-1])} or {words[-1]}")
    return value


def disabled_names() -> frozenset[str]:
    """Plugins and integrations that are switched off; "all" stands for runlore itself."""
    value = (setting("disabled") or "").strip()
    if value.lower() in FALSE:
        return frozenset()
    if value.lower() in TRUE:
        return frozenset({"all"})
    return frozenset(part.strip() for part in value.split(",") if part.strip())


def _project_settings(start: Path) -> tuple[Path, dict[str, Any]]:
    """The nearest pyproject.toml's folder, and what it says of us."""
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
