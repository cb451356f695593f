"""The modules of the user's that this process has loaded: where their sources lie, and where they would be imported."""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from runlore._settings import present_place
from runlore._standing import loaded, module_values, named_values
from runlore.plugins.git import is_installed

OURS = ("runlore_",)  # begin the packages, with a stroke behind, that the recorded version of runlore tells of
SOURCES = (".py", ".ipy", ".ipynb")
COMPILED = (".so", ".pyd", ".pyc")
SUFFIXES = (*SOURCES, *COMPILED)


class Loaded(NamedTuple):
    """A source file that a module was loaded from, outside of Python and its installed packages.

    `path` is absolute and `real` has its links followed. `name` is the path below a folder of `sys.path` from which the
    module could be imported. `archive` is the file that it lies in, such as a zip, where it is no file of its own.
    """

    path: str
    real: str
    name: str
    archive: str | None = None

    @property
    def is_compiled(self) -> bool:
        """True for machine code and byte code."""
        return self.path.endswith(COMPILED)

    @classmethod
    def at(cls, folder: Path, name: str) -> "Loaded":
        """Return a file of a folder."""
        path = str(folder / name)
        return cls(path, os.path.realpath(path), name)

    def below(self, folder: str) -> str | None:
        """Return the path from a folder, which may lead through links; None if it lies elsewhere."""
        return _from(folder, self.path) or self.below_by_links(folder)

    def below_by_links(self, folder: str) -> str | None:
        """Return the path from a folder with all links followed; None if it lies elsewhere."""
        return _from(os.path.realpath(folder), self.real)


def loaded_modules(names: Iterable[str] | None = None) -> list[Loaded]:
    """Return the user's loaded modules; with `names` only those among them.

    It runs beside the training and looks at thousands of modules: of most only the name of the file is read.
    """
    found: dict[str, Loaded] = {}
    here = _working_folder()
    for name, values in named_values(list(loaded() if names is None else names)):
        file = values.get("__file__")
        if not isinstance(file, str) or is_installed(file) or _is_ours(name):
            continue
        if not (file.endswith(SUFFIXES) or _is_script(name, file)):
            continue
        path = file if file.startswith(os.sep) else here + file
        if path not in found and not is_installed(path) and not _is_own(path):
            found_there = _look_at(str(values.get("__name__") or name), values, path)
            if found_there is not None:
                found[path] = found_there
    return _with_single_names(sorted({item.real: item for item in found.values()}.values(), key=lambda item: item.path))


def script_file() -> str | None:
    """Return the file of the script that runs, whether it is there or not; None where the code was typed."""
    file = module_values("__main__").get("__file__")
    return file if isinstance(file, str) else None


def _is_script(name: str, file: str) -> bool:
    """Return True for the main module where its file, whatever its name is, names what executes it."""
    if name != "__main__":
        return False
    try:
        with open(file, "rb") as content:  # noqa: PTH123
            return content.read(2) == b"#!"
    except OSError:
        return False


def _look_at(name: str, values: Mapping[str, object], path: str) -> Loaded | None:
    path = os.path.normpath(path)
    real = os.path.realpath(path)
    archive = None
    if not os.path.isfile(real):  # noqa: PTH113  # thousands of them
        archive = _archive_of(path)
        if archive is None:
            return None  # gone, or never a file, as of modules that are generated
    elif is_installed(real) or _is_own(real):
        return None
    package = values.get("__package__")
    dotted = f"{package}.{Path(path).stem}" if name == "__main__" and isinstance(package, str) and package else name
    depth = len(dotted.split(".")) + (Path(path).stem == "__init__")
    below = "/".join(Path(path).parts[1:][-depth:])
    is_package = not path.startswith(_working_folder()) and _holds_packages(path.removesuffix(below))
    return None if is_package else Loaded(path, real, below, archive)


@cache
def _holds_packages(folder: str) -> bool:
    """Return True if packages were installed into a folder (`pip install --target`): their versions tell of them."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith(".dist-info") for entry in entries)
    except OSError:
        return False


def _from(folder: str, path: str) -> str | None:
    start = f"{folder.rstrip(os.sep)}{os.sep}"
    return path.removeprefix(start) if path.startswith(start) else None


def _archive_of(path: str) -> str | None:
    return next((str(folder) for folder in Path(path).parents if folder.is_file()), None)


def _with_single_names(found: list[Loaded]) -> list[Loaded]:
    """Name a file by its whole path where another has the name that it would be imported by."""
    names: set[str] = set()
    single = []
    for item in found:
        name = item.name if item.name not in names else item.path.lstrip(os.sep)
        names.add(name)
        single.append(Loaded(item.path, item.real, name, item.archive))
    return single


def _is_ours(name: str) -> bool:
    return f"{name.partition('.')[0]}_".startswith(OURS)


def _is_own(path: str) -> bool:
    return path.startswith(OWN_FOLDER)


def _working_folder() -> str:
    return f"{present_place()}{os.sep}"


OWN_FOLDER = f"{Path(__file__).resolve().parents[1]}{os.sep}"
