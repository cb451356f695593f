"""Find stored files that rules no longer keep, and drop them."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from runlore.errors import ModelUnreadable, QueryError
from runlore.index.contents import Stored, group_stored
from runlore.index.parse import parse_field
from runlore.maintenance.removal import PINNED
from runlore.store.models import named_contents
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

HEAVY_KINDS = ("checkpoint", "model")  # of artifacts; the rules apply to these


@dataclass(frozen=True, slots=True)
class Surplus:
    """Checkpoints and models of one run that the rules don't keep. `size` is their size in bytes.

    `blobs` are the stored files that they are made of and that the run does not need otherwise.
    """

    run: RecordedRun
    hashes: tuple[str, ...]
    size: int
    blobs: frozenset[str]


def find_surplus(
    store: Store, runs: Sequence[RecordedRun], *, keep: int | None, by: str | None, best: str, older: float
) -> list[Surplus]:
    """Find the checkpoints and models of runs that neither of two rules keeps.

    Kept are the files of the best `keep` runs of each experiment by the metric `by` ("val_acc", "metrics.val_acc.max"),
    where the `best` value is the "min" or the "max", and of runs that ended less than `older` seconds ago. Kept, too,
    are the files of runs that lack the metric, are pinned or still running, files that the run has recorded as an
    artifact of another kind, and what aliases of models name.

    Raises:
        QueryError: `by` is no metric, or no run has it.
        ModelUnreadable: what a model names can't be known.
        StoreBusy: another process is still reading the runs for the first time.
    """
    named, damage = named_contents(store)
    if damage:
        raise ModelUnreadable(f"no file is dropped, as a model may name it: {damage[0]} (`runlore doctor` tells more)")
    store.index.require_all()
    contents = store.ask(group_stored)
    found = [item for run in runs for item in _surplus_of(run, contents.get(run.id, ()), named)]
    kept = {run.id for run in runs if PINNED in run.tags or not _ended_before(run, older)}
    if by is not None:
        kept |= _best_runs(runs, {item.run.id for item in found}, by, best, keep or 0)
    return [item for item in found if item.run.id not in kept]


def drop(surplus: Sequence[Surplus], why: str) -> None:
    """Record in the runs that the store does not keep these files any more; `collect` deletes them.

    Raises:
        StoreRefused: a run can't be written to.
    """
    for item in surplus:
        with item.run.attach() as run:
            run.run_log.event({"type": "dropped", "sha256": list(item.hashes), "why": why})


def _ended_before(run: RecordedRun, seconds: float) -> bool:
    """Return True if a run ended at least so many seconds ago."""
    ended = run.ended
    return run.status != "running" and ended is not None and (datetime.now(UTC) - ended).total_seconds() >= seconds


def _best_runs(runs: Sequence[RecordedRun], candidates: set[str], by: str, best: str, keep: int) -> set[str]:
    """Return the ids of the best candidates of each experiment, and of all runs that lack the metric."""
    field = parse_field(by, "metrics")
    if field.table != "metrics" or not any(field.key in run.metrics for run in runs):
        raise QueryError(f"none of these runs has a metric {by!r}: nothing would be kept for it", by, 0)
    kept = {run.id for run in runs if field.key not in run.metrics}
    experiments: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        value = getattr(run.metrics[field.key], field.column) if field.key in run.metrics else None
        if run.id in candidates and value is not None and value == value:
            experiments.setdefault(run.experiment, []).append((-value if best == "max" else value, run.id))
    for ranked in experiments.values():
        kept |= {run_id for _, run_id in sorted(ranked)[:keep]}
    return kept


def _surplus_of(run: RecordedRun, contents: Sequence[Stored], named: Set[str]) -> Iterator[Surplus]:
    """Yield the stored checkpoints and models of a run, but for those `named` or also of another kind."""
    others = {item.sha256 for item in contents if item.kind not in HEAVY_KINDS} | named
    chosen = [item for item in contents if item.stored and item.kind in HEAVY_KINDS and item.sha256 not in others]
    if chosen:
        sizes = {item.sha256: item.size for item in chosen}
        needed = {blob for item in contents if item.stored and item.sha256 not in sizes for blob in item.blobs}
        blobs = {blob for item in chosen for blob in item.blobs} - needed
        yield Surplus(run, tuple(sizes), sum(sizes.values()), frozenset(blobs))
