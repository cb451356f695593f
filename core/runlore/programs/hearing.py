"""Hear what a Python of a program does that its run should know; imported as Python starts, and light.

Whatever is heard is told by `telling` or `joining`, which are imported only then. Nor is `typing` imported here, or
anything else that takes a millisecond.
"""

import atexit
import os
import sys

from runlore._callers import UNSEEN, Substitute, is_users, is_users_call
from runlore._startup import CARRIED, JOINING, PARSING, WATCHED, restore_interruption, told_program, within_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Beginning = tuple[int, bool, str, dict[str, str], dict[str, int]]

AT_ENVIRONMENT = 10  # place of it among the arguments of `Popen`, behind the program
HELD = "pickle"  # a module that is waited for, and that other than training needs as well


def begin() -> None:
    """Wait for what is to be heard, in a Python of a program that `runlore run` has started.

    In one of a shell that has called `runlore env`, wait for frameworks alone.
    """
    told = told_program()
    waiting = _Waiting(os.environ.get(WATCHED, ""))
    hand_on = _HandedOn()
    for name in ("execve", "posix_spawn", "posix_spawnp"):
        setattr(os, name, _Starting(name, hand_on))
    waiting.heard["subprocess"] = lambda module: hear_subprocess(module, hand_on)
    if told is None:
        waiting.begin()
        return
    seeds: dict[str, int] = {}
    waiting.heard |= {
        "argparse": lambda module: hear_argparse(module, waiting.join),
        "random": lambda module: hear_seed(module, "python_seed", seeds),
        "numpy.random": lambda module: hear_seed(module, "numpy_seed", seeds),
    }
    waiting.begin()
    is_program = told[1] == str(os.getppid())
    script = sys.argv[0] if hasattr(sys, "argv") else ""
    beginning = (os.getpid(), is_program, script, dict(os.environ), seeds)
    atexit.register(_end, beginning)


