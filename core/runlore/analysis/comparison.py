"""Why two runs differ, or a run and the working tree: the causes by how likely they matter, then the effects."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore.analysis.ranking import is_aside, is_place, is_telling
from runlore.analysis.source_diff import compare_code
from runlore.hookspecs import UNSEEDED
from runlore.log.liveness import process_identity
from runlore.log.series import Series
from runlore.log.values import json_value
from runlore.plugins.code import is_program
from runlore.plugins.environment import git_state
from runlore.plugins.git import TIMEOUT
from runlore.plugins.manager import plugins
from runlore.provenance.source import Code, code_now, code_of
from runlore.recording.captures import look_at_environment
from runlore.store.runs import RecordedRun

GROUPS = ("data", "params", "code", "packages", "seeds", "environment", "hardware", "command")
ASIDE = "names and places"  # how the group of what is aside is called
GIT_FACTS = ("commit", "branch", "remote")  # the rest of the section git says the same in other words, or where it lay
WHERE = ("executable", "prefix")  # facts of Python that tell where it lies
SEED, STATE = "_seed", "_state"  # endings of what is known of a generator; another seed makes another state
OF_A_TREE = ("code", "packages", "environment", "hardware")  # what is known of a working tree


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; None stands for what a run does not have. `diff` is the unified diff of a source file.

    `aside` marks a param that only tells of the run's name or where its files go: it stands last.
    """

    group: str
    key: str
    a: Any
    b: Any
    diff: str | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """The code in a folder, and the Python that runs now, where a run would be."""

    folder: Path

    @property
    def id(self) -> str:
        """The folder, which stands for it."""
        return str(self.folder)

    @property
    def name(self) -> str:
        """How tables call it."""
        return "working tree" if self.folder == Path.cwd() else str(self.folder)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs: causes, then effects. `notes` tell what could not be compared, and why.

    `metrics` holds the last values by key, of every metric whose curves or last values differ; `partings` the first
    step at which the curves do.
    """

    a: RecordedRun | WorkingTree
    b: RecordedRun | WorkingTree
    changes: tuple[Change, ...]
    metrics: Mapping[str, tuple[float | None, float | None]]
    notes: tuple[str, ...]
    partings: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes or self.metrics)


def compare(a: RecordedRun | WorkingTree, b: RecordedRun | WorkingTree) -> Comparison:
    """Everything that differs, in the order of `GROUPS`; of a working tree only code, packages and machine."""
    states = _codes(a, b)
    code = compare_code(*states)
    trees = any(isinstance(side, WorkingTree) for side in (a, b))
    first, second = _by_group(a), _by_group(b)
    changes = [Change("code", *change) for change in code.changes]
    for group in OF_A_TREE if trees else GROUPS:
        for key in dict.fromkeys([*first[group], *second[group]]):
            values = [side[group].get(key) for side in (first, second)]
            if trees and key.startswith("variables."):
                continue  # those of this shell
            if not _same(*values):
                aside = group == "params" and (is_place(key) or _names(a.name, b.name, *values))
                changes.append(Change(group, key, values[0], values[1], aside=aside))
    seeds = {change.key for change in changes if change.group == "seeds"}
    changes = [change for change in changes if not (change.group == "seeds" and _follows(change.key, seeds))]
    changes.sort(key=_weight)
    notes = [*code.notes, *_unread(a), *_unread(b)]
    if trees or not isinstance(a, RecordedRun) or not isinstance(b, RecordedRun):
        notes.append("of a working tree only the code, the packages and the machine are known")
        return Comparison(a, b, tuple(changes), {}, tuple(notes))
    metrics, partings = _measured(a, b)
    if a.metrics and all(map(is_aside, metrics)):  # where generators stood made no difference
        changes = [change for change in changes if not (change.group == "seeds" and change.key.endswith(STATE))]
    causes = (change for change in changes if not change.aside)
    unexplained = not any(GROUPS.index(change.group) <= GROUPS.index("seeds") for change in causes)
    if unexplained and any(not is_aside(key) for key in metrics):
        notes.extend(_unseeded(first["seeds"], second["seeds"]))
    return Comparison(a, b, tuple(changes), metrics, tuple(notes), partings)


def _weight(change: Change) -> tuple[int, int]:
    """Groups in their order; in each, first what most likely tells the cause. What is aside comes behind all."""
    if change.aside:
        return len(GROUPS), 0
    rank = 1
    if change.group == "data":
        rank = 0 if change.key.endswith(".fingerprint") else 1
    elif change.group == "params":
        rank = 0 if is_telling(change.key) else 1
    elif change.group == "code":
        rank = 2 if change.diff is None and change.key.startswith("git.") else 0 if is_program(change.key) else 1
    elif change.group == "seeds":
        rank = 0 if change.key.endswith(SEED) else 1
    return GROUPS.index(change.group), rank


# Effects


def _measured(a: RecordedRun, b: RecordedRun) -> tuple[dict[str, tuple[float | None, float | None]], dict[str, int]]:
    metrics: dict[str, tuple[float | None, float | None]] = {}
    partings: dict[str, int] = {}
    for key in sorted(dict.fromkeys([*a.metrics, *b.metrics]), key=lambda key: (is_aside(key), key)):
        one, two = a.metrics.get(key), b.metrics.get(key)
        if one is None or two is None:
            metrics[key] = (None if one is None else one.last, None if two is None else two.last)
        elif not all(_same(getattr(one, name), getattr(two, name)) for name in ("last", "min", "max", "count")):
            metrics[key] = (one.last, two.last)
            step = parting(one, two)
            if step is not None:
                partings[key] = step
    for key in dict.fromkeys([*a.summary, *b.summary]):
        values = a.summary.get(key), b.summary.get(key)
        if key not in metrics and not _same(*values):
            metrics[key] = values
    return metrics, partings


def parting(a: Series, b: Series) -> int | None:
    """The first step at which two curves differ; where they are the same as far as both go, the first that one lacks.

    None if they have no step in common, or don't part.
    """
    import numpy as np

    common, places, others = np.intersect1d(a.steps, b.steps, assume_unique=True, return_indices=True)
    if not len(common):
        return None
    x, y = a.values[places], b.values[others]
    different = common[(x != y) & ~(np.isnan(x) & np.isnan(y))]
    if len(different):
        return int(different[0])
    single = np.setxor1d(a.steps, b.steps, assume_unique=True)
    return int(single[0]) if len(single) else None


# Causes


def _codes(a: RecordedRun | WorkingTree, b: RecordedRun | WorkingTree) -> tuple[Code, Code]:
    empty = Code("", None, None)
    known = [code_of(side) if isinstance(side, RecordedRun) else None for side in (a, b)]
    like = next((code for code in known if code is not None), empty)
    return (
        known[0] or (code_now(a.folder, like) if isinstance(a, WorkingTree) else empty),
        known[1] or (code_now(b.folder, like) if isinstance(b, WorkingTree) else empty),
    )


def _unread(run: RecordedRun | WorkingTree) -> Iterator[str]:
    for section, values in run.environment.items() if isinstance(run, RecordedRun) else ():
        if not values:
            yield f"the {section} of {run.name} can't be compared: its content is not in the store any more"


def _names(a: str, b: str, value: Any, other: Any) -> bool:
    """Whether two values differ only as the names of their runs, a and b, do."""
    if not isinstance(value, str) or not isinstance(other, str) or a == b:
        return False
    return other == re.sub(rf"(?<![\w-]){re.escape(a)}(?![\w-])", lambda _: b, value)


def _follows(key: str, seeds: set[str]) -> bool:
    """Whether this is the state of a generator whose seed differs, too."""
    return key.endswith(STATE) and key.removesuffix(STATE) + SEED in seeds


def _unseeded(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """What may tell why runs differ where nothing that is on record does."""
    names = [key.removesuffix(STATE) for key in a if a[key] == b.get(key) == UNSEEDED]
    if names:
        yield (
            f"nobody had seeded the random generators of {_listed(names)} when these runs began: "
            "what they draw is another each time, unless they are seeded later"
        )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _environment_now(folder: Path) -> dict[str, dict[str, Any]]:
    """What the providers say of this process, and git of the folder; secrets are masked as in a record."""
    loaded = plugins()
    (here,) = look_at_environment(loaded, lambda *_: None)
    of_folder = {"type": "environment", "sections": {"git": git_state(folder, TIMEOUT) or {}}}
    return {**here["sections"], **loaded.rewrite_event(of_folder)["sections"]}


def _by_group(side: RecordedRun | WorkingTree) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    if isinstance(side, WorkingTree):
        environment = _environment_now(side.folder)
        groups["hardware"]["host"] = process_identity()["host"]
    else:
        environment = side.environment
        groups["data"] = {f"{name}.{key}": value for name, facts in side.data.items() for key, value in facts.items()}
        groups["params"] = dict(sorted(side.params.items()))
        groups["command"] = {"argv": side.command.get("argv"), "cwd": side.command.get("cwd")}
    for section, values in environment.items():
        plain = {key: json_value(value) for key, value in values.items()}
        if section in ("packages", "hardware", "seeds"):
            groups[section] |= plain
        elif section == "git":
            groups["code"] = {f"git.{key}": plain.get(key) for key in GIT_FACTS if plain.get(key) is not None}
        elif section == "python":
            groups["command"] |= {f"python.{key}": plain[key] for key in WHERE if key in plain}
            groups["environment"] |= {f"python.{key}": value for key, value in plain.items() if key not in WHERE}
        else:
            groups["environment"] |= {f"{section}.{key}": value for key, value in plain.items()}
    if isinstance(side, RecordedRun) and side.command.get("host"):
        groups["hardware"]["host"] = side.command["host"]
    return groups


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124  # two NaN are the same
