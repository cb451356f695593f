"""Texts with results, settings and tables that the user's own code writes and reads by an open file, and logs."""

import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runlore.guest.files.named import take_file
from runlore.guest.files.watch import read, wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import Note, argument, follow_all, writes

YAML_READS = ("load", "safe_load", "full_load", "unsafe_load")
CONFIGURING = (  # what makes handlers for whoever calls it
    "__init__", "basicConfig", "dictConfig", "fileConfig", "configure", "configure_handler", "_install_handlers",
)  # fmt: skip
YAML_WRITES = ("dump", "safe_dump")


def follow_json(wrappers: Wrappers) -> None:
    """Follow `json.dump` and `json.load`."""
    _follow(wrappers, sys.modules["json"], ("load",), ("dump",))


def follow_yaml(wrappers: Wrappers) -> None:
    """Follow what dumps and loads one document."""
    _follow(wrappers, sys.modules["yaml"], YAML_READS, YAML_WRITES)


def follow_toml(wrappers: Wrappers) -> None:
    """Follow `tomllib.load`."""
    _follow(wrappers, sys.modules["tomllib"], ("load",), ())


def follow_csv(wrappers: Wrappers) -> None:
    """Follow readers and writers as they are made; the file is looked at once it is closed."""
    csv = sys.modules["csv"]
    wrappers.follow(csv, "writer", _into(0, "csvfile"))
    wrappers.follow(csv.DictWriter, "__init__", _into(1, "f"))
    wrappers.follow(csv, "reader", _from("csv.reader", 0, "csvfile"))
    wrappers.follow(csv.DictReader, "__init__", _from("csv.DictReader", 1, "f"))


def follow_configparser(wrappers: Wrappers) -> None:
    """Follow what reads files by their names, and tells those that it found."""
    wrappers.follow(sys.modules["configparser"].RawConfigParser, "read", _configured)


def follow_logging(wrappers: Wrappers) -> None:
    """Follow the handlers that write a file, also those that `basicConfig` and configurations make."""
    handler = sys.modules["logging"].FileHandler
    wrappers.follow(handler, "__init__", writes("log", 1, "filename"), through=CONFIGURING)


def follow_loguru(wrappers: Wrappers) -> None:
    """Follow the sinks of loguru that are files which are there by then: a name may hold the time."""
    wrappers.follow(type(sys.modules["loguru"].logger), "add", _added)


def _added(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    sink = argument(args, kwargs, 1, "sink")
    if isinstance(sink, str | os.PathLike) and os.path.exists(sink):  # noqa: PTH110  # any text
        wrote(sink, "log")


def _follow(wrappers: Wrappers, module: ModuleType, loads: tuple[str, ...], dumps: tuple[str, ...]) -> None:
    follow_all(wrappers, module, loads, lambda name: _from(f"{module.__name__}.{name}", 0, "fp", "stream"))
    follow_all(wrappers, module, dumps, lambda name: _into(1, "fp", "stream"))


def _into(place: int, *keywords: str) -> Note:
    """Return what notes the open file that a call writes into; a text or a list among its arguments is no file."""

    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        file = argument(args, kwargs, place, *keywords)
        if hasattr(file, "fileno"):
            wrote(file, "data")

    return note


def _from(name: str, place: int, *keywords: str) -> Note:
    """Return what notes the open file that a call reads, and what it holds if that are settings."""

    def note(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
        file = argument(args, kwargs, place, *keywords)
        if hasattr(file, "fileno"):
            read(file, name)
            take_file(getattr(file, "name", None), result)

    return note


def _configured(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    for name in result:
        if isinstance(name, str | os.PathLike):
            read(name, "configparser.read")
