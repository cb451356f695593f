"""Find stored files that rules no longer keep, and drop them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runlore.errors import QueryError
from runlore.index.contents import Stored, group_stored
from runlore.index.query import field_of
from runlore.maintenance.removal import PINNED

if TYPE_CHECKING:
    from runlore.store.runs import RecordedRun
    from runlore.store.store import Store

WEIGHTY = ("checkpoint", "model")  # kinds of artifacts whose contents the rules drop


@dataclass(frozen=True, slots=True)
class Surplus:
    """Contents of one run's checkpoints and models that the rules don't keep. `size` counts their bytes.

    `blobs` are those that the run needs for nothing else: of a folder, its files.
    """

    run: "RecordedRun"
    hashes: tuple[str, ...]
    size: int
    blobs: frozenset[str]


def find_surplus(
    store: "Store", runs: "Sequence[RecordedRun]", *, keep: int | None, by: str | None, best: str, older: float
) -> list[Surplus]:
    """What two rules leave over: of each experiment the best `keep` runs by a metric stay, and what is younger.

    `by` is "val_acc" or "metrics.val_acc.max", `best` "min" or "max"; `older` is in seconds since the run's end. Runs
    that don't have the metric, that are pinned or still running are left alone. A content that is also a file of
    another kind stays.

    Raises:
        QueryError: `by` is no metric, or no run has it.
    """
    contents = store.ask(group_stored)
    found = [item for run in runs for item in _surplus_of(run, contents.get(run.id, ()))]
    kept = {run.id for run in runs if PINNED in run.tags or not _is_over(run, older)}
    if by is not None:
        kept |= _best(runs, {item.run.id for item in found}, by, best, keep or 0)
    return [item for item in found if item.run.id not in kept]


def _is_over(run: "RecordedRun", older: float) -> bool:
    ended = run.ended
    return run.status != "running" and ended is not None and (datetime.now(UTC) - ended).total_seconds() >= older


def _best(runs: "Sequence[RecordedRun]", having: set[str], by: str, best: str, keep: int) -> set[str]:
    """The best of the runs `having` files of each experiment, and those that can't be ranked for lack of the metric."""
    field = field_of(by, "metrics")
    if field.table != "metrics" or not any(field.key in run.metrics for run in runs):
        raise QueryError(f"none of these runs has a metric {by!r}: nothing would be kept for it", by, 0)
    kept = {run.id for run in runs if field.key not in run.metrics}
    experiments: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        value = getattr(run.metrics[field.key], field.column) if field.key in run.metrics else None
        if run.id in having and value is not None and value == value:
            experiments.setdefault(run.experiment, []).append((-value if best == "max" else value, run.id))
    for ranked in experiments.values():
        kept |= {run_id for _, run_id in sorted(ranked)[:keep]}
    return kept


def _surplus_of(run: "RecordedRun", contents: Sequence[Stored]) -> "Iterator[Surplus]":
    """The contents of checkpoints and models that a run has in the store, and that are none of its other files."""
    others = {item.sha256 for item in contents if item.kind not in WEIGHTY}
    chosen = [item for item in contents if item.stored and item.kind in WEIGHTY and item.sha256 not in others]
    if chosen:
        sizes = {item.sha256: item.size for item in chosen}
        needed = {blob for item in contents if item.stored and item.sha256 not in sizes for blob in item.blobs}
        blobs = {blob for item in chosen for blob in item.blobs} - needed
        yield Surplus(run, tuple(sizes), sum(sizes.values()), frozenset(blobs))


def drop(surplus: Sequence[Surplus], why: str) -> None:
    """Say in the runs that the store does not keep these contents any more; `collect` frees their room.

    Raises:
        StoreRefused: a run can't be written to.
    """
    for item in surplus:
        run = item.run.attach()
        run.run_log.event({"type": "dropped", "sha256": list(item.hashes), "why": why})
        run.finish()
