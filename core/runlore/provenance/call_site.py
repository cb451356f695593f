"""The text of an argument in a user's call, where the source of the call can be read."""

import linecache
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType
from typing import TYPE_CHECKING, NamedTuple

from runlore._callers import UNSEEN

if TYPE_CHECKING:
    import ast

CO_VARARGS, CO_VARKEYWORDS = 4, 8  # as in `inspect`, which is slow to load
MAX_PASSED = 4  # methods of one name that pass a call on to each other
MAX_CHARS = 5_000  # of a call that is parsed
BYTES_PER_INSTRUCTION = 2


class Written(NamedTuple):
    """An argument as it stands in a call: by its place among the positional ones, or by one of several keywords.

    It holds the code of the callers, and no object of the user's. The source is read only when `words` is asked.
    """

    code: CodeType | None  # None where the call is none of the user's
    instruction: int = 0
    place: int = 0
    keywords: tuple[str, ...] = ()
    outer: tuple[tuple[CodeType, int], ...] = ()  # codes and instructions of those who call the caller, the next first

    @classmethod
    def at(cls, frame: FrameType | None, place: int, *keywords: str) -> "Written":
        """Return an argument of the call that a frame is in the midst of."""
        codes = list(islice(_calls(frame), 1 + MAX_PASSED))
        return cls(*codes[0], place, keywords, tuple(codes[1:])) if codes else cls(None)

    def words(self) -> tuple[str, ...]:
        """Return the names that a plain argument consists of, the last one first: "noisy", "loaders", "self".

        Plain are variables, attributes of them, and items by a text. Anything else, and a call whose source is not
        known, has none. Never raises.
        """
        try:
            return self._words()
        except Exception:  # a source that was edited meanwhile may be anything
            return ()

    def _words(self) -> tuple[str, ...]:
        import ast  # late: most processes never ask

        text = None if self.code is None else _source(self.code, self.instruction)
        call = None if text is None else ast.parse(f"({text})", mode="eval").body
        if self.code is None or not isinstance(call, ast.Call):
            return ()
        argument = self._argument(call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == self.code.co_name:
            rest = next((item.value for item in call.keywords if item.arg is None), None)  # **kwargs
            passed = self._passed(rest if argument is None else argument)
            if passed is not None:
                return passed._words()
        return () if argument is None else tuple(_names(argument, _known(self.code)))

    def _argument(self, call: "ast.Call") -> "ast.expr | None":
        import ast

        starred = next((at for at, item in enumerate(call.args) if isinstance(item, ast.Starred)), self.place)
        if self.place < len(call.args) and self.place <= starred:
            item = call.args[self.place]
            return item.value if isinstance(item, ast.Starred) else item
        return next((item.value for item in call.keywords if item.arg in self.keywords), None)

    def _passed(self, argument: "ast.expr | None") -> "Written | None":
        """Return the argument in the call of a method that only passes on what it was given, as overriding ones do."""
        import ast

        if self.code is None or not self.outer or not isinstance(argument, ast.Name):
            return None
        single, several = _parameters(self.code)
        if argument.id not in single + several:
            return None
        (code, instruction), *others = self.outer
        place, keywords = self.place, self.keywords
        if argument.id in single:
            place, keywords = single.index(argument.id) - _is_method(self.code), (argument.id,)
        return Written(code, instruction, place, keywords, tuple(others))


def _calls(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    """Yield codes and instructions of a frame and of those that called it; ours between them are passed over."""
    while frame is not None:
        if frame.f_code.co_filename != UNSEEN:
            yield frame.f_code, frame.f_lasti
        frame = frame.f_back


def _parameters(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a function's parameters, and those for what is left of the arguments."""
    count = code.co_argcount + code.co_kwonlyargcount
    more = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_varnames[:count], code.co_varnames[count : count + more]


def _is_method(code: CodeType) -> bool:
    """Return True for a function in a class: its callers don't write the first argument."""
    outer, dot, _ = code.co_qualname.rpartition(".")
    return bool(dot) and not outer.endswith("<locals>")


def _source(code: CodeType, instruction: int) -> str | None:
    """Return the text of the call that an instruction makes."""
    place = instruction // BYTES_PER_INSTRUCTION
    first, last, start, end = next(islice(code.co_positions(), place, None), (None,) * 4)
    if first is None or last is None or start is None or end is None:
        return None
    linecache.checkcache(code.co_filename)
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[first - 1 : last]]
    if len(lines) != last - first + 1:
        return None
    lines[-1] = lines[-1][:end]  # offsets count bytes
    lines[0] = lines[0][start:]
    text = b"".join(lines)
    return text.decode() if len(text) <= MAX_CHARS else None


def _known(code: CodeType) -> frozenset[str]:
    """Return the names and texts in a code: the source of another code, edited meanwhile, has others."""
    texts = (item for item in code.co_consts if isinstance(item, str))
    return frozenset((*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars, *texts))


def _names(node: "ast.expr", known: frozenset[str]) -> Iterator[str]:
    """Yield the names in a plain expression, the last one first.

    Raises:
        ValueError: it is not plain, or not of the code that has the `known` names.
    """
    import ast

    name: object
    inner: ast.expr | None = node
    while inner is not None:
        node = inner
        if isinstance(node, ast.Name):
            name, inner = node.id, None
        elif isinstance(node, ast.Attribute):
            name, inner = node.attr, node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name, inner = node.slice.value, node.value
        else:
            raise ValueError("an expression")
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"{name!r} is no name in the code")
        yield name
