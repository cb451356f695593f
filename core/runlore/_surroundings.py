"""The environment and the command of a run that is done again."""

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._environment import RESTORED, installed_packages
from runlore._places import Places, program_of, scripts
from runlore._plan import Plan, Problem
from runlore._secret_text import MASK
from runlore._terminal import asking
from runlore._text import count_text
from runlore._venv import NO_MATTER, Environment, differences, full_version
from runlore.runs import RecordedRun

Project = tuple[str, Path]  # the user's own distribution: its recorded name, and where it lies now
BEHIND = "name a command behind --"


def choose_environment(plan: Plan, run: RecordedRun, places: Places, *, here: bool, look: bool) -> None:
    """The recorded Python and packages, made anew, or those that are `here`; variables as they were.

    Without `look` nothing is made nor looked for, as that may run what the record names.
    """
    recorded = run.environment
    packages = {name: str(version) for name, version in recorded.get("packages", {}).items()}
    local = {name: str(place) for name, place in recorded.get("local_packages", {}).items()}
    version = full_version(str(recorded.get("python", {}).get("version") or ""))
    projects = [*_projects(places, packages, local)]
    if recorded.get("python"):  # else nobody looked
        _restore_variables(plan, recorded.get("variables", {}), places, here=here)
    if not here and (not packages or version is None):
        plan.problems.append(Problem("environment", "the packages were not recorded: --here uses those that are here"))
        here = True
    if here:
        _stay_here(plan, packages, version or "", projects)
        return
    known = {name for name, _ in projects}
    for name in sorted(local.keys() - known - NO_MATTER):
        what = f"package {name} {packages.pop(name, '')} was installed from {local[name]}, not from an index"
        plan.problems.append(Problem("environment", what))
    fresh = Environment(plan.folder / "venv", packages, projects)
    plan.environment = f"Python {version} and {count_text(len(fresh.packages), 'package')}, made anew by uv"
    if look:
        plan.problems += [Problem("environment", what) for what in fresh.prepare(version or "")]
    plan.fresh = fresh
    _use(plan, fresh.python, fresh.folder)


def _stay_here(plan: Plan, packages: Mapping[str, str], version: str, projects: Sequence[Project]) -> None:
    plan.environment = f"the Python and the packages that are here, {sys.prefix}"
    now = ".".join(map(str, sys.version_info[:3]))
    if version and not version.startswith(now):
        plan.differs.append(f"Python {version}, here {now}")
    added = (plan.settings.get("PYTHONPATH", os.environ.get("PYTHONPATH")) or "").split(os.pathsep)
    present = installed_packages([*filter(None, added), *sys.path])
    own = {name for name, _ in projects}
    plan.differs += differences({name: found for name, found in packages.items() if name not in own}, present)
    if projects:  # what is installed of them is the user's present code
        first = [str(place / "src" if (place / "src").is_dir() else place) for _, place in projects]
        plan.settings["PYTHONPATH"] = os.pathsep.join(filter(None, (*first, *added)))
    _use(plan, Path(sys.executable), Path(sys.prefix))


def _use(plan: Plan, python: Path, prefix: Path) -> None:
    plan.python = python
    plan.settings["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    plan.settings["VIRTUAL_ENV"] = str(prefix)


def _restore_variables(plan: Plan, recorded: Mapping[str, Any], places: Places, *, here: bool) -> None:
    """Variables that change results as they were; those that nobody had set then are taken away."""
    for name in os.environ:
        kept = here and name == "PYTHONPATH"  # older records don't tell, and the present packages may hang on it
        if re.fullmatch(RESTORED, name) and name not in recorded and not kept:
            plan.settings[name] = None
    for name, value in recorded.items():
        if re.fullmatch(RESTORED, name):
            moved = places.moved(str(value))
            if os.environ.get(name) != moved:
                plan.settings[name] = moved
            if MASK in moved:
                plan.problems.append(Problem("environment", f"the value of {name} was masked as a secret"))


def _projects(places: Places, packages: Mapping[str, str], local: Mapping[str, str]) -> Iterator[Project]:
    """The user's own distributions that were installed from the code."""
    for name, place in local.items():
        now = places.there(place)
        if name in packages and now != places.then(place) and (now / "pyproject.toml").is_file():
            yield name, now
    try:
        told = tomllib.loads((places.code / "pyproject.toml").read_text(encoding="utf-8"))
        name = re.sub(r"[-_.]+", "-", str(told["project"]["name"])).lower()
    except (OSError, ValueError, KeyError, TypeError):
        return
    if name in packages and name not in local:  # of older records, which don't tell
        yield name, places.code


# The command


def choose_command(plan: Plan, run: RecordedRun, places: Places, given: Sequence[str]) -> None:
    """The recorded command in the fresh folder, or the one that is `given`."""
    plan.command = list(given)
    if given:
        return
    script = _script(run, places)
    program = program_of(run)
    tool = _tool(run, program, plan.python)
    if script is None and tool is None:
        why = f"its script {program[-1]!r} is not in its code" if program else "it was typed, or run in a notebook"
        what = " ".join(map(str, run.command.get("argv") or [])) or "unknown"
        plan.problems.append(Problem("command", f"{what}: {why}; {BEHIND}"))
        return
    if tool is not None:
        program[-1] = str(tool)
    elif program[-2:-1] != ["-m"] and script is not None:
        same = Path(os.path.normpath(plan.cwd / program[-1])) == script
        program[-1] = program[-1] if same and not Path(program[-1]).is_absolute() else str(script)
    arguments = [places.moved(str(part)) for part in (run.command.get("argv") or [])[1:]]
    plan.command = [str(plan.python), *map(places.moved, program), *arguments]
    if "runlore._script" in program and "RUNLORE_AUTOLOG" not in run.environment.get("variables", {}):
        plan.settings["RUNLORE_AUTOLOG"] = "1"
    plan.problems += [Problem("command", what) for what in _obstacles(plan, run, places, script)]


def _script(run: RecordedRun, places: Places) -> Path | None:
    """The script in the fresh folder; None where it lies elsewhere, or is not there."""
    for text in scripts(run):
        path = places.there(text)
        if path.is_file() and Path(os.path.realpath(path)).is_relative_to(places.folder):
            return path
    return None


def _tool(run: RecordedRun, program: Sequence[str], python: Path) -> Path | None:
    """What stands for a program that was installed with the environment, such as `lightning`, beside Python now."""
    prefix = run.environment.get("python", {}).get("prefix")
    if not program or not prefix or program[-2:-1] == ["-m"]:
        return None
    path = Path(program[-1])
    return python.parent / path.name if path.is_absolute() and path.parent == Path(str(prefix), "bin") else None


def _obstacles(plan: Plan, run: RecordedRun, places: Places, script: Path | None) -> Iterator[str]:
    if any(MASK in part for part in plan.command):
        yield f"an argument was masked as a secret; {BEHIND}"
    variables = run.environment.get("variables", {})
    if "RANK" in variables and str(variables.get("WORLD_SIZE", "1")) != "1":
        count = variables["WORLD_SIZE"]
        yield f"it was one of {count} processes of a launcher, whose command is not recorded; {BEHIND}"
    for place in asking(script, places.code) if script is not None else ():
        yield f"it asks at a terminal: {place}; a command behind -- may answer, such as sh -c 'echo … | python …'"
