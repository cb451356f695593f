"""Packages whose public names are imported at first use, so that `import runlore` stays fast."""

import sys

TYPE_CHECKING = False  # neither `typing` nor `collections` is imported here: every Python of a program imports this
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, Self


class Nothing:
    """Takes every call and does nothing: in place of a function whose module can't be read, or of what it returns."""

    def __call__(self, *_: object, **__: object) -> "Self":
        return self

    def __getattr__(self, name: str) -> "Self":
        if name.startswith("__"):
            raise AttributeError(name)  # it is not an array, a mapping and whatever else people look for
        return self

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def imported(name: str) -> "Any":
    """Import a module by its whole name, as `importlib.import_module` does, which takes a while to be imported."""
    __import__(name)
    return sys.modules[name]


def call_at_import(package: str, home: str, name: str) -> None:
    """Call a function of a package's module as the package is imported; say so where its code can't be read."""
    try:
        getattr(imported(f"{package}.{home}"), name)()
    except OSError as error:
        _complain(package, name, error)


def _complain(package: str, name: str, error: OSError) -> None:
    try:  # noqa: SIM105  # contextlib takes longer to import than all of this
        sys.stderr.write(f"{package}: {name} does nothing, as its code can't be read: {error}\n")
    except (OSError, ValueError, AttributeError):  # no stderr: nobody would read it
        pass


def lazy(
    package: str, homes: "Mapping[str, str]", verbs: "Collection[str]" = ()
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Return the `__getattr__` and `__dir__` of a package; `homes` names the module of each of its public names.

    Where a module can't be read, because descriptors are used up, say, its names that are `verbs` do nothing from then
    on: what is logged later belongs to a run that was never started.
    """

    def __getattr__(name: str) -> "Any":  # noqa: N807  # becomes that of the package
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(imported(f"{package}.{home}"), name)
        except OSError as error:
            if name not in verbs:
                raise
            _complain(package, name, error)
            for verb in verbs:
                if homes[verb] == home:
                    setattr(sys.modules[package], verb, Nothing())
            return Nothing()
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted(homes)

    return __getattr__, __dir__
