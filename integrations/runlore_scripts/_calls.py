"""Arguments of calls that are followed: the one that names a file, by its place and its keywords."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from runlore.guest.files.watch import read, wrote
from runlore.guest.wrapping import Wrappers

Note = Callable[[tuple[Any, ...], Mapping[str, Any], Any], object]
Kind = Callable[[Any], str | None]  # the kind of file that an object becomes; None for one that is left alone


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, *keywords: str) -> Any:
    """Return an argument of a call: by its place, or by one of its keywords; None where it was not given."""
    if len(args) > place:
        return args[place]
    return next((kwargs[name] for name in keywords if name in kwargs), None)


def writes(kind: str, place: int, *keywords: str, ending: str = "") -> Note:
    """Return what notes the file that a call has written; a path without its `ending` has got that."""

    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        target = argument(args, kwargs, place, *keywords)
        wrote(with_ending(target, ending) if ending else target, kind)

    return note


def reads(name: str, place: int, *keywords: str) -> Note:
    """Return what notes the file that a call of the function of that name has read."""

    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        read(argument(args, kwargs, place, *keywords), name)

    return note


def with_ending(target: Any, ending: str) -> Any:
    """Return a path with the ending that a library gives it; whatever is no text as it is."""
    path = target if isinstance(target, str) or not hasattr(target, "__fspath__") else target.__fspath__()
    return path + ending if isinstance(path, str) and not path.endswith(ending) else path


def follow_all(wrappers: Wrappers, owner: type | ModuleType, names: Iterable[str], note: Callable[[str], Note]) -> None:
    """Follow those of some functions that this version of a library has."""
    for name in names:
        with suppress(AttributeError):
            wrappers.follow(owner, name, note(name))
