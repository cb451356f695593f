"""Choose the Python, the packages and the environment variables with which a run is repeated."""

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._text import count_text
from runlore._variables import RESTORED
from runlore.plugins.environment import installed_packages
from runlore.plugins.secret_words import MASK
from runlore.reproduction.paths import Places
from runlore.reproduction.plan import Plan, Problem
from runlore.reproduction.venv import IGNORED, Environment, differences, full_version
from runlore.store.runs import RecordedRun

Project = tuple[str, Path]  # a distribution that was installed from the recorded code: its name, its folder now


def choose_environment(plan: Plan, run: RecordedRun, places: Places, *, here: bool, look: bool) -> None:
    """Set the plan's Python: in a new environment with the recorded packages, or the present one (`here`).

    Without `look` the new environment is only described. Making it, or asking an index for its packages, may execute
    what the record names.
    """
    recorded = run.environment
    packages = {name: str(version) for name, version in recorded.get("packages", {}).items()}
    local = {name: str(place) for name, place in recorded.get("local_packages", {}).items()}
    version = full_version(str(recorded.get("python", {}).get("version") or ""))
    projects = [*_projects(places, packages, local)]
    if recorded.get("python"):  # else no environment was captured
        _restore_variables(plan, recorded.get("variables", {}), places, here=here)
    if not here and (not packages or version is None):
        plan.problems.append(Problem("environment", "the packages were not recorded: --here uses those that are here"))
        here = True
    if here:
        _use_present(plan, packages, version or "", projects)
        _put_first(plan, plan.imported)
        return
    known = {name for name, _ in projects}
    for name in sorted(local.keys() - known - IGNORED):
        what = f"package {name} {packages.pop(name, '')} was installed from {local[name]}, not from an index"
        plan.problems.append(Problem("environment", what))
    _put_first(plan, plan.imported)
    fresh = Environment(plan.folder / "venv", packages, projects)
    plan.environment = f"Python {version} and {count_text(len(fresh.packages), 'package')}, made anew by uv"
    if look:
        plan.problems += [Problem("environment", what) for what in fresh.prepare(version or "")]
    plan.fresh = fresh
    _use(plan, fresh.python, fresh.folder)


def _use_present(plan: Plan, packages: Mapping[str, str], version: str, projects: Sequence[Project]) -> None:
    """Use the running Python, and list in the plan how its packages differ from the recorded ones."""
    plan.environment = f"the Python and the packages that are here, {sys.prefix}"
    now = ".".join(map(str, sys.version_info[:3]))
    if version and not version.startswith(now):
        plan.differs.append(f"Python {version}, here {now}")
    added = (plan.settings.get("PYTHONPATH", os.environ.get("PYTHONPATH")) or "").split(os.pathsep)
    present = installed_packages([*filter(None, added), *sys.path])
    own = {name for name, _ in projects}
    plan.differs += differences({name: found for name, found in packages.items() if name not in own}, present)
    if projects:  # installed here is the user's present code; the recorded code goes before it
        first = [str(place / "src" if (place / "src").is_dir() else place) for _, place in projects]
        plan.settings["PYTHONPATH"] = os.pathsep.join(filter(None, (*first, *added)))
    _use(plan, Path(sys.executable), Path(sys.prefix))


def _put_first(plan: Plan, folder: Path | None) -> None:
    """Let a folder be searched for modules before all that PYTHONPATH names."""
    if folder is not None:
        added = plan.settings.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        plan.settings["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), added)))


def _use(plan: Plan, python: Path, prefix: Path) -> None:
    plan.python = python
    plan.settings["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    plan.settings["VIRTUAL_ENV"] = str(prefix)


def _restore_variables(plan: Plan, recorded: Mapping[str, Any], places: Places, *, here: bool) -> None:
    """Set the variables that change results as they were recorded; remove those that were not set then."""
    for name in os.environ:
        kept = here and name == "PYTHONPATH"  # older records lack it, and the present packages may depend on it
        if name in RESTORED and name not in recorded and not kept:
            plan.settings[name] = None
    for name, value in recorded.items():
        if name in RESTORED:
            relocated = places.relocate(str(value))
            if os.environ.get(name) != relocated:
                plan.settings[name] = relocated
            if MASK in relocated:
                plan.problems.append(Problem("environment", f"the value of {name} was masked as a secret"))


def _projects(places: Places, packages: Mapping[str, str], local: Mapping[str, str]) -> Iterator[Project]:
    """Yield the distributions that were installed from the recorded code."""
    for name, place in local.items():
        now = places.now(place)
        if name in packages and now != places.then(place) and (now / "pyproject.toml").is_file():
            yield name, now
    try:
        told = tomllib.loads((places.code / "pyproject.toml").read_text(encoding="utf-8"))
        name = re.sub(r"[-_.]+", "-", str(told["project"]["name"])).lower()
    except (OSError, ValueError, KeyError, TypeError):
        return
    if name in packages and name not in local:  # older records don't say where a package was installed from
        yield name, places.code
