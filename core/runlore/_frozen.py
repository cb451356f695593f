"""Dataclasses that cost an import nothing, and a base of those whose fields can't be changed."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T", bound=type)
V = TypeVar("V")

MAX_FEW = 128  # objects of a class, for which compiling a function does not pay


class Frozen:
    """Gives a dataclass what `frozen=True` gives it; declare it with `@late` or `@dataclass(eq=False, repr=False)`.

    For a frozen dataclass Python compiles six functions as it is imported. This base is for those that every first
    start imports: together they took a tenth of it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__ or name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise _refusal(f"cannot assign to field {name!r}")
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> NoReturn:
        raise _refusal(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__qualname__}({fields})"


F = TypeVar("F", bound=Frozen)


def changed(kept: F, **fields: Any) -> F:
    """Return a copy with some fields changed."""
    return type(kept)(**{**vars(kept), **fields})


def fresh(*, factory: Callable[[], V]) -> V:
    """Declare a field of a `late` class whose default is made anew for each object."""
    return _Fresh(factory)  # type: ignore[return-value]


@dataclass_transform(eq_default=False, field_specifiers=(fresh,))
def late(kind: T) -> T:
    """Make a class a dataclass without `__eq__` and `__repr__`, but only when many are made or somebody asks for it.

    Python compiles the `__init__` of a dataclass as it is imported, which takes longer than all the rest of a module.
    Not for a class with a `__post_init__`, or one that inherits fields.
    """
    made: Any = kind
    fields = _Fields(kind)

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807  # until the class has its own
        found = fields.filled(values, named)
        if found is not None:
            vars(self).update(found)
        else:
            fields.make()
            made.__init__(self, *values, **named)

    made.__init__ = __init__
    made.__dataclass_fields__ = fields
    return kind


class _Fresh:
    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


class _Fields:
    """Stands in for the fields of a class until it is a dataclass."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._names = tuple(vars(kind)["__annotations__"])
        self._declared = {key: value for key, value in vars(kind).items() if key not in ("__dict__", "__weakref__")}
        self._few = MAX_FEW
        for name, value in self._declared.items():
            if isinstance(value, _Fresh):
                delattr(kind, name)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        self.make()
        return self._kind.__dataclass_fields__  # type: ignore[attr-defined]

    def filled(self, values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any] | None:
        """Return the fields of one of the first objects; None where Python is to make them, or to say what is wrong."""
        given = {**dict(zip(self._names, values, strict=False)), **named}
        self._few -= 1
        if self._few < 0 or len(given) != len(values) + len(named):
            return None
        found = {}
        for name in self._names:
            if name not in given and name not in self._declared:
                return None
            value = given.pop(name, self._declared.get(name))
            found[name] = value.factory() if type(value) is _Fresh else value
        return None if given else found

    def make(self) -> None:
        """Let Python make a dataclass of the declarations, and take over what it made; several threads may do it."""
        from dataclasses import dataclass, field  # which take a while, too

        declared = {
            key: field(default_factory=value.factory) if isinstance(value, _Fresh) else value
            for key, value in self._declared.items()
        }
        made: Any = type(self._kind.__name__, self._kind.__bases__, declared)
        made.__qualname__ = self._kind.__qualname__
        dataclass(eq=False, repr=False)(made)
        for name in ("__dataclass_params__", "__match_args__", "__dataclass_fields__", "__init__"):
            setattr(self._kind, name, vars(made)[name])


def _refusal(what: str) -> Exception:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(what)
