"""Run a script or a module as Python would, with autolog switched on: `runlore run` starts Python with this."""

import importlib.util
import io
import pkgutil
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from runlore.plugins.autolog import autolog, wanted_by_setting


def main(arguments: list[str]) -> None:
    """Run a script, or behind "-m" a module, with the arguments that follow it."""
    wanted = wanted_by_setting()
    if wanted:
        autolog(*wanted)
    # The module stays when the script has run to its end: threads and functions of atexit go on in it. runpy puts back
    # the one before.
    module = sys.modules["__main__"] = ModuleType("__main__")
    code = _module(module, arguments[1:]) if arguments[0] == "-m" else _file(module, arguments)
    exec(code, vars(module))


def _module(main: ModuleType, arguments: list[str]) -> CodeType:
    sys.argv = arguments
    name = arguments[0]
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        sys.exit(f"{sys.executable}: Error while finding module specification for {name!r} ({error})")
    if spec is None:
        sys.exit(f"{sys.executable}: No module named {name}")
    sys.argv[0] = str(spec.origin)
    return _prepared(main, spec)


def _file(main: ModuleType, arguments: list[str]) -> CodeType:
    sys.argv = arguments
    path = Path(arguments[0]).absolute()
    importer: Any = pkgutil.get_importer(arguments[0])  # of a zip with a program in it
    spec = importer.find_spec("__main__") if importer is not None else None
    if spec is not None:
        sys.path[0] = arguments[0]
        return _prepared(main, spec)
    sys.path[0] = str(path.resolve().parent)
    if path.suffix == ".pyc":
        compiled = SourcelessFileLoader("__main__", str(path))
        vars(main).update(__file__=str(path), __loader__=compiled)
        return _code_of(compiled)
    source = SourceFileLoader("__main__", str(path))
    vars(main).update(__file__=str(path), __loader__=source, __cached__=None)
    with io.open_code(str(path)) as file:
        return compile(file.read(), str(path), "exec", dont_inherit=True)


def _prepared(main: ModuleType, spec: ModuleSpec) -> CodeType:
    """Give the module the names that a module has; return its code."""
    cached = getattr(spec, "cached", None)
    vars(main).update(
        __spec__=spec, __loader__=spec.loader, __package__=spec.parent, __file__=spec.origin, __cached__=cached
    )
    return _code_of(spec.loader, spec.name)


def _code_of(loader: Any, name: str = "__main__") -> CodeType:
    code = loader.get_code(name)
    if not isinstance(code, CodeType):
        sys.exit(f"{sys.executable}: No code object available for {name}")
    return code


if __name__ == "__main__":
    main(sys.argv[1:])
