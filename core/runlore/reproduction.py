"""Doing a run again: its code, environment and data as they were, and its command, in a fresh folder."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from runlore import _ids
from runlore._artifacts import hashed
from runlore._blobs import Blobs
from runlore._capture import TIMEOUT
from runlore._checkout import write_code
from runlore._code import PATCH, SNAPSHOT, UNTRACKED
from runlore._codestate import Code, code_of, repository_with
from runlore._environment import RESTORED, installed_packages
from runlore._git import Git, GitTooSlow
from runlore._openings import opened_with
from runlore._secret_text import MASK
from runlore._start import REPRODUCTION
from runlore._telling import REPRODUCES
from runlore._terminal import asking
from runlore._text import count_text
from runlore._venv import Environment, differences, python_version
from runlore.comparison import Comparison
from runlore.errors import RunloreError
from runlore.runs import RecordedRun
from runlore.store import Store

STDERR = 2  # its descriptor
BY_TOOLS = re.compile(r"(^|/)(\.[^/]*|__pycache__|[^/]*\.egg-info|venv|node_modules)$")
LONGEST = 7  # days between runs of one process

Part = Literal["code", "environment", "data", "command"]


class CannotReproduce(RunloreError, RuntimeError):
    """A run can't be done again, or not as it was."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What can't be restored, and why."""

    part: Part
    what: str


@dataclass(frozen=True, slots=True)
class Needed:
    """A file or folder that the run read. `state` tells what became of it."""

    name: str
    path: str
    state: str


@dataclass(slots=True)
class Plan:
    """How a run would be done again; made by `prepare`.

    `code` and `environment` say it in words, `differs` how the present packages differ where they are used. `settings`
    are variables to set, or to take away (None). `notes` are remarks that hold nothing up. Without a `command` nothing
    can be run.
    """

    run: RecordedRun
    folder: Path
    code: str = ""
    environment: str = ""
    differs: list[str] = field(default_factory=list)
    data: list[Needed] = field(default_factory=list)
    settings: dict[str, str | None] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    cwd: Path = Path()
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    python: Path = Path(sys.executable)
    fresh: Environment | None = None
    moved: dict[str, str] = field(default_factory=dict)  # folders of this time, and what they were the first


@dataclass(frozen=True, slots=True)
class Redone:
    """What was recorded anew. `pairs` are the run and those below it, each with the one that stands for it."""

    pairs: tuple[tuple[RecordedRun, RecordedRun], ...]
    others: tuple[RecordedRun, ...]
    exit_status: int  # of the command; negative for a signal


def distrust(run: RecordedRun) -> str | None:
    """Why the code of a run should not be run without a second thought: who else may have written it. None if nobody.

    Its store is another user's, or it was recorded on another machine.
    """
    owner = run.store.root.stat().st_uid
    if owner != os.getuid():
        return f"the store {str(run.store.root)!r} belongs to another user"
    writers = {content.path.stat().st_uid for content in run._writers.contents}
    if writers - {os.getuid()}:
        return f"run {run.name!r} was written by another user"
    host = run.command.get("host")
    if host != os.uname().nodename:
        return f"run {run.name!r} was recorded on another machine ({host})"
    return None


def prepare(
    run: RecordedRun,
    folder: Path,
    *,
    here: bool = False,
    copied: Sequence[Path] = (),
    linked: Sequence[Path] = (),
    command: Sequence[str] = (),
) -> Plan:
    """Write the code and the data of a run into an empty folder, and find out what can't be restored.

    `here` takes the Python that runs now, instead of an environment made from the recorded packages. `copied` and
    `linked` are files and folders of the user's that git does not have and that are to be there, too; they are
    copied, or there is a link to them. `command` is run in place of the recorded one.

    Raises:
        CannotReproduce: the folder is not empty.
        MissingDependency: an environment is to be made, and uv is not installed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotReproduce(f"{str(folder)!r} is not empty: name a folder that is not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    leader = _leader(run)
    code = _reachable(code_of(leader), leader)
    places = _Places.of(leader, code, folder)
    plan = Plan(run, folder, cwd=places.work)
    plan.moved = {str(places.code): str(places.root), str(places.work): str(places.cwd)}
    _write(plan, code, leader, places)
    for path in (*copied, *linked):
        _bring(path, places, link=path in linked)
    plan.data += _supply(plan, leader, places)
    _choose_environment(plan, leader, places, here=here)
    _choose_command(plan, leader, places, command)
    left = list(_left_behind(code, places))
    if left:
        plan.notes.append(f"not in git, so not there: {', '.join(left)} (--with PATH copies what the script needs)")
    if len(leader.segments) > 1:
        plan.notes.append(f"it was begun {len(leader.segments)} times: only the first command is run, from its start")
    return plan


def carry_out(plan: Plan, store: Store, *, to_stderr: bool = False) -> Redone:
    """Run the command of a plan, and link what it records in `store` to the runs that it stands for.

    What it prints goes where our own goes, or all `to_stderr`.

    Raises:
        CannotReproduce: there is no command, or the environment can't be made.
    """
    if not plan.command:
        raise CannotReproduce(f"no command is known for run {plan.run.name!r}: name one behind --")
    if plan.fresh is not None:
        reason = plan.fresh.install()
        if reason is not None:
            raise CannotReproduce(f"the environment can't be made: {reason}")
    token = _ids.new_run_id(time.time_ns() // 1000)
    given = {**plan.settings, "RUNLORE_STORE": str(store.root), REPRODUCTION: token}
    environment = {name: value for name, value in {**os.environ, **given}.items() if value is not None}
    try:
        child = subprocess.Popen(
            plan.command, cwd=plan.cwd, env=environment, stdin=subprocess.DEVNULL, stdout=STDERR if to_stderr else None
        )
    except OSError as error:
        raise CannotReproduce(f"{plan.command[0]!r} can't be run: {error.strerror}") from None
    with child:
        while child.returncode is None:
            try:
                child.wait()
            except KeyboardInterrupt:  # it had the same signal, and ends in its own way
                continue
    new = [store.run(run_id) for run_id in reversed(list(opened_with(store.folder, "reproduction", token)))]
    return _linked(plan.run, new, child.returncode)


# Places


@dataclass(frozen=True, slots=True)
class _Places:
    """Where things of the first time lie in the fresh folder: what was in `root` in `code`, its `cwd` is `work`."""

    root: Path
    cwd: Path
    code: Path
    work: Path
    within: str  # `code`, where the files of a snapshot belong

    @classmethod
    def of(cls, run: RecordedRun, code: Code, folder: Path) -> "_Places":
        cwd = Path(run.command.get("cwd") or os.sep)
        within = "."
        root = Path(str(run.environment.get("git", {}).get("root") or code.root or ""))
        if not root.is_absolute():
            root = _snapshot_folder(run, code, cwd)
            if root.is_relative_to(cwd) and cwd != Path(os.sep):
                root, within = cwd, os.path.relpath(root, cwd)
        if cwd.is_relative_to(root):
            return cls(root, cwd, folder / "code", folder / "code" / cwd.relative_to(root), within)
        if root.is_relative_to(cwd) and cwd != Path(os.sep):
            return cls(root, cwd, folder / "work" / root.relative_to(cwd), folder / "work", within)
        return cls(root, cwd, folder / "code", folder / "work", within)

    def there(self, text: str) -> Path:
        """The place of a recorded path; that itself, where it lay outside of the code and of the working directory."""
        path = Path(os.path.normpath(self.cwd / text))
        if path.is_relative_to(self.root):
            return self.code / path.relative_to(self.root)
        if not Path(text).is_absolute() and path.is_relative_to(self.cwd):
            return self.work / path.relative_to(self.cwd)
        return path

    def moved(self, text: str) -> str:
        """An argument, a path in the code moved; it may stand behind "=", or several with ":" between them."""
        head, sep, value = text.partition("=") if text.startswith("-") else ("", "", text)
        parts = [str(self.there(part)) if Path(part).is_absolute() else part for part in value.split(os.pathsep)]
        return head + sep + os.pathsep.join(parts)


def _snapshot_folder(run: RecordedRun, code: Code, cwd: Path) -> Path:
    """The folder that the names of a snapshot count from: that of the script."""
    for script in _scripts(run):
        path = Path(os.path.normpath(cwd / script))
        if path.name in code.of(SNAPSHOT):
            return path.parent
    return cwd


def _scripts(run: RecordedRun) -> Iterator[str]:
    """What the script may be, as a path."""
    program = _program(run)
    if len(program) > 1 and program[-2] == "-m":
        path = program[-1].replace(".", os.sep)
        yield from (f"{path}.py", f"{path}{os.sep}__main__.py")
    elif program:
        yield program[-1]


def _program(run: RecordedRun) -> list[str]:
    """How Python was started, up to the script's arguments; of older records only the script."""
    argv = run.command.get("argv") or []
    return list(run.command.get("program") or ([argv[0]] if argv and argv[0] not in ("", "-c", "-m") else []))


# The code


def _leader(run: RecordedRun) -> RecordedRun:
    """The outermost run, whose process was the script's own."""
    parent = run.parent
    return run if parent is None else _leader(parent)


def _reachable(code: Code, run: RecordedRun) -> Code:
    """The code, read from a clone that is here where the repository that was recorded is not."""
    if code.root is None or code.commit is None:
        return code
    for place in (Path(code.root), Path.cwd(), run.store.root.parent):
        root = repository_with(place, code.commit)
        if root is not None:
            return replace(code, root=str(root))
    return code


def _write(plan: Plan, code: Code, run: RecordedRun, places: _Places) -> None:
    places.code.mkdir(parents=True, exist_ok=True)
    places.work.mkdir(parents=True, exist_ok=True)
    git = run.environment.get("git", {})
    folder = places.code / places.within
    folder.mkdir(parents=True, exist_ok=True)
    plan.problems += [Problem("code", what) for what in code.notes]
    plan.problems += [Problem("code", what) for what in write_code(code, folder, git.get("branch"), git.get("remote"))]
    parts = list(_contents(code))
    plan.code = ", ".join(parts) or "none was recorded"
    if not parts:
        plan.problems.append(Problem("code", f"nothing of the code of {run.name!r} was recorded"))


def _contents(code: Code) -> Iterator[str]:
    if code.commit:
        yield f"commit {code.commit[:12]} of {code.root}"
    if code.of(PATCH):
        yield "the uncommitted changes"
    for name, what in ((UNTRACKED, "untracked"), (SNAPSHOT, "recorded")):
        if code.of(name):
            yield count_text(len(code.of(name)), f"{what} file")


def _left_behind(code: Code, places: _Places) -> Iterator[str]:
    """What lies in the repository now, unknown to git and missing in the fresh folder, but for what tools leave."""
    try:
        listed = Git(Path(code.root), TIMEOUT).text("status", "--porcelain", "--ignored", "-z") if code.root else None
    except GitTooSlow:
        return
    for entry in (listed or "").split("\0"):
        path = entry[3:].rstrip("/")
        if entry[:2] in ("!!", "??") and not BY_TOOLS.search(path) and not (places.code / path).exists():
            yield path


# The data


def _bring(path: Path, places: _Places, *, link: bool) -> None:
    """Copy what a user wants to be there, or link to it, at the place that it has in theirs."""
    source = path.absolute()
    target = places.there(str(source))
    if target == source:
        raise CannotReproduce(f"{str(path)!r} is neither in {str(places.root)!r} nor needed: it is read where it lies")
    if not source.exists():
        raise CannotReproduce(f"there is no {str(path)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(source)
    else:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _supply(plan: Plan, run: RecordedRun, places: _Places) -> Iterator[Needed]:
    """Check what the run read from files; copy what lay beside the code without being in git."""
    blobs = Blobs(run.store.folder.blobs)
    for name, path, sha256 in dict.fromkeys(item for item in (*_read_by(run), *_read_by(plan.run))):
        target = places.there(path)
        original = Path(os.path.normpath(places.cwd / path))
        if _is(target, sha256):
            state = "is the same"
        elif target != original and _is(original, sha256):
            _copy(original, target)
            state = "is the same, copied"
        elif target != original and not target.is_dir() and blobs.holds(sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(blobs.path(sha256), target)
            state = "restored from the store"
        else:
            state = "has changed" if target.exists() or original.exists() else "is gone, or has moved"
            plan.problems.append(Problem("data", f"{name}: {path!r} {state} (sha256 {sha256[:12]} is wanted)"))
            if target != original and original.exists() and not target.exists():
                _copy(original, target)
        yield Needed(name, path, state)
    for name, facts in plan.run.data.items():
        if facts.get("path") is None and facts.get("fingerprint"):
            yield Needed(name, "", "was in memory: compared after the run")


def _read_by(run: RecordedRun) -> Iterator[tuple[str, str, str]]:
    """Name, recorded path and sha256 of files that a run read: its data, and checkpoints that it went on from."""
    for name, facts in run.data.items():
        if isinstance(facts.get("path"), str) and facts.get("fingerprint"):
            yield name, facts["path"], facts["fingerprint"]
    for link in run.links:
        if "sha256" in link:
            for other in run.store.runs(f"id == {link['run']!r}"):
                for item in other.artifacts:
                    if item.sha256 == link["sha256"] and item.path:
                        yield f"{link['kind']} {other.name}", item.path, str(item.sha256)
                        break


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.exists() and hashed(path)["sha256"] == sha256
    except OSError:
        return False


# The environment


def _choose_environment(plan: Plan, run: RecordedRun, places: _Places, *, here: bool) -> None:
    recorded = run.environment
    packages = {name: str(version) for name, version in recorded.get("packages", {}).items()}
    version = python_version(str(recorded.get("python", {}).get("version") or ""))
    project = _project(places.code, packages)
    _restore_variables(plan, recorded.get("variables", {}), places, here=here)
    if here:
        _stay_here(plan, packages, version, project)
        return
    if not packages or not version:
        plan.problems.append(Problem("environment", "the packages were not recorded: --here uses those that are here"))
        _stay_here(plan, packages, version, project)
        return
    plan.fresh = fresh = Environment(plan.folder / "venv", packages, project)
    plan.environment = f"Python {version} and {count_text(len(fresh.packages), 'package')}, made anew by uv"
    reason = fresh.make(version)
    if reason is not None:
        minor = ".".join(version.split(".")[:2])
        instead = fresh.make(minor)
        plan.problems.append(Problem("environment", f"Python {version} can't be had: {reason}"))
        if instead is not None:
            plan.fresh = None
            _stay_here(plan, packages, version, project)
            return
        plan.environment += f" (with another Python {minor})"
    plan.problems += [Problem("environment", what) for what in fresh.look()]
    _use(plan, fresh.python, fresh.folder)


def _stay_here(plan: Plan, packages: Mapping[str, str], version: str, project: "tuple[str, Path] | None") -> None:
    plan.environment = f"the Python and the packages that are here, {sys.prefix}"
    now = ".".join(map(str, sys.version_info[:3]))
    if version and not version.startswith(now):
        plan.differs.append(f"Python {version}, here {now}")
    own = {project[0]} if project is not None else set()
    added = plan.settings.get("PYTHONPATH", os.environ.get("PYTHONPATH")) or ""
    present = installed_packages([*filter(None, added.split(os.pathsep)), *sys.path])
    plan.differs += differences({name: found for name, found in packages.items() if name not in own}, present)
    if project is not None:  # what is installed of it is the user's present code
        source = project[1] / "src"
        before = plan.settings.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        first = str(source if source.is_dir() else project[1])
        plan.settings["PYTHONPATH"] = os.pathsep.join(filter(None, (first, before)))
    _use(plan, Path(sys.executable), Path(sys.prefix))


def _use(plan: Plan, python: Path, prefix: Path) -> None:
    plan.python = python
    plan.settings["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    plan.settings["VIRTUAL_ENV"] = str(prefix)


def _restore_variables(plan: Plan, recorded: Mapping[str, Any], places: _Places, *, here: bool) -> None:
    """Variables that change results as they were; those that nobody had set then are taken away."""
    for name in os.environ:
        kept = here and name == "PYTHONPATH"  # older records don't tell, and the present packages may hang on it
        if re.fullmatch(RESTORED, name) and name not in recorded and not kept:
            plan.settings[name] = None
    for name, value in recorded.items():
        if re.fullmatch(RESTORED, name):
            moved = places.moved(str(value)) if name == "PYTHONPATH" else str(value)
            if os.environ.get(name) != moved:
                plan.settings[name] = moved
            if MASK in moved:
                plan.problems.append(Problem("environment", f"the value of {name} was masked as a secret"))


def _project(folder: Path, packages: Mapping[str, str]) -> "tuple[str, Path] | None":
    """The user's own distribution, if the code is one and was installed: its recorded name, and where it lies."""
    try:
        told = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        name = re.sub(r"[-_.]+", "-", str(told["project"]["name"])).lower()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (name, folder) if name in packages else None


# The command


def _choose_command(plan: Plan, run: RecordedRun, places: _Places, given: Sequence[str]) -> None:
    if given:
        plan.command = list(given)
        return
    argv = [str(part) for part in run.command.get("argv") or []]
    program = _program(run)
    found = next((path for path in map(places.there, _scripts(run)) if path.is_file()), None)
    if not program or found is None:
        what = " ".join(argv) or "nothing"
        why = "it was typed, or run in a notebook" if not program else f"the script {program[-1]!r} is not in its code"
        plan.problems.append(Problem("command", f"{what}: {why}; name a command behind --"))
        return
    if program[-2:-1] != ["-m"] and (Path(program[-1]).is_absolute() or not (plan.cwd / program[-1]).is_file()):
        program[-1] = str(found)
    plan.command = [str(plan.python), *program, *(places.moved(part) for part in argv[1:])]
    if "runlore._script" in program and not {"RUNLORE_AUTOLOG"} & {*plan.settings, *os.environ}:
        plan.settings["RUNLORE_AUTOLOG"] = "1"
    if any(MASK in part for part in plan.command):
        plan.problems.append(Problem("command", "an argument was masked as a secret; name the command behind --"))
    variables = run.environment.get("variables", {})
    if "RANK" in variables and str(variables.get("WORLD_SIZE", "1")) != "1":
        what = f"it was one of {variables['WORLD_SIZE']} processes of a launcher, whose command is not recorded"
        plan.problems.append(Problem("command", f"{what}; name it behind --"))
    for place in asking(found, places.code):
        plan.problems.append(Problem("command", f"it needs a terminal: {place}"))


# What was recorded anew


def unexpected(plan: Plan, found: Comparison) -> Comparison:
    """What differs between a run and the one that stands for it, but for where things lie."""
    changes = [item for item in found.changes if item.group != "command" and _as_then(item.b, plan) != item.a]
    return replace(found, changes=tuple(changes))


def _as_then(value: Any, plan: Plan) -> Any:
    if not isinstance(value, str):
        return value
    for now, then in sorted(plan.moved.items(), key=lambda item: -len(item[0])):
        value = value.replace(now, then)
    return value


def _linked(run: RecordedRun, new: list[RecordedRun], exit_status: int) -> Redone:
    """Link every new run to the one that it stands for."""
    pairs = [(first, found) for found, first in _pairs(run, new)]
    for first, found in pairs:
        opened = found.attach()
        opened.link(REPRODUCES, first.id)
        opened.set_tags({REPRODUCES: first.name})
        opened.finish()
    ours = tuple(pair for pair in pairs if run.id in _line(pair[0]))
    chosen = {found.id for _, found in ours}
    return Redone(ours, tuple(found for found in new if found.id not in chosen), exit_status)


def _line(run: RecordedRun) -> list[str]:
    """The ids of a run and of those above it."""
    parent = run.parent
    return [run.id] if parent is None else [run.id, *_line(parent)]


def _pairs(run: RecordedRun, new: list[RecordedRun]) -> Iterator[tuple[RecordedRun, RecordedRun]]:
    """New runs, each with the one that it stands for: in the order of their beginning, children below their parents."""
    leader = _leader(run)
    tops = [found for found in new if found.parent_id is None]
    before = _of_the_process(leader) if len(tops) > 1 else [leader]
    for found, first in zip(tops, before, strict=False):
        yield found, first
        yield from _children(found, first)


def _children(found: RecordedRun, first: RecordedRun) -> Iterator[tuple[RecordedRun, RecordedRun]]:
    """Children with the same params; among several, in their order."""
    waiting = list(first.children)
    for child in found.children:
        same = next((other for other in waiting if other.params == child.params), None)
        if same is not None:
            waiting.remove(same)
            yield child, same
            yield from _children(child, same)


def _of_the_process(run: RecordedRun) -> list[RecordedRun]:
    """The runs without a parent that the process of this run began, oldest first."""
    span = [(run.started + timedelta(days=days)).isoformat() for days in (-LONGEST, LONGEST)]
    around = run.store.runs(f"parent is None and {span[0]!r} <= started <= {span[1]!r}", sort="id")
    facts = ("host", "pid", "argv", "cwd")
    wanted = [run.command.get(name) for name in facts]
    return [item for item in around if [item.command.get(name) for name in facts] == wanted]