class _Waiting:
    """Acts as one of some modules is about to be imported, which the other finders then find."""

    def __init__(self, told: str) -> None:
        parts = (part.partition("=") for part in filter(None, told.split(",")))
        self._frameworks = {module: names.split("+") for module, _, names in parts}  # what begins with each
        self._is_joining = False
        self._held: list[_Held] = []
        self.heard: dict[str, Callable[[Any], None]] = {HELD: self._hold} if HELD in self._frameworks else {}

    def begin(self) -> None:
        """Wait from now on; what a .pth file has imported before us is heard at once."""
        for name in [name for name in self.heard if name in sys.modules]:
            self.heard.pop(name)(sys.modules[name])
        if self._frameworks or self.heard:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Find a module that is waited for, by the other finders."""
        if name in self._frameworks and name not in self.heard and self.join(name):
            return self._found(name, path, target)
        if name not in self.heard:
            return None
        hear, spec = self.heard.pop(name), self._found(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: "ModuleType") -> None:
                vars(loader).pop("exec_module", None)
                execute(module)
                hear(module)

            within_import(exec_module)
            loader.exec_module = exec_module
        return spec

    def join(self, name: str = "") -> bool:
        """Begin to record a framework, and what else is imported by now; False within another call, of our imports."""
        if self._is_joining:
            return False
        self._is_joining = True
        try:
            self.heard.pop(HELD, None)
            left, self._held = [held for held in self._held if held.leave()], []
            while due := [module for module in self._frameworks if module == name or module in sys.modules]:
                _tell("joining", "join", [told for module in due for told in self._frameworks.pop(module)])
            for held in left:
                held.find()
        finally:
            self._is_joining = False
        return True

    def _hold(self, module: "ModuleType") -> None:
        self._held = [_Held(module, name, self.join) for name in ("dump", "load")]

    def _found(self, name: str, path: "Sequence[str] | None", target: "ModuleType | None") -> "ModuleSpec | None":
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self and hasattr(finder, "find_spec") else None
            if spec is not None:
                return spec
        return None


class _Held(Substitute):
    """Stands for a function of a module until the user's own code calls it: then what records that is loaded.

    Many programs import pickle, and few of them keep a model by it.
    """

    def __init__(self, module: "ModuleType", name: str, join: "Callable[[], object]") -> None:
        super().__init__(vars(module)[name])
        self._join: Callable[[], object] | None = join
        self._name = name
        self._function = self.__wrapped__
        self._module = module
        self._places = {module, sys.modules[self.__wrapped__.__module__]}  # where pickle finds it, too
        for place in self._places:
            setattr(place, name, self)

    def leave(self) -> bool:
        """Put the function back; return False where somebody has put another one in its place."""
        self._join = None
        for place in self._places:
            if vars(place).get(self._name) is not self:
                return False
            setattr(place, self._name, self.__wrapped__)
        return True

    def find(self) -> None:
        """Let whoever has imported this object by name call what stands in its place now."""
        self._function = vars(self._module)[self._name]

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        if self._join is not None and is_users(sys._getframe().f_back):
            self._join()
        try:
            return self._function(*args, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise

    __call__.__code__ = __call__.__code__.replace(co_filename=UNSEEN)


class _HandedOn:
    """Carries what this Python has joined by, for the programs that it starts in an environment of another making."""

    def __init__(self) -> None:
        self._carried = {name: os.environ[name] for name in CARRIED if name in os.environ}

    def __call__(self, program: "Any", environment: "Any") -> "Any":
        """Return the environment, completed where a Python in it would not join."""
        try:
            if JOINING in environment.get("PYTHONPATH", ""):
                return environment
            handing = __import__("runlore.programs.handing").programs.handing
            return handing.completed(program, environment, self._carried)
        except Exception:  # whatever was given: the call itself says what is wrong with it
            return environment


class _Starting(Substitute):
    """Stands for a function of `os` that starts a program, whose third argument is an environment."""

    def __init__(self, name: str, hand_on: _HandedOn) -> None:
        super().__init__(vars(os)[name])
        self._hand_on = hand_on

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        if len(args) > 2:
            args = (*args[:2], self._hand_on(args[0], args[2]), *args[3:])
        try:
            return self.__wrapped__(*args, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise

    __call__.__code__ = __call__.__code__.replace(co_filename=UNSEEN)


def hear_subprocess(subprocess: "Any", hand_on: _HandedOn) -> None:
    """Hear which programs are started, to complete their environment."""
    given = subprocess.Popen.__init__

    def start(self: "Any", args: "Any", *more: "Any", **kwargs: "Any") -> None:
        if len(more) < AT_ENVIRONMENT:  # as everybody's: it is the eleventh argument
            name = args[0] if isinstance(args, list | tuple) and args else args
            program = None if kwargs.get("shell") else kwargs.get("executable") or name
            before = os.environ if kwargs.get("env") is None else kwargs["env"]
            found = hand_on(program, before)
            if found is not before:
                kwargs["env"] = found
        try:
            given(self, args, *more, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(start, name, getattr(given, name))
    start.__code__ = start.__code__.replace(co_filename=UNSEEN)
    start.__wrapped__ = given  # type: ignore[attr-defined]
    subprocess.Popen.__init__ = start


def hear_argparse(argparse: "Any", join: "Callable[[], object]") -> None:
    """Hear the settings that code of the user's parses; sub-parsers parse within another one's call."""
    depth = 0

    def heard(parse: "Any") -> "Any":
        def parse_known_args(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
            nonlocal depth
            depth += 1
            try:
                found = parse(self, *args, **kwargs)
            except BaseException as error:
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            finally:
                depth -= 1
            if not depth and is_users_call(sys._getframe().f_back, self):
                join()
                _tell("joining", "take_settings", found[0], self)
            return found

        parse_known_args.__name__, parse_known_args.__doc__ = parse.__name__, parse.__doc__
        return parse_known_args

    for name in PARSING:
        setattr(argparse.ArgumentParser, name, heard(getattr(argparse.ArgumentParser, name)))


def hear_seed(module: "Any", key: str, seeds: "dict[str, int]") -> None:
    """Hear which number a module's random generator is seeded with, whoever does it."""
    given = module.seed

    def seed(*args: "Any", **kwargs: "Any") -> "Any":
        try:
            found = given(*args, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        value: Any = next(iter([*args, *kwargs.values()]), None)
        seeds.pop(key, None)
        if hasattr(value, "__index__"):
            seeds[key] = int(value)
        return found

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(seed, name, getattr(given, name, None) or getattr(seed, name))
    seed.__wrapped__ = given  # type: ignore[attr-defined]  # by which its signature is found
    module.seed = seed


def _end(beginning: "Beginning") -> None:
    if os.getpid() == beginning[0]:
        _tell("telling", "tell", beginning)
        restore_interruption()


def _tell(module: str, action: str, *arguments: "Any") -> None:
    try:
        found = getattr(__import__(f"runlore.programs.{module}").programs, module)
    except ImportError:  # this Python has not all that runlore needs
        return
    getattr(found, action)(*arguments)
