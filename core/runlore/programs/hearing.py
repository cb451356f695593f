"""Hear what a Python of a program does that its run should know; imported as Python starts, and light.

Whatever is heard is told to `joining`, which is imported only then.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runlore._callers import is_users
from runlore._startup import WATCHED, told_program

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def begin() -> None:
    """Wait for what is to be heard, in a Python of a program that `runlore run` has started.

    In one of a shell that has called `runlore env`, wait for frameworks alone.
    """
    told = told_program()
    if told is None:
        if os.environ.get(WATCHED):
            sys.meta_path.insert(0, _Waiting(os.environ[WATCHED].split(","), {}))
        return
    sys.meta_path.insert(0, _Waiting(filter(None, os.environ.get(WATCHED, "").split(",")), {"argparse": hear_argparse}))
    if told[1] == str(os.getppid()):  # this is the program itself
        import atexit

        process, script = os.getpid(), sys.argv[0]
        atexit.register(lambda: _tell("tell_end", script) if os.getpid() == process else None)


class _Waiting:
    """Acts as one of some modules is about to be imported, which the other finders then find."""

    def __init__(self, frameworks: Any, heard: dict[str, Callable[[Any], None]]) -> None:
        self._frameworks = frozenset(frameworks)
        self._heard = heard

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> "ModuleSpec | None":
        """Find a module that is waited for, by the other finders."""
        if name in self._frameworks:
            self._frameworks = frozenset()
            _tell("join")
            return self._found(name, path, target)
        if name not in self._heard:
            return None
        hear, spec = self._heard.pop(name), self._found(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                vars(loader).pop("exec_module", None)
                execute(module)
                hear(module)

            loader.exec_module = exec_module
        return spec

    def _found(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> "ModuleSpec | None":
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self and hasattr(finder, "find_spec") else None
            if spec is not None:
                return spec
        return None


def hear_argparse(argparse: Any) -> None:
    """Hear the settings that code of the user's parses; sub-parsers parse within another one's call."""
    parse, depth = argparse.ArgumentParser.parse_known_args, 0

    def parse_known_args(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal depth
        depth += 1
        try:
            found = parse(self, *args, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        finally:
            depth -= 1
        if not depth and is_users(sys._getframe(1), argparse.__file__):
            _tell("take_settings", vars(found[0]))
        return found

    parse_known_args.__doc__ = parse.__doc__
    argparse.ArgumentParser.parse_known_args = parse_known_args


def _tell(action: str, *arguments: Any) -> None:
    try:
        joining = import_module("runlore.programs.joining")
    except ImportError:  # this Python has not all that runlore needs
        return
    getattr(joining, action)(*arguments)
