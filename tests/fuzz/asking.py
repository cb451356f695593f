"""All that commands and the page read, asked of a run that was changed and of one beside it."""

import json
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runlore import open_store
from runlore._warnings import without_warnings
from runlore.analysis.comparison import compare
from runlore.analysis.exports import Format, export
from runlore.documents import comparison_document, lineage_document, run_details, run_document
from runlore.errors import RunloreError
from runlore.maintenance.garbage import find_garbage
from runlore.provenance.lineage import lineage
from runlore.store.runs import RecordedRun, flat_row
from runlore.store.store import Store
from tests.commands import runlore
from tests.forged import ForgedStore

INNOCENT = "innocent"
KINDS: tuple[Format, ...] = ("csv", "json")
MAX_SECONDS = 10.0
MAX_BYTES = 256 << 20


@contextmanager
def forged() -> Iterator[ForgedStore]:
    """Give a store of somebody else's, with an innocent run."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), without_warnings():
        warnings.simplefilter("ignore")
        store = ForgedStore(Path(folder) / "store")
        store.run([{"type": "params", "values": {"lr": 0.1}}], name=INNOCENT)
        yield store


def ask(root: Path, *, thorough: bool = False) -> None:
    """Ask everything of a store; if `thorough`, also what takes long, and by commands, and watch the memory.

    Raises:
        AssertionError: the innocent run is missing, or an answer took too long or too much memory.
        Exception: anything else that is no `RunloreError` is a finding.
    """
    began = time.process_time()
    if thorough:
        tracemalloc.start()
    try:
        store = open_store(root)
        runs = store.runs()
        assert INNOCENT in {run.name for run in runs}, "the innocent run is not listed"
        for run in runs:
            _ask_run(store, run)
            if thorough:
                _ask_by_commands(root, run.id)
        if thorough:
            for kind in KINDS:
                export(runs, root.parent / "exported", kind)
            find_garbage(store)
            store.reindex()
            assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < MAX_SECONDS


def _ask_by_commands(root: Path, run_id: str) -> None:
    for command in (["show", run_id, "--full"], ["ls", "--all"], ["diff", INNOCENT, run_id], ["lineage", run_id]):
        result = runlore(*command, "--store", str(root))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception


def _ask_run(store: Store, run: RecordedRun) -> None:
    questions: list[Callable[[], object]] = [
        lambda: json.dumps([run_document(run), run_details(run)]),
        lambda: str([flat_row(run), run._repr_html_(), repr(run)]),
        lambda: json.dumps(lineage_document(lineage(store, run))),
        lambda: json.dumps(comparison_document(compare(run, store.run(INNOCENT)))),
        lambda: [len(series.values) for series in run.metrics.values()],
        lambda: store.run(run.id).parent,
    ]
    for question in questions:
        with suppress(RunloreError):
            question()
