"""Files that a program was called with: told as it opens them, whoever of its code does."""

import builtins
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from runlore._callers import is_users_call, is_users_module
from runlore._process import Part, process
from runlore._startup import PARSING, told_program
from runlore._warnings import report
from runlore.guest.files.watch import local, read, wrote
from runlore.guest.state import once_imported, open_run
from runlore.guest.wrapping import Wrappers
from runlore.log.values import flatten
from runlore.recording.current import ProgramsRun
from runlore.recording.ranks import is_child, is_worker

if TYPE_CHECKING:
    from runlore.recording.run import Run

OF_LOGS = frozenset({"log", "logger", "loggers", "logging", "logs"})
MAX_LENGTH = 4096  # of a text that may be a path
MAX_NAMES = 1000
MAX_SETTINGS = 500  # in a file
MAX_SOURCE = 1 << 20  # characters of a script
WRITING = frozenset("wax+")
SETTINGS = frozenset(  # names of modules and files that hold some
    {"args", "cfg", "conf", "config", "configs", "configuration", "constants", "defaults", "hparams", "hyperparameters",
     "hyperparams", "options", "opts", "parameters", "params", "settings"}
)  # fmt: skip


class NamedFiles(Part):
    """The paths among the arguments of this program; `open` is followed while there are any, and somebody wants it."""

    inherited = True

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._names: set[str] = set()  # the last parts of the paths, which are asked first
        self._wrappers = Wrappers()
        self._is_wanted = False

    def want(self) -> None:
        """Follow them, once they are known."""
        self._is_wanted = True
        self._follow()

    def unwant(self) -> None:
        """Let `open` be as before."""
        self._is_wanted = False
        self._wrappers.restore()

    def add(self, arguments: Mapping[str, Any]) -> None:
        """Take the arguments of a program by name: texts and paths, also within lists, and files that are open."""
        for value in _values(arguments.values()):
            if isinstance(value, io.IOBase):
                self._tell(value, str(getattr(value, "mode", "")))
            elif len(self._paths) < MAX_NAMES and _may_be_path(value):
                path = str(local(value))
                self._paths.add(path)
                self._names.add(path.rpartition(os.sep)[2])
        self._follow()

    def _follow(self) -> None:
        if self._is_wanted and self._paths and not self._wrappers:
            self._wrappers.follow(builtins, "open", self._opened, also=[io], by_all=True)

    def _opened(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        file = args[0] if args else kwargs.get("file")
        path = os.fspath(file) if isinstance(file, os.PathLike) else file
        if not isinstance(path, str) or path.rpartition(os.sep)[2] not in self._names:
            return
        if str(local(path)) not in self._paths:
            return
        self._tell(file, str(args[1] if len(args) > 1 else kwargs.get("mode", "r")))

    def _tell(self, file: Any, mode: str) -> None:
        if self._is_wanted and WRITING.isdisjoint(mode):
            read(file, "open")
        elif self._is_wanted:
            wrote(file, "data")


class ParsedArguments(Part):
    """Notes if arguments are wanted that argparse parses for the user's code; `runlore run` hears them by itself."""

    inherited = True

    def __init__(self) -> None:
        self.is_wanted = False
        self._depth = 0  # sub-parsers parse within another one's call
        self._wrappers = Wrappers()

    def want(self) -> None:
        """Record it from now on."""
        self.is_wanted = True
        if told_program() is None:
            once_imported("argparse", self._follow)

    def unwant(self) -> None:
        """Record it no longer."""
        self.is_wanted = False
        self._wrappers.restore()

    def _follow(self) -> None:
        if self.is_wanted and not self._wrappers:
            for name in PARSING:
                self._wrappers.wrap(sys.modules["argparse"].ArgumentParser, name, self._parsed)

    def _parsed(self, original: Callable[..., Any], parser: Any, *args: Any, **kwargs: Any) -> Any:
        self._depth += 1
        try:
            found = original(parser, *args, **kwargs)
        finally:
            self._depth -= 1
        if not self._depth and is_users_call(sys._getframe(1), parser):
            run = open_run()
            if run is not None:
                Parsed(found[0], parser).record(run)
        return found


class Parsed:
    """Holds what an argument parser has made of a command line, by name: in a Namespace, or in whatever object it got.

    Defaults of a library's own parser are `captured`: nobody passed them.
    """

    def __init__(self, namespace: object, parser: Any) -> None:
        slots = (name for base in type(namespace).__mro__ for name in getattr(base, "__slots__", ()))
        found = {name: getattr(namespace, name) for name in slots if hasattr(namespace, name)}
        values = {**found, **getattr(namespace, "__dict__", {})}
        self.values = {key: value for key, value in values.items() if not isinstance(value, FunctionType)}
        kind = type(parser).__module__
        self._is_library = kind != "argparse" and not is_users_module(sys.modules.get(kind))
        self._parser = parser

    def record(self, run: "Run") -> None:
        """Record it as params of a run."""
        defaults = {key: value for key, value in self.values.items() if self._is_library and self._is_default(key)}
        run.log_params({key: value for key, value in self.values.items() if key not in defaults})
        run.log_params(defaults, captured=True)

    def _is_default(self, key: str) -> bool:
        try:
            return bool(self._parser.get_default(key) == self.values[key])
        except Exception:  # of values that can't be compared, such as arrays
            return False


class ScriptConstants(Part):
    """The constants of the program's script, which are settings, too: recorded once, as its first training begins.

    Else as this process ends. Also those of modules of the user's that are named like settings: `config.lr`.
    """

    inherited = True
    rank = 1

    def __init__(self) -> None:
        self.others: set[str] = set()  # names of settings that were parsed: those tell more
        self._is_wanted = False
        self._is_done = False
        self._script = _source_of(sys.modules["__main__"])  # Python forgets it as the script ends

    def want(self) -> None:
        """Record them, once."""
        self._is_wanted = True
        process.part(ProgramsRun)  # which then ends behind this one

    def unwant(self) -> None:
        """Record them no longer."""
        self._is_wanted = False

    def note(self) -> None:
        """Record them as params of the program's run, if that is still to be done."""
        if self._is_wanted and not self._is_done and not is_worker():
            run = process.part(ProgramsRun).get()
            if run is not None:
                self._record(run)

    def end(self) -> None:
        """Record those of a program that has trained nothing which is known as a training."""
        if not is_child():
            self.note()

    def _record(self, run: "Run") -> None:
        self._is_done = True
        found = _constants(self._script, sys.modules["__main__"])
        for name, module in list(sys.modules.items()):
            if name.rpartition(".")[2] in SETTINGS and (of_module := _constants(_source_of(module), module)):
                found[name] = of_module
        try:
            run.log_params({name: value for name, value in found.items() if name not in self.others})
        except Exception as error:  # a training begins here
            report(f"the constants of this script are not recorded: {type(error).__name__}: {error}")


def _source_of(module: ModuleType) -> str | None:
    """Return the file of a module of the user's; None for a console, and for a library's launcher."""
    return str(module.__file__) if is_users_module(module) else None


def _constants(file: str | None, module: ModuleType) -> dict[str, Any]:
    from runlore.provenance.constants import constants_of  # late: few processes train

    try:
        with open(file or "", encoding="utf-8") as source:  # noqa: PTH123  # whatever it is
            return constants_of(source.read(MAX_SOURCE), vars(module))
    except Exception:  # anything may be written there
        return {}


def note_constants() -> None:
    """Record the constants of the program's script, if they are wanted: called where a training begins."""
    process.part(ScriptConstants).note()


def note_arguments(arguments: Mapping[str, Any]) -> None:
    """Note what a program was called with: files among it are told as they are opened."""
    process.part(NamedFiles).add(arguments)
    process.part(ScriptConstants).others |= arguments.keys()


def take_settings(values: Any) -> None:
    """Record settings that the user's own code has parsed, as params of the current run; without one do nothing.

    Functions are left out, which sub-commands name so. Under `runlore run` the files that they name are told as they
    are opened.
    """
    run = open_run()
    if run is None:
        return
    if isinstance(values, Mapping):
        values = {key: value for key, value in values.items() if not isinstance(value, FunctionType)}
        if process.part(ProgramsRun).get() is not None:
            note_arguments(values)
    else:
        process.part(ScriptConstants).others |= flatten(values).keys()
    run.log_params(values)


def take_file(path: object, values: Any) -> None:
    """Record what the user's own code has read from a file, if that is named like settings: `config.yaml`.

    What a parser has told by the same name stays.
    """
    if not isinstance(values, Mapping) or not isinstance(path, str) or len(flatten(values)) > MAX_SETTINGS:
        return
    folder, stem = Path(path).absolute().parent.name, Path(path).stem
    words = {folder.lower(), *re.split(r"[^a-z]+", stem.lower())}
    if words.isdisjoint(SETTINGS) or words & OF_LOGS:
        return
    known = process.part(ScriptConstants).others
    take_settings({name: value for name, value in values.items() if name not in known})


def _values(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        yield from value if isinstance(value, list | tuple) else [value]


def _may_be_path(value: Any) -> bool:
    """Return True for a path, and for a text with a separator or an ending, or of something that is there."""
    if isinstance(value, os.PathLike):
        return True
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH or "\n" in value or "://" in value:
        return False
    return os.sep in value or "." in value or os.path.exists(value)  # noqa: PTH110  # a text, maybe of zeros
