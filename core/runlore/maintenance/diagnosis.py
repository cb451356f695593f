"""Diagnose what runs record in this environment, the settings, and the state of a store, for `runlore doctor`."""

import grp
import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runlore import _settings
from runlore._settings import CHECKPOINTS
from runlore._sharing import SHARING, is_shared
from runlore._startup import JOINING, WATCHED
from runlore._text import closest, count_text, size_text
from runlore._warnings import valid_or
from runlore.errors import SettingError
from runlore.hookspecs import Integration
from runlore.index.contents import count_pending
from runlore.index.select import count_by_status, list_damaged, list_unreadable, names_of
from runlore.log import liveness
from runlore.maintenance.garbage import sizes
from runlore.plugins.autolog import wanted_by_setting
from runlore.plugins.code import is_secret
from runlore.plugins.git import GitTooSlow, code_folder
from runlore.plugins.manager import PluginInfo, plugins
from runlore.plugins.system import gpus
from runlore.provenance.repository import reading
from runlore.store.models import unreadable_models
from runlore.store.quarantine import in_quarantine
from runlore.store.store import Store

TIMEOUT_S = 5.0  # for git, and for the tools that list GPUs
MIN_FREE_BYTES = 1 << 30
CHECKS: dict[str, Callable[[str], object]] = {
    "quiet": _settings.flag,
    "output": _settings.flag,
    "progress": _settings.seconds,
    "dry_runs": _settings.flag,
    "notebook": _settings.flag,
    "checkpoints": lambda name: _settings.choice(name, CHECKPOINTS),
    "autolog": lambda _: wanted_by_setting(),
    "shared": lambda name: _settings.choice(name, SHARING),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a diagnosis.

    "off" means that a setting or a first run would switch it on, "missing" that something has to be installed or done.
    """

    name: str
    state: Literal["ok", "off", "missing", "bad"]
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


def installed_plugins() -> list[PluginInfo]:
    """Return the plugins that this process has found, whether loaded, failed or disabled."""
    return list(plugins().listed)


def diagnose(store: Store) -> dict[str, list[Finding]]:
    """Return findings by group: what is captured here, which frameworks are recorded, the settings, and the store."""
    return {
        "captured here": list(_captured()),
        "frameworks": list(_frameworks()),
        "settings": list(_settings_found()),
        "store": list(_store(store)),
    }


def _captured() -> Iterator[Finding]:
    states = {info.name: info for info in installed_plugins()}
    for name, describe in (("environment", _python), ("code", _code), ("system", _system), ("data", _data)):
        info = states.get(name)
        if info is None or info.state != "loaded":
            why = "no entry point: is runlore installed?"
            if info is not None:
                why = info.error or f"RUNLORE_DISABLED names {name}"
            yield Finding(name, "off" if info and info.state == "disabled" else "bad", f"not captured: {why}")
        else:
            yield from describe()
    secrets = states.get("secrets")
    masked = secrets is not None and secrets.state == "loaded"
    yield Finding("secrets", "ok" if masked else "bad", "masked before anything is written" if masked else "NOT masked")
    yield _switch("output", "what is printed is kept as output.log", "RUNLORE_OUTPUT=1 keeps what is printed")
    yield _switch("progress", "a line on stderr now and then", "RUNLORE_PROGRESS=60 prints a line every minute")
    yield _switch("csv", "metrics are mirrored as CSV files", "RUNLORE_CSV=folder mirrors metrics as CSV files")
    for info in states.values():
        if info.state == "failed":
            yield Finding(f"plugin {info.name}", "bad", info.error or "can't be loaded")


def _python() -> Iterator[Finding]:
    yield Finding("environment", "ok", f"Python {sys.version.split()[0]}, system, packages, chosen variables")


def _code() -> Iterator[Finding]:
    folder = code_folder()
    try:
        with reading(folder, TIMEOUT_S) as git:
            root = git.text("rev-parse", "--show-toplevel")
            status = git.status()
        if root is None:
            reason = f"{str(folder)!r} is not in a git repository" if shutil.which("git") else "git is not installed"
            yield Finding("code", "ok", f"{reason}: the script and its modules are kept instead")
            return
    except GitTooSlow as error:
        yield Finding("code", "bad", f"not captured: {error}")
        return
    changed = status.changed if status else ()
    tracked = sum(item.tracked for item in changed)
    hidden = [item.path for item in changed if is_secret(item.path)]
    text = f"git commit and {tracked} changed, {len(changed) - tracked} untracked files (sources of them) of {root!r}"
    yield Finding("code", "ok", text, {"root": root, "left_out": hidden})
    if hidden:
        yield Finding("code left out", "missing", f"names that tell of secrets: {', '.join(hidden[:5])}")


def _system() -> Iterator[Finding]:
    if importlib.util.find_spec("psutil") is None:
        yield Finding("system metrics", "missing", "psutil is not installed: pip install 'runlore[system]'")
    else:
        yield Finding("system metrics", "ok", "CPU, memory and GPU of the process tree, every 15 s")
    names = gpus(TIMEOUT_S).get("gpus", [])
    yield Finding("gpu", "ok" if names else "off", ", ".join(names) or "none found", {"names": names})


def _data() -> Iterator[Finding]:
    yield Finding("data", "ok", "shape, types, missing values, fingerprint (beyond 1 GB of a sample)")


def _switch(name: str, on: str, off: str) -> Finding:
    try:
        value = (_settings.setting(name) or "").strip()
        if name == "progress":
            _settings.seconds(name)
        elif name == "output":
            value = value if _settings.flag(name) else ""
    except SettingError as error:
        return Finding(name, "bad", str(error))
    active = value.lower() not in _settings.FALSE
    return Finding(name, "ok" if active else "off", on if active else off)


def _integrations() -> tuple[dict[str, Integration], list[tuple[str, Exception]]]:
    """Return the integrations by name, and the errors of the plugins that failed to register theirs."""
    errors: list[tuple[str, Exception]] = []
    found: dict[str, Integration] = {}
    register = "runlore_register_integrations"
    for items in plugins().results(register, lambda plugin, error: errors.append((plugin, error))):
        found |= {item.name: item for item in items}
    return found, errors


def _autolog() -> Finding:
    """Say which trainings are recorded without a line of code here, and what makes it so."""
    everywhere = JOINING in os.environ.get("PYTHONPATH", "").split(os.pathsep) and bool(os.environ.get(WATCHED))
    try:
        wanted, place = wanted_by_setting("1" if everywhere else ""), _settings.place_of("autolog")
    except SettingError as error:
        return Finding("autolog", "bad", str(error))
    setting = "RUNLORE_AUTOLOG" if place == "the environment" else "autolog"
    by = f"{setting} in {place}" if place is not None else "`runlore env` in this shell"
    facts = {"on": sorted(wanted), "set_in": place, "everywhere": everywhere}
    if not wanted:
        why = "not set: `runlore run` records a program, runlore.autolog() a script"
        why = why if place is None and not everywhere else f"off by {by}"
        return Finding("autolog", "off", why, facts)
    if everywhere:
        found = "every Python that it starts" if place is None else "every Python that this shell starts"
        return Finding("autolog", "ok", f"on by {by}, in {found}: {', '.join(sorted(wanted))}", facts)
    found = "in programs under `runlore run`, and wherever the script or its framework imports runlore"
    return Finding("autolog", "ok", f'on by {by}, {found}; eval "$(runlore env)" switches it on in all', facts)


def _frameworks() -> Iterator[Finding]:
    found, errors = _integrations()
    disabled = _settings.disabled_names()
    told = _autolog()
    yield told
    on = told.facts.get("on", [])
    for name, item in sorted(found.items()):
        packages = item.packages or (str(item.module).partition(".")[0],)
        if name in disabled or "all" in disabled:
            yield Finding(name, "off", f"RUNLORE_DISABLED names {name}")
        elif not any(importlib.util.find_spec(package) for package in packages):
            why = f"{' or '.join(packages)} is not installed here"
            yield Finding(name, "missing" if item.trains else "off", why)  # a script without a library misses nothing
        else:
            call = "" if item.trains else repr(name)
            how = "recorded as autolog is on" if name in on else f"runlore.autolog({call}) records it"
            yield Finding(name, "ok", how)
    for plugin, error in errors:
        yield Finding(plugin, "bad", f"{type(error).__name__}: {error}")


def _settings_found() -> Iterator[Finding]:
    for name, variable in _settings.NAMES.items():
        try:
            value = _settings.setting(name)
            CHECKS.get(name, _settings.setting)(name)
        except SettingError as error:
            yield Finding(variable, "bad", str(error))
            continue
        unknown = _unknown_names() if name == "disabled" else []
        if unknown:
            yield Finding(variable, "bad", f"there is no plugin {unknown[0]!r}: `runlore plugins` lists them")
        elif value is not None:
            yield Finding(variable, "ok", value)
    yield from _unknown_variables()


def _unknown_variables() -> Iterator[Finding]:
    for name in _settings.unknown_variables():
        close = closest(name, _settings.NAMES.values())
        yield Finding(name, "bad", "no such setting" + (f": did you mean {close}?" if close is not None else ""))


def _unknown_names() -> list[str]:
    known = {info.name for info in installed_plugins()} | {"all"}
    return sorted(_settings.disabled_names() - known)


def _store(store: Store) -> Iterator[Finding]:
    yield Finding("place", "ok", str(store.root), {"path": str(store.root)})
    if not store.exists:
        yield Finding("runs", "off", "the store is not there yet: the first run makes it", {"count": 0})
        return
    states = store.ask(count_by_status)
    count = sum(states.values())
    text = ", ".join(f"{count} {status}" for status, count in states.items()) or "none"
    yield Finding("runs", "ok", f"{count}: {text}" if states else text, {"count": count, "by_status": states})
    damaged = store.ask(list_damaged)
    if damaged:
        named = ", ".join(store.ask(names_of, damaged[:5]))
        text = f"files of {count_text(len(damaged), 'run')} are damaged or still arriving: {named}"
        text += "; `runlore show RUN` tells what is wrong, `runlore quarantine RUN` sets one aside"
        yield Finding("damage", "bad", text, {"runs": damaged})
    aside = in_quarantine(store.folder)
    if aside:
        text = f"{count_text(len(aside), 'run')}, {size_text(sum(aside.values()))}: `runlore quarantine` lists them"
        yield Finding("quarantine", "ok", text, {"runs": list(aside)})
    yield from _unread(store)
    yield from _models(store)
    parts = sizes(store)
    text = ", ".join(f"{name} {size_text(size)}" for name, size in parts.items())
    yield Finding("size", "ok", f"{size_text(sum(parts.values()))}: {text}", {"bytes": parts})
    pending = store.ask(count_pending)
    text = f"{pending} files: which-run or gc hashes them" if pending else "none"
    yield Finding("pending hashes", "missing" if pending else "ok", text, {"count": pending})
    free = shutil.disk_usage(store.root).free
    yield Finding("disk", "ok" if free > MIN_FREE_BYTES else "bad", f"{size_text(free)} free", {"free_bytes": free})
    network = liveness.on_network_disk(store.root)
    locks = liveness.has_locks(store.root)
    text = "network disk: heartbeats every 15 s" if network else "local disk: locks"
    yield Finding("kind of disk", "ok", text if locks else "a disk without file locks: heartbeats every 15 s")
    yield _sharing(store)
    index = store.index.path
    yield Finding("index", "ok" if index else "missing", str(index or "in memory: nothing can be written here"))


def _unread(store: Store) -> Iterator[Finding]:
    """Yield what this user can't read, while others may."""
    runs = store.ask(list_unreadable)
    places = [str(path.relative_to(store.root)) for path in store.index.closed]
    if not runs and not places:
        return
    paths = [item.path for run in runs for item in store.folder.files_of(run)] + store.index.closed
    owners = sorted({_owner_of(path) for path in paths})
    named = ", ".join([*runs, *places][:5])
    text = f"{len(runs)} runs and {len(places)} folders, of {', '.join(owners)}: {named}; chmod -R g+rwX opens them"
    yield Finding("not readable", "missing", text, {"runs": runs, "folders": places})


def _models(store: Store) -> Iterator[Finding]:
    """Yield the models with names, and what of their records can't be read."""
    names = {model.name: len(model) for model in store.models()}
    if names:
        named = ", ".join(f"{name} ({count_text(count, 'version')})" for name, count in list(names.items())[:5])
        yield Finding("models", "ok", f"{len(names)}: {named}", {"versions": names})
    damaged = unreadable_models(store)
    if damaged:
        text = f"what {len(damaged)} records of models say can't be known: {'; '.join(damaged[:3])}"
        yield Finding("damage of models", "bad", text, {"damage": damaged})


def _owner_of(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # no entry in passwd, as in containers
        return f"user {path.stat().st_uid}"
    except OSError:
        return "somebody"


def _sharing(store: Store) -> Finding:
    if is_shared(store.root):
        return Finding("sharing", "ok", f"with the group {_group_of(store.root)}")
    wanted = valid_or(SHARING[0], _settings.choice, "shared", SHARING)
    if wanted != "group":
        return Finding("sharing", "ok", "this user's alone")
    place = shlex.quote(str(store.root))
    way = f"chmod -R g+rwX {place} && find {place} -type d -exec chmod g+s {{}} +"
    return Finding("sharing", "missing", f"the store was made for its user alone; to share it: {way}")


def _group_of(folder: Path) -> str:
    number = folder.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:  # no entry, as in containers
        return str(number)
