"""Explain why two runs differ, or a run and a working tree: causes, the most likely first, then effects."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runlore.analysis.ranking import is_aside, is_place, is_telling
from runlore.analysis.row_diff import RowDiff, reordered
from runlore.analysis.source_diff import compare_code
from runlore.hookspecs import UNSEEDED
from runlore.log.liveness import process_identity
from runlore.log.series import Series
from runlore.log.values import json_value
from runlore.plugins.code import is_program
from runlore.plugins.environment import git_state
from runlore.plugins.git import TIMEOUT_S
from runlore.plugins.manager import plugins
from runlore.provenance.repository import reading
from runlore.provenance.source import Code, code_now, code_of
from runlore.recording.captures import look_at_environment
from runlore.store.runs import RecordedRun
from runlore.store.segments import histories

GROUPS = ("data", "params", "code", "packages", "seeds", "environment", "hardware", "command")
TREE_GROUPS = ("code", "packages", "environment", "hardware")  # those known of a working tree
ASIDE = "names and places"  # the title under which changes with `aside` are shown
DATA_ASIDE = ("rows_fingerprint", "order_fingerprint", "set", "called")  # of datasets: their fingerprints tell enough
GIT_FACTS = ("commit", "branch", "remote")  # other facts of git follow from the code itself, or name its place
PYTHON_PLACES = ("executable", "prefix")  # facts of Python that name its place
SEED, STATE = "_seed", "_state"  # endings of the facts of a random generator; its state follows from its seed

Groups = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that differs; a value is None if its run lacks the fact. `diff` is the unified diff of a source file.

    `rows` tells what became of the rows of a data file, or of a dataset where its fingerprint differs. `aside` marks a
    param that differs only by the run's name or the place of its files; it is sorted last.
    """

    group: str
    key: str
    a: Any
    b: Any
    diff: str | None = None
    aside: bool = False
    rows: RowDiff | None = None


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """The code in a folder with the running Python, in place of a run."""

    folder: Path

    @property
    def id(self) -> str:
        """The folder, used where a run has its id."""
        return str(self.folder)

    @property
    def name(self) -> str:
        """The name shown in tables."""
        return "working tree" if self.folder == Path.cwd() else str(self.folder)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two runs: causes (`changes`), then effects (`metrics`).

    `metrics` holds the last values of each metric whose curves or last values differ, and `partings` the first step at
    which the curves differ. `notes` say what could not be compared, and why.
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
    """Find all differences, in the order of `GROUPS`; of a working tree only the code, packages and machine."""
    codes = _codes(a, b)
    code = compare_code(*codes)
    first, second = _by_group(a), _by_group(b)
    changes = [Change("code", *file[:4], rows=file.rows) for file in code.changes]
    changes += _without_states_of_seeds(list(_differences(a, b, first, second)))
    changes.sort(key=_rank)
    notes = [*code.notes, *_unread(a), *_unread(b)]
    if not isinstance(a, RecordedRun) or not isinstance(b, RecordedRun):
        notes.append("of a working tree only the code, the packages and the machine are known")
        return Comparison(a, b, tuple(changes), {}, tuple(notes))
    metrics, partings = _compare_metrics(a, b)
    if a.metrics and all(map(is_aside, metrics)):  # the states of the generators made no difference
        changes = [change for change in changes if not (change.group == "seeds" and change.key.endswith(STATE))]
    causes = (change for change in changes if not change.aside)
    unexplained = not any(GROUPS.index(change.group) <= GROUPS.index("seeds") for change in causes)
    if unexplained and any(not is_aside(key) for key in metrics):
        notes.extend(_likely(codes, first["seeds"], second["seeds"]))
    return Comparison(a, b, tuple(changes), metrics, tuple(notes), partings)


