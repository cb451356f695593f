"""Tell the supervising process, as a Python of a program ends, which code has run here: it records what is told.

Imported at exit, in a process that may have loaded nothing else of ours: what is told is written in one line.
"""

import os
import stat
import sys

from runlore._callers import is_users_file
from runlore._lazy import imported
from runlore._startup import BEGAN_IN, SEEDED, TOLD, working_folder

Beginning = tuple[int, bool, str, dict[str, str], dict[str, int]]
UNNAMED = ("", "-", "-c", "-m")  # scripts that lie in no file, or whose name is known otherwise


def tell(beginning: Beginning) -> None:
    """Tell of this process. It is the program itself where `beginning` says so: then what it raised is recorded, too.

    Never raises.
    """
    _, is_program, script, variables, seeds = beginning
    try:
        place = os.environ.get(TOLD) or variables.get(TOLD)
        if place:
            _write(place, _json(_facts(is_program, script, variables, seeds)))
    except Exception:  # noqa: S110  # Python is about to end: the run says that nothing was told
        pass
    if is_program and getattr(sys, "last_value", None) is not None:
        from runlore.programs.joining import tell_error

        tell_error()


def _facts(is_program: bool, script: str, variables: dict[str, str], seeds: dict[str, int]) -> dict[str, object]:
    changed = {name: value for name, value in os.environ.items() if variables.get(name) != value}
    if changed:
        from runlore._variables import RECORDED

        changed = {name: value for name, value in changed.items() if name in RECORDED}
    hash_seed = os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0"
    return {
        "is_program": is_program,
        "cwd": working_folder(),
        "script": os.path.join(BEGAN_IN or os.curdir, script) if script not in UNNAMED else None,
        "version": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "path": [str(place) for place in sys.path],
        "modules": _modules(),
        "seeds": {"hash_seed": hash_seed, **seeds, **_seeds_of_libraries(variables)},
        "variables": changed,
    }


def _modules() -> dict[str, tuple[str, str]]:
    """Return file and package of each module of the user's, by name."""
    found, kind = {}, type(sys)
    prefixes = tuple(f"{prefix}/" for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/", "/usr"})
    for name, module in list(sys.modules.items()):
        values = vars(module) if isinstance(module, kind) else {}
        file = values.get("__file__")
        if isinstance(file, str) and is_users_file(file) and not file.startswith(prefixes):
            found[name] = (os.path.join(BEGAN_IN or os.curdir, file), str(values.get("__package__") or ""))
    return found


def _seeds_of_libraries(variables: dict[str, str]) -> dict[str, int | str]:
    """Return the seeds that plugins know, in a process that has loaded any such library: they all load numpy."""
    found: dict[str, int | str] = {}
    for name in variables.get(SEEDED, "").split(",") if "numpy" in sys.modules else ():
        try:
            told = imported(name).runlore_capture_seeds() or {}
            found.update({key: value for key, value in told.items() if key.endswith("_seed")})
        except Exception:  # noqa: S110  # a plugin's own code, as Python is about to end: nobody reads a complaint
            pass
    return found


def _json(value: object) -> str:
    """Return a value in JSON: what this process has not imported may take longer than all that it tells."""
    if isinstance(value, dict):
        return "{" + ",".join([f"{_json(str(name))}:{_json(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int):
        return int.__repr__(value)
    text = str(value)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return '"' + "".join([f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4)]) + '"'


def _write(place: str, text: str) -> None:
    """Add a line to a file that is there; others may do so at the same time. Nothing goes to where a link leads."""
    told = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(told)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            os.write(told, f"{text}\n".encode())
    finally:
        os.close(told)
