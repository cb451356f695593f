"""Why two runs differ: what of data, params, code, packages, environment, hardware and command is not the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runlore import _codediff
from runlore._values import json_value
from runlore.runs import RecordedRun

GROUPS = ("data", "params", "code", "packages", "environment", "hardware", "command")
GIT_FACTS = ("commit", "branch", "remote")  # the rest of the section git says the same in other words, or where it lay


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; None stands for what a run does not have. `diff` is the unified diff of a source file."""

    group: str
    key: str
    a: Any
    b: Any
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs: causes, then effects. `notes` tell what could not be compared, and why."""

    a: RecordedRun
    b: RecordedRun
    changes: tuple[Change, ...]
    metrics: Mapping[str, tuple[float | None, float | None]]  # last values, by key
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.metrics)


def compare(a: RecordedRun, b: RecordedRun) -> Comparison:
    """Everything that differs between two runs, in the order of `GROUPS`; of metrics the last values are compared."""
    code = _codediff.compare_code(a, b)
    found = [*_facts(a, b), *(Change("code", *change) for change in code.changes)]
    found.sort(key=lambda change: GROUPS.index(change.group))
    metrics = {}
    for key in dict.fromkeys([*a.metrics, *b.metrics]):
        values = tuple(run.metrics[key].last if key in run.metrics else None for run in (a, b))
        if not _same(*values):
            metrics[key] = (values[0], values[1])
    for key in dict.fromkeys([*a.summary, *b.summary]):
        values = a.summary.get(key), b.summary.get(key)
        if key not in metrics and not _same(*values):
            metrics[key] = values
    return Comparison(a, b, tuple(found), metrics, (*code.notes, *_unread(a), *_unread(b)))


def _unread(run: RecordedRun) -> Iterator[str]:
    for section, values in run.environment.items():
        if not values:
            yield f"the {section} of {run.name} can't be compared: its content is not in the store any more"


def _facts(a: RecordedRun, b: RecordedRun) -> Iterator[Change]:
    first, second = _by_group(a), _by_group(b)
    for group in GROUPS:
        for key in dict.fromkeys([*first[group], *second[group]]):
            values = [side[group].get(key) for side in (first, second)]
            if not _same(*values):
                yield Change(group, key, values[0], values[1])


def _by_group(run: RecordedRun) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    groups["data"] = {f"{name}.{key}": value for name, facts in run.data.items() for key, value in facts.items()}
    groups["params"] = dict(sorted(run.params.items()))
    for section, values in run.environment.items():
        plain = {key: json_value(value) for key, value in values.items()}
        if section == "packages":
            groups["packages"] = plain
        elif section == "hardware":
            groups["hardware"] = plain
        elif section == "git":
            groups["code"] = {f"git.{key}": plain.get(key) for key in GIT_FACTS if plain.get(key) is not None}
        else:
            groups["environment"] |= {f"{section}.{key}": value for key, value in plain.items()}
    command = run.command
    if command.get("host"):
        groups["hardware"]["host"] = command["host"]
    groups["command"] = {"argv": command.get("argv"), "cwd": command.get("cwd")}
    return groups


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124  # two NaN are the same
