"""The entry points of the groups "runlore" and "runlore.integrations", read by hand.

Importing `importlib.metadata` takes 25 ms, and it parses the metadata of every distribution.
"""

import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from types import FunctionType
from typing import Any

from runlore._frozen import Frozen, late
from runlore._lazy import imported
from runlore._startup import LENT

GROUP = "runlore"
WAITING = f"{GROUP}.integrations"  # of plugins that only integrate a framework: loaded when somebody asks for one
OURS = f"[{GROUP}".encode()  # how the sections of both begin
AWAITED = "awaited.txt"  # beside a plugin's module: what it would tell if it were loaded
OWN = "runlore"  # the distribution, which counts without metadata, too: in an archive, a frozen program, a source tree
PLUGINS = {
    "code": "runlore.plugins.code", "csv": "runlore.plugins.csv_mirror:plugin", "data": "runlore.plugins.data",
    "environment": "runlore.plugins.environment", "progress": "runlore.plugins.progress:plugin",
    "secrets": "runlore.plugins.secrets", "system": "runlore.plugins.system:plugin",
}  # fmt: skip
INTEGRATIONS = ("catboost keras lightgbm lightning optuna ray scripts sklearn spark torch transformers xgboost").split()
MAX_BYTES = 1 << 20  # of a distribution's entry points, and of what is awaited, that are read
_loading: ContextVar[bool] = ContextVar("runlore_loading_plugin", default=False)


@late
class EntryPoint(Frozen):
    """The name of a plugin and the place of its code: `value` is "module" or "module:attribute".

    One that `waits` is loaded when its hooks are called, or its name is that of an imported module.
    """

    name: str
    value: str
    distribution: str
    version: str
    waits: bool = False

    def load(self) -> Any:
        """Import the plugin: a module, another object, or what a function returns, which may be None for no plugin."""
        module, _, attribute = self.value.partition(":")
        before = _loading.set(True)
        try:
            plugin: Any = imported(module.strip())
        finally:
            _loading.reset(before)
        for part in filter(None, attribute.strip().split(".")):
            plugin = getattr(plugin, part)
        return plugin() if isinstance(plugin, FunctionType) else plugin

    @property
    def folder(self) -> str | None:
        """The folder of the package that its module lies in; None where there is none. Nothing is imported."""
        package = self.value.partition(":")[0].partition(".")[0].strip()
        for place in sys.path:  # as most are found: a finder of modules takes ten times as long
            if os.path.isfile(f"{place or '.'}/{package}/__init__.py"):  # noqa: PTH113
                return f"{place or '.'}/{package}"
        from importlib.util import find_spec

        try:
            spec = find_spec(package)
        except (ImportError, ValueError):
            return None
        return next(iter((spec and spec.submodule_search_locations) or ()), None)

    def declared(self) -> dict[str, list[str]] | None:
        """Return the modules that each of its integrations waits for, by name, as a file beside its module tells.

        Other hooks of it stand there, too, without modules. None where there is no such file.
        """
        try:
            text = _content(f"{self.folder}/{AWAITED}").decode()
        except (OSError, UnicodeDecodeError):
            return None
        return {name: modules for name, *modules in map(str.split, filter(None, text.splitlines()))}


def is_loading() -> bool:
    """Return True while the module of a plugin is imported, and with it the packages that it lies in."""
    return _loading.get()


def entry_points() -> list[EntryPoint]:
    """Find the entry points of our groups on `sys.path`; of two with one name the first counts."""
    found: dict[str, EntryPoint] = {}
    seen: set[str] = set()
    for folder, name in [*_installed(), *_lent()]:
        project, _, version = name.rpartition(".")[0].partition("-")
        if project.lower() in seen:
            continue
        seen.add(project.lower())
        for group, point, value in _entries(f"{folder or '.'}/{name}/entry_points.txt"):
            distribution = project.replace("_", "-").lower()
            made = EntryPoint(point, value, distribution, version.partition("-")[0], group == WAITING)
            found.setdefault(point, made)
    if OWN not in seen:
        for made in _own():
            found.setdefault(made.name, made)
    return list(found.values())


def _own() -> Iterator[EntryPoint]:
    """Yield what the metadata of runlore would say, which is not there."""
    from importlib.util import find_spec  # late: few need it

    version = imported(OWN).__version__
    for name, value in PLUGINS.items():
        yield EntryPoint(name, value, OWN, version)
    for name in INTEGRATIONS:
        if find_spec(f"runlore_{name}") is not None:
            yield EntryPoint(name, f"runlore_{name}.plugin", OWN, version, waits=True)


def places(project: str) -> list[str]:
    """Return the metadata folders of a distribution, the one that counts first."""
    return [f"{folder or '.'}/{name}" for folder, name in _installed() if name.startswith(f"{project}-")]


def _installed() -> Iterator[tuple[str, str]]:
    """Yield the metadata folders of distributions: where each lies, and its name."""
    for folder in sys.path:
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        for name in names:
            yield folder, name


def _lent() -> Iterator[tuple[str, str]]:
    """Yield the metadata folder of the runlore that this Python borrows, if it has none."""
    for item in os.environ.get(LENT, "").split(os.pathsep):
        if item.startswith("="):
            folder, _, name = item[1:].rpartition("/")
            yield folder, name


def _entries(path: str) -> Iterator[tuple[str, str, str]]:
    """Read group, name and value of each entry point of our groups out of a distribution's file."""
    if not os.access(path, os.F_OK):  # most distributions have no such file, and an exception takes longer
        return
    try:
        data = _content(path)
        if OURS not in data:
            return
        text = data.decode()
    except (OSError, UnicodeDecodeError):
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section in (GROUP, WAITING) and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield section, name.strip(), value.partition("[")[0].strip()


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # one for each distribution: a file object takes longer
    try:
        return os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)
