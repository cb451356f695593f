"""Making a Python environment anew from the recorded packages, with uv; and how the present one differs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path

from runlore.errors import MissingDependency

MOST = 300  # characters of what uv says
OURS = "runlore"  # comes from where it runs now: it must be able to read and write the store
NO_MATTER = frozenset([OURS, "pip", "setuptools", "wheel", "uv"])  # what installs, not what trains
UNREACHABLE = "Failed to fetch"  # what uv says then
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")  # of a package, by PEP 508
VERSION = re.compile(r"\d+(?:[.!]\d+)*[a-z0-9.+_-]*")
OF_PYTHON = re.compile(r"\d+\.\d+(?:\.\d+)?(?:a|b|rc)?\d*")

Named = tuple[str, str]  # a package and its version


def differences(recorded: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """How the packages that are installed here differ from recorded ones, a line each; more of them don't count."""
    for name in sorted(set(recorded) - NO_MATTER):
        before, now = recorded[name], here.get(name)
        if now != before:
            yield f"{name} {before}" + (" is not installed here" if now is None else f", here {now}")


def full_version(text: str) -> str | None:
    """A recorded version of Python, "3.13.0+" as 3.13.0; None for anything else."""
    return text.rstrip("+") if OF_PYTHON.fullmatch(text.rstrip("+")) else None


class Environment:
    """An environment to be made in a folder. uv looks for packages where its own settings say (UV_INDEX, …).

    `projects` are distributions that are installed from folders.

    Raises:
        MissingDependency: uv is not installed.
    """

    def __init__(self, folder: Path, packages: Mapping[str, str], projects: Sequence[tuple[str, Path]]) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._projects = projects
        own = NO_MATTER.union(name for name, _ in projects)
        self.packages: list[Named] = [(name, version) for name, version in packages.items() if name not in own]
        self._uv = _find_uv()

    def prepare(self, version: str) -> Iterator[str]:
        """Make it, still empty; what can't be had, and why. What stands in for that is told, else it is left out."""
        reason = self._make(version)
        if reason is not None:
            minor = ".".join(version.split(".")[:2])
            other = minor if self._make(minor) is None else "the present Python"
            yield f"Python {version} can't be had: {reason}; {other} would stand in for it"
            if other != minor:
                self._make(sys.executable)
        odd = [item for item in self.packages if not NAME.fullmatch(item[0]) or not VERSION.fullmatch(item[1])]
        self.packages = [item for item in self.packages if item not in odd]
        yield from (f"package {name!r} {version!r}: no name and version of a package" for name, version in odd)
        yield from self._look()

    def install(self) -> str | None:
        """Install the packages, each in exactly its version, and make ourselves importable; what goes wrong, if so."""
        reason = self._install([f"{name}=={version}" for name, version in self.packages])
        for _, place in self._projects:
            reason = reason or self._install(["--editable", str(place)])
        if reason is None:
            self._lend_ourselves()
        return reason

    def _make(self, version: str) -> str | None:
        return self._run("venv", "--quiet", "--no-project", "--python", version, str(self.folder))

    def _look(self) -> Iterator[str]:
        """The packages that no index has any more; a build of one's own may give way to the public one."""
        reason = self._look_for(self.packages)
        if reason is not None and UNREACHABLE in reason:
            yield f"the packages: no index can be reached: {reason}"
            return
        for (name, version), why in [*self._unobtainable(self.packages, reason)]:
            place = self.packages.index((name, version))
            public = version.partition("+")[0]
            if public != version and self._look_for([(name, public)]) is None:
                self.packages[place] = (name, public)
                why += f"; {public} would stand in for this build, unless UV_INDEX names an index that has it"
            else:
                del self.packages[place]
            yield f"package {name} {version}: {why}"

    def _unobtainable(self, packages: Sequence[Named], reason: str | None) -> Iterator[tuple[Named, str]]:
        """uv names one at a time: look in halves until each is alone."""
        if reason is None or not packages:
            return
        if len(packages) == 1:
            yield packages[0], reason
            return
        half = len(packages) // 2
        for part in (packages[:half], packages[half:]):
            yield from self._unobtainable(part, self._look_for(part))

    def _look_for(self, packages: Sequence[Named]) -> str | None:
        return self._install([f"{name}=={version}" for name, version in packages], "--dry-run")

    def _install(self, wanted: Sequence[str], *options: str) -> str | None:
        if not wanted:
            return None
        return self._run("pip", "install", "--quiet", "--no-deps", "--python", str(self.python), *options, *wanted)

    def _run(self, *arguments: str) -> str | None:
        environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        command = [self._uv, "--color", "never", *arguments]
        done = subprocess.run(
            command, cwd=self.folder.parent, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return _reason(done.stderr) if done.returncode else None

    def _lend_ourselves(self) -> None:
        """Links to the packages of ours that run now, and to what tells Python of them."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        distribution = metadata.distribution(OURS)
        modules = {OURS, *(point.module.partition(".")[0] for point in distribution.entry_points)}
        for module in modules:
            spec = util.find_spec(module)
            for place in (spec.submodule_search_locations or ()) if spec is not None else ():
                _link(site / module, Path(place))
        facts = Path(str(distribution._path))  # type: ignore[attr-defined]  # there is no public name for its folder
        _link(site / facts.name, facts)


def _link(place: Path, target: Path) -> None:
    if not place.exists():
        place.symlink_to(target)


def _find_uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise MissingDependency(
            "making the environment anew needs uv: pip install 'runlore[reproduce]'; --here uses the present one"
        )
    return found


def _reason(printed: str) -> str:
    """What uv says, as one line."""
    lines = [line.strip(" ×╰─▶│") for line in printed.splitlines()]
    told = [line for line in lines if line and not line.startswith(("Using Python", "hint:", "Resolved"))]
    because = re.search(r"Because (.*?),? (?:and|we can)", " ".join(told))
    return because[1] if because else " ".join(told)[:MOST] or "uv does not say why"
