"""Make a Python environment with the recorded packages, by uv; compare the recorded packages with present ones."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path

from runlore._settings import is_of_another
from runlore.errors import MissingDependency

MAX_REASON_CHARS = 300
OURS = "runlore"  # linked from where it runs now: this version can read and write the store
IGNORED = frozenset([OURS, "pip", "setuptools", "wheel", "uv"])  # installers, which don't change a training
UNREACHABLE = "Failed to fetch"  # uv's words if no index answers
PACKAGE_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")  # PEP 508
PACKAGE_VERSION = re.compile(r"\d+(?:[.!]\d+)*[a-z0-9.+_-]*")
PYTHON_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?(?:a|b|rc)?\d*")

Package = tuple[str, str]  # name and version


def differences(recorded: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each recorded package that is missing here or has another version."""
    for name in sorted(set(recorded) - IGNORED):
        before, now = recorded[name], here.get(name)
        if now != before:
            yield f"{name} {before}" + (" is not installed here" if now is None else f", here {now}")


def full_version(text: str) -> str | None:
    """Return a recorded version of Python without the "+" of a development build; None if it is no version."""
    return text.rstrip("+") if PYTHON_VERSION.fullmatch(text.rstrip("+")) else None


class Environment:
    """A virtual environment, to be made in a folder by uv with its user's own settings (UV_INDEX, …).

    `projects` are distributions to install from folders, by name.

    Raises:
        MissingDependency: uv is not installed.
    """

    def __init__(self, folder: Path, packages: Mapping[str, str], projects: Sequence[tuple[str, Path]]) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._projects = projects
        own = IGNORED.union(name for name, _ in projects)
        self.packages: list[Package] = [(name, version) for name, version in packages.items() if name not in own]
        self._uv = _find_uv()

    def prepare(self, version: str) -> Iterator[str]:
        """Make the environment, still empty, and check that uv finds the packages.

        Yields a problem for each that it does not find; such a package is replaced as the problem says, or left out.
        """
        reason = self._make(version)
        if reason is not None:
            minor = ".".join(version.split(".")[:2])
            other = minor if self._make(minor) is None else "the present Python"
            yield f"Python {version} can't be had: {reason}; {other} would stand in for it"
            if other != minor:
                self._make(sys.executable)
        odd = [item for item in self.packages if not _is_package(*item)]
        self.packages = [item for item in self.packages if item not in odd]
        yield from (f"package {name!r} {version!r}: not a valid name and version" for name, version in odd)
        yield from self._find_packages()

    def install(self) -> str | None:
        """Install each package in its exact version, and link runlore. Return the reason of a failure, else None."""
        reason = self._install([f"{name}=={version}" for name, version in self.packages])
        for _, place in self._projects:
            reason = reason or self._install(["--editable", str(place)])
        if reason is None:
            self._link_runlore()
        return reason

    def _make(self, version: str) -> str | None:
        return self._run("venv", "--quiet", "--no-project", "--python", version, str(self.folder))

    def _find_packages(self) -> Iterator[str]:
        """Yield the packages that no index has; the public version replaces a local build such as 2.1+cu118."""
        reason = self._try(self.packages)
        if reason is not None and UNREACHABLE in reason:
            yield f"the packages: no index can be reached: {reason}"
            return
        for (name, version), why in [*self._unobtainable(self.packages, reason)]:
            place = self.packages.index((name, version))
            public = version.partition("+")[0]
            if public != version and self._try([(name, public)]) is None:
                self.packages[place] = (name, public)
                why += f"; {public} would stand in for this build, unless UV_INDEX names an index that has it"
            else:
                del self.packages[place]
            yield f"package {name} {version}: {why}"

    def _unobtainable(self, packages: Sequence[Package], reason: str | None) -> Iterator[tuple[Package, str]]:
        """Yield the packages that can't be installed. uv names only one: halve the list until each is alone."""
        if reason is None or not packages:
            return
        if len(packages) == 1:
            yield packages[0], reason
            return
        half = len(packages) // 2
        for part in (packages[:half], packages[half:]):
            yield from self._unobtainable(part, self._try(part))

    def _try(self, packages: Sequence[Package]) -> str | None:
        """Return the reason why packages can't be installed, else None; nothing is installed."""
        return self._install([f"{name}=={version}" for name, version in packages], "--dry-run")

    def _install(self, wanted: Sequence[str], *options: str) -> str | None:
        if not wanted:
            return None
        return self._run("pip", "install", "--quiet", "--no-deps", "--python", str(self.python), *options, *wanted)

    def _run(self, *arguments: str) -> str | None:
        kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        environment = kept | _own_settings()
        command = [self._uv, "--color", "never", *arguments]
        done = subprocess.run(
            command, cwd=self.folder.parent, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        return _reason(done.stderr) if done.returncode else None

    def _link_runlore(self) -> None:
        """Link the running runlore and its integrations, and their metadata, into the environment."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        distribution = metadata.distribution(OURS)
        modules = {OURS, *(point.module.partition(".")[0] for point in distribution.entry_points)}
        for module in modules:
            spec = util.find_spec(module)
            for place in (spec.submodule_search_locations or ()) if spec is not None else ():
                _link(site / module, Path(place))
        facts = f"{OURS}-{distribution.version}.dist-info"
        _link(site / facts, Path(str(distribution.locate_file(facts))))


def _is_package(name: str, version: str) -> bool:
    return bool(PACKAGE_NAME.fullmatch(name) and PACKAGE_VERSION.fullmatch(version))


def _link(place: Path, target: Path) -> None:
    if not place.exists():
        place.symlink_to(target)


def _own_settings() -> dict[str, str]:
    """Return variables by which uv reads the settings of its user, or of the machine, and of no folder above it."""
    if os.environ.get("UV_CONFIG_FILE") or os.environ.get("UV_NO_CONFIG"):
        return {}
    own = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  # it never raises
    for folder in (own, "/etc/xdg", "/etc"):
        file = Path(folder, "uv", "uv.toml")
        if file.is_absolute() and file.is_file() and not is_of_another(file):
            return {"UV_CONFIG_FILE": str(file)}
    return {"UV_NO_CONFIG": "1"}


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
    """Return uv's reason for a failure as one line."""
    lines = [line.strip(" ×╰─▶│") for line in printed.splitlines()]
    told = [line for line in lines if line and not line.startswith(("Using Python", "hint:", "Resolved"))]
    because = re.search(r"Because (.*?),? (?:and|we can)", " ".join(told))
    return because[1] if because else " ".join(told)[:MAX_REASON_CHARS] or "uv does not say why"
