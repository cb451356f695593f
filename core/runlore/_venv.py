"""Making a Python environment anew from the recorded packages, with uv; and how the present one differs."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path

from runlore.errors import MissingDependency

MOST = 300  # characters of what uv says
OURS = "runlore"  # comes from where it runs now: it must be able to read and write the store
NO_MATTER = frozenset([OURS, "pip", "setuptools", "wheel", "uv"])  # what installs, not what trains

UNREACHABLE = "Failed to fetch"  # what uv says then

Named = tuple[str, str]  # a package and its version


def differences(recorded: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """How the packages that are installed here differ from recorded ones, a line each; more of them don't count."""
    for name in sorted(set(recorded) - NO_MATTER):
        before, now = recorded[name], here.get(name)
        if now != before:
            yield f"{name} {before}" + (" is not installed here" if now is None else f", here {now}")


class Environment:
    """An environment to be made in a folder. uv looks for packages where its own settings say (UV_INDEX, …).

    Raises:
        MissingDependency: uv is not installed.
    """

    def __init__(self, folder: Path, packages: Mapping[str, str], project: tuple[str, Path] | None) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._project = project
        own = NO_MATTER if project is None else NO_MATTER | {project[0]}
        self.packages: list[Named] = [(name, version) for name, version in packages.items() if name not in own]
        self._uv = _find_uv()

    def make(self, version: str) -> str | None:
        """An empty one with this version of Python; why that can't be had, if it can't."""
        return self._run("venv", "--quiet", "--no-project", "--python", version, str(self.folder))

    def look(self) -> Iterator[str]:
        """The packages that can't be had any more, and what uv says of each; `install` leaves them out."""
        reason = self._look_for(self.packages)
        if reason is not None and UNREACHABLE in reason:
            yield f"the packages: no index can be reached: {reason}"
            return
        lost = dict(self._unobtainable(self.packages)) if reason is not None else {}
        self.packages = [package for package in self.packages if package not in lost]
        for (name, version), why in lost.items():
            yield f"package {name} {version}: {why}"

    def install(self) -> str | None:
        """Install the packages, each in exactly its version, and make ourselves importable; what goes wrong, if so."""
        reason = self._install([f"{name}=={version}" for name, version in self.packages])
        if reason is None and self._project is not None:
            reason = self._install(["--editable", str(self._project[1])])
        self._lend_ourselves()
        return reason

    def _unobtainable(self, packages: Sequence[Named]) -> Iterator[tuple[Named, str]]:
        """uv names one at a time: look in halves until each is alone."""
        if not packages:
            return
        reason = self._look_for(packages)
        if reason is None:
            return
        if len(packages) == 1:
            yield packages[0], reason
            return
        half = len(packages) // 2
        yield from self._unobtainable(packages[:half])
        yield from self._unobtainable(packages[half:])

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


def python_version(text: str) -> str:
    """The digits of a recorded version of Python: "3.13.0rc1+" is 3.13.0rc1."""
    return text.rstrip("+")


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
