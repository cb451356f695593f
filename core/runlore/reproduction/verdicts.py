"""Compare a repeated run with the first one: bit-identical, within a tolerance, or different."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runlore.analysis.comparison import is_same
from runlore.analysis.ranking import is_aside, is_place
from runlore.analysis.row_diff import reordered
from runlore.artifacts.artifact import Artifact
from runlore.index.contents import NO_MODELS
from runlore.log.series import Series
from runlore.provenance import fingerprints
from runlore.store.runs import RecordedRun

TOLERANCE = 1e-5  # relative to the largest magnitude of a metric
MODELS = ("model", "checkpoint")  # kinds of artifacts that hold weights
Level = Literal["bit-identical", "within tolerance", "different", "nothing to compare"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """A metric that is not bit-identical.

    `largest` is the largest difference at any step, `step` the first step that has it, and `relative` the difference
    divided by the largest magnitude of the first curve. They are None if the steps differ; `why` says so then.
    """

    key: str
    largest: float | None
    relative: float | None
    step: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file that both runs wrote, or one of them. `same` is None if it could not be compared.

    `by` says what was compared: the bytes ("sha256"), or the weights in them.
    """

    name: str
    kind: str
    same: bool | None
    by: Literal["sha256", "weights"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of comparing two runs.

    `same` names the bit-identical metrics. `reasons` are the other differences: the end, params and data.
    """

    level: Level
    tolerance: float
    same: tuple[str, ...]
    deviations: tuple[Deviation, ...]
    files: tuple[Outcome, ...]
    reasons: tuple[str, ...]


def judge(
    first: RecordedRun,
    again: RecordedRun,
    tolerance: float = TOLERANCE,
    as_then: Callable[[str], str] = str,
) -> Verdict:
    """Compare two runs: metrics at every step, models and other files, data, params, and how they ended.

    Metrics of time and of the machine are ignored, and so are logs. `tolerance` is relative to the largest magnitude of
    a metric's curve. Files with different bytes are the same if their weights are; no pickle is loaded. `as_then`
    replaces the fresh folders in a param by the recorded ones.
    """
    same, deviations = _compare_metrics(first, again)
    files = tuple(_compare_files(first, again))
    reasons = (*_compare_ends(first, again), *_compare_params(first, again, as_then), *_compare_data(first, again))
    return Verdict(
        _level(same, deviations, files, reasons, tolerance), tolerance, tuple(same), tuple(deviations), files, reasons
    )


def overall(verdicts: Iterable[Verdict], lacking: Sequence[RecordedRun] = ()) -> Level:
    """Return the worst level of several verdicts; runs that were not repeated (`lacking`) count as different."""
    order: tuple[Level, ...] = ("different", "within tolerance", "bit-identical", "nothing to compare")
    found = {verdict.level for verdict in verdicts} | ({"different"} if lacking else set())
    return next((level for level in order if level in found), "nothing to compare")


def _level(
    same: Sequence[str],
    deviations: Sequence[Deviation],
    files: Sequence[Outcome],
    reasons: Sequence[str],
    tolerance: float,
) -> Level:
    """Return the level of a whole verdict.

    Weights may differ if the metrics differ a little; if no metric differs, different weights are a difference. The
    bytes of an opaque model (a pickle) may differ by the time of its writing alone.
    """
    changed = [item for item in files if item.same is False]
    opaque = [item for item in changed if item.kind in MODELS and item.by == "sha256" and not item.why]
    far = any(item.relative is None or not item.relative <= tolerance for item in deviations)
    if reasons or far or any(item.why for item in changed) or (len(changed) > len(opaque) and not deviations):
        return "different"
    if deviations or changed:
        return "within tolerance" if same or deviations else "different"
    known = [item for item in files if item.same]
    if not same and not known:
        return "nothing to compare"
    return "within tolerance" if any(item.same is None for item in files) and not known else "bit-identical"


def _compare_ends(first: RecordedRun, again: RecordedRun) -> Iterator[str]:
    if first.status != again.status:
        told = "" if again.error is None else f" ({again.error.get('type')}: {again.error.get('message')})"
        yield f"it {_ended(again)}{told}, where the first {_ended(first)}"
    elif _error(first) != _error(again):
        yield f"the first failed with {_error(first)}, it with {_error(again)}"


def _ended(run: RecordedRun) -> str:
    return {"running": "is still running", "interrupted": "was interrupted"}.get(run.status, run.status)


def _error(run: RecordedRun) -> str:
    return "" if run.error is None else f"{run.error.get('type')}: {run.error.get('message')}"


def _compare_params(first: RecordedRun, again: RecordedRun, as_then: Callable[[str], str]) -> Iterator[str]:
    for key in dict.fromkeys([*first.params, *again.params]):
        before, now = first.params.get(key), again.params.get(key)
        now = as_then(now) if isinstance(now, str) else now
        if not is_same(before, now) and not is_place(key):
            yield f"param {key} is {now!r}, was {before!r}"


def _compare_data(first: RecordedRun, again: RecordedRun) -> Iterator[str]:
    for name in dict.fromkeys([*first.data, *again.data]):
        facts = [run.data.get(name, {}) for run in (first, again)]
        prints = [item.get("fingerprint") for item in facts]
        rows = reordered(*facts)
        if prints[0] != prints[1] and rows is not None:
            yield f"data {name!r} is not the same: {rows.text}"
        elif prints[0] != prints[1]:
            yield f"data {name!r} is not the same: {_short(prints[0])} then, {_short(prints[1])} now"


def _short(fingerprint: object) -> str:
    return str(fingerprint)[:12] if fingerprint else "none"


# Metrics


def _compare_metrics(first: RecordedRun, again: RecordedRun) -> tuple[list[str], list[Deviation]]:
    same, deviations = [], []
    for key in dict.fromkeys([*first.metrics, *again.metrics]):
        if is_aside(key):
            continue
        found = _compare_curves(key, first.metrics.get(key), again.metrics.get(key))
        if found is None:
            same.append(key)
        else:
            deviations.append(found)
    for key in dict.fromkeys([*first.summary, *again.summary]):
        values = first.summary.get(key), again.summary.get(key)
        if is_aside(key) or not any(isinstance(value, int | float) for value in values):
            continue
        name = f"{key} (of the whole run)" if key in first.metrics or key in again.metrics else key
        found = _compare_values(name, *values)
        if found is None:
            same.append(name)
        else:
            deviations.append(found)
    return same, deviations


def _compare_curves(key: str, a: Series | None, b: Series | None) -> Deviation | None:
    import numpy as np

    if a is None or b is None:
        return Deviation(key, None, None, None, f"only the {'second' if a is None else 'first'} has it")
    if not np.array_equal(a.steps, b.steps):
        return Deviation(key, None, None, None, f"{len(a.steps)} steps then, {len(b.steps)} now")
    bits = np.ascontiguousarray(a.values).view(np.int64) != np.ascontiguousarray(b.values).view(np.int64)
    different = bits & ~(np.isnan(a.values) & np.isnan(b.values))
    if not different.any():
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(different, np.abs(a.values - b.values), 0.0)
    distance = np.where(np.isnan(distance), np.inf, distance)  # one of the two is NaN
    place = int(np.argmax(distance))
    finite = np.abs(a.values[np.isfinite(a.values)])
    scale = float(finite.max()) if len(finite) else 0.0
    largest = float(distance[place])
    return Deviation(key, largest, largest / scale if scale else float("inf") if largest else 0.0, int(a.steps[place]))


def _compare_values(key: str, a: object, b: object) -> Deviation | None:
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return Deviation(key, None, None, None, f"{a!r} then, {b!r} now")
    if is_same(a, b):
        return None
    largest = abs(a - b)
    return Deviation(key, largest, largest / abs(a) if a else float("inf"), None)


# Files


def _compare_files(first: RecordedRun, again: RecordedRun) -> Iterator[Outcome]:
    """Compare files of the same kind, name and step, in the order in which they were written."""
    sides = [_by_name(run) for run in (first, again)]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        kind, name, step = key
        title = name if step is None else f"{name} (step {step})"
        ours, theirs = sides[0].get(key, []), sides[1].get(key, [])
        for a, b in zip(ours, theirs, strict=False):
            yield _compare_pair(title, kind, a, b, first, again)
        if len(ours) != len(theirs):
            lacking = "only the first run wrote it" if len(ours) > len(theirs) else "only the second run wrote it"
            yield Outcome(title, kind, False, "sha256", lacking)


def _by_name(run: RecordedRun) -> Mapping[tuple[str, str, int | None], list[Artifact]]:
    found: dict[tuple[str, str, int | None], list[Artifact]] = {}
    for item in run.artifacts:
        if item.kind not in NO_MODELS:
            found.setdefault((item.kind, item.name, item.step), []).append(item)
    return found


def _compare_pair(title: str, kind: str, a: Artifact, b: Artifact, first: RecordedRun, again: RecordedRun) -> Outcome:
    if a.sha256 is None or b.sha256 is None:
        return Outcome(title, kind, None, "sha256", "the hash is not known")
    if a.sha256 == b.sha256:
        return Outcome(title, kind, True, "sha256")
    files = [
        fingerprints.files_of(run.store.folder, run.id, item.sha256 or "") for run, item in ((first, a), (again, b))
    ]
    if not all(files):
        return Outcome(title, kind, None, "sha256", "the bytes differ, and the content was not kept")
    weights = [fingerprints.weights_of(found) for found in files]
    if weights[0] is None or weights[1] is None:
        return Outcome(title, kind, False, "sha256")
    return Outcome(title, kind, not set(weights[0].whole).isdisjoint(weights[1].whole), "weights")