def parting(a: Series, b: Series) -> int | None:
    """Return the first step at which two curves differ, or else the first step that only one of them has.

    None if the curves are the same, or have no step in common.
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


def is_same(a: Any, b: Any) -> bool:
    """Return True if two values are equal; NaN equals NaN here."""
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124  # only NaN differs from itself


# Causes


def _differences(
    a: RecordedRun | WorkingTree, b: RecordedRun | WorkingTree, first: Groups, second: Groups
) -> Iterator[Change]:
    trees = any(isinstance(side, WorkingTree) for side in (a, b))
    for group in TREE_GROUPS if trees else GROUPS:
        for key in dict.fromkeys([*first[group], *second[group]]):
            values = first[group].get(key), second[group].get(key)
            if trees and key.startswith("variables."):
                continue  # those of this shell, which tell nothing about the folder
            if not is_same(*values):
                aside = group == "params" and (is_place(key) or _differ_as_names(a.name, b.name, *values))
                yield Change(group, key, *values, aside=aside, rows=_rows(a, b, key) if group == "data" else None)


def _rows(a: RecordedRun | WorkingTree, b: RecordedRun | WorkingTree, key: str) -> RowDiff | None:
    """Return what is known of the rows of a dataset whose fingerprint differs."""
    name, _, fact = key.rpartition(".")
    if fact != "fingerprint" or not isinstance(a, RecordedRun) or not isinstance(b, RecordedRun):
        return None
    return reordered(a.data.get(name, {}), b.data.get(name, {}))


def _without_states_of_seeds(changes: list[Change]) -> list[Change]:
    """Remove the states of those random generators whose seeds differ too."""
    seeds = {change.key for change in changes if change.group == "seeds"}

    def follows(change: Change) -> bool:
        state = change.group == "seeds" and change.key.endswith(STATE)
        return state and change.key.removesuffix(STATE) + SEED in seeds

    return [change for change in changes if not follows(change)]


def _rank(change: Change) -> tuple[int, int]:
    """Return the sort key of a change: groups in their order, likely causes first in each, `aside` behind all."""
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


def _differ_as_names(a: str, b: str, value: Any, other: Any) -> bool:
    """Return True if two texts differ only by the names of their runs, a and b."""
    if not isinstance(value, str) or not isinstance(other, str) or a == b:
        return False
    return other == re.sub(rf"(?<![\w-]){re.escape(a)}(?![\w-])", lambda _: b, value)


def _likely(codes: tuple[Code, Code], a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note on what may explain the effects where nothing on record does: the code, where it is not known."""
    unknown = [code.name for code in codes if not code.is_known]
    if unknown:
        yield f"what made the difference is not on record: the code of {_listed(unknown)} is not fully known"
    else:
        yield from _unseeded(a, b)


def _unseeded(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note on random generators without a seed: the likely cause if nothing on record explains the effects."""
    names = [key.removesuffix(STATE) for key in a if a[key] == b.get(key) == UNSEEDED]
    if names:
        yield (
            f"nobody had seeded the random generators of {_listed(names)} when these runs began: "
            "they draw other numbers each time, unless they are seeded later"
        )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _by_group(side: RecordedRun | WorkingTree) -> Groups:
    """Sort the facts of a run or a working tree into `GROUPS`."""
    groups: Groups = {group: {} for group in GROUPS}
    if isinstance(side, WorkingTree):
        environment = _environment_now(side.folder)
        groups["hardware"]["host"] = process_identity()["host"]
    else:
        environment = side.environment
        groups["data"] = {
            f"{name}.{key}": value
            for name, facts in side.data.items()
            for key, value in facts.items()
            if key not in DATA_ASIDE
        }
        groups["params"] = dict(sorted((side.params | histories(side.segments)).items()))
        groups["command"] = {"argv": side.command.get("argv"), "cwd": side.command.get("cwd")}
    for section, values in environment.items():
        plain = {key: json_value(value) for key, value in values.items()}
        if section in ("packages", "hardware", "seeds"):
            groups[section] |= plain
        elif section == "git":
            groups["code"] = {f"git.{key}": plain.get(key) for key in GIT_FACTS if plain.get(key) is not None}
        elif section == "python":
            groups["command"] |= {f"python.{key}": plain[key] for key in PYTHON_PLACES if key in plain}
            groups["environment"] |= {f"python.{key}": plain[key] for key in plain if key not in PYTHON_PLACES}
        else:
            groups["environment"] |= {f"{section}.{key}": value for key, value in plain.items()}
    if isinstance(side, RecordedRun) and side.command.get("host"):
        groups["hardware"]["host"] = side.command["host"]
    return groups


def _environment_now(folder: Path) -> dict[str, dict[str, Any]]:
    """Capture the environment of this process, with git's facts of the folder; secrets are masked as in a record."""
    loaded = plugins()
    (here,) = look_at_environment(loaded, lambda *_: None, recording=False)
    with reading(folder, TIMEOUT_S) as git:
        of_folder = {"type": "environment", "sections": {"git": git_state(git) or {}}}
    return {**here["sections"], **loaded.rewrite_event(of_folder)["sections"]}


# Effects


def _compare_metrics(
    a: RecordedRun, b: RecordedRun
) -> tuple[dict[str, tuple[float | None, float | None]], dict[str, int]]:
    """Return the last values of the metrics that differ, and the steps at which their curves part."""
    metrics: dict[str, tuple[float | None, float | None]] = {}
    partings: dict[str, int] = {}
    for key in sorted(dict.fromkeys([*a.metrics, *b.metrics]), key=lambda key: (is_aside(key), key)):
        one, two = a.metrics.get(key), b.metrics.get(key)
        if one is None or two is None:
            metrics[key] = (None if one is None else one.last, None if two is None else two.last)
        elif not all(is_same(getattr(one, name), getattr(two, name)) for name in ("last", "min", "max", "count")):
            metrics[key] = (one.last, two.last)
            step = parting(one, two)
            if step is not None:
                partings[key] = step
    for key in dict.fromkeys([*a.summary, *b.summary]):
        values = a.summary.get(key), b.summary.get(key)
        if key not in metrics and not is_same(*values):
            metrics[key] = values
    return metrics, partings
