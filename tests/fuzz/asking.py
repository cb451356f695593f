"""All that commands and the page read, asked of runs that were changed and of one beside them.

Many changed runs lie in one store, as what a store costs, an index and its tables, is a hundred times what a run costs.
Where that fails, each of them is tried again in a store of its own.
"""

import json
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runlore import open_store
from runlore._warnings import without_warnings
from runlore.analysis.comparison import compare
from runlore.analysis.exports import Format, export
from runlore.documents import comparison_document, lineage_document, run_details, run_document
from runlore.errors import RunloreError
from runlore.index.index import one_state
from runlore.maintenance.garbage import find_garbage
from runlore.provenance.lineage import lineage
from runlore.store.runs import RecordedRun, flat_row
from runlore.store.store import Store
from runlore.ui.endpoints import dump
from runlore.ui.media import media
from tests.commands import runlore
from tests.forged import ForgedStore
from tests.fuzz.memory import forget_peak, peak

INNOCENT = "innocent"
KINDS: tuple[Format, ...] = ("csv", "json")
TOGETHER = 200  # runs in one store
BY_COMMANDS = 50  # one of so many runs is asked by commands, too
MAX_SECONDS = 10.0
MAX_BYTES = 256 << 20

Put = Callable[[ForgedStore, random.Random], None]


def try_inputs(numbers: Sequence[int], put: Put) -> None:
    """Let `put` write the run of each number into a store, and ask everything of it.

    Raises:
        AssertionError: the innocent run is missing, or an answer took too long or too much memory.
        Exception: anything else that is no `RunloreError` is a finding.
    """
    for first in range(0, len(numbers), TOGETHER):
        together = numbers[first : first + TOGETHER]
        try:
            _try(together, put)
        except BaseException as error:
            for number in together:
                try:
                    _try([number], put, by_commands=1)
                except BaseException as alone:
                    alone.add_note(f"input {number} of {put.__name__}")
                    raise
            error.add_note(f"inputs {together} of {put.__name__}, and only together")
            raise


def _try(numbers: Sequence[int], put: Put, by_commands: int = BY_COMMANDS) -> None:
    with forged() as store:
        for number in numbers:
            with suppress(ValueError, OverflowError):  # what the json module can't write
                put(store, random.Random(number))
        _ask(store.root, by_commands)


@contextmanager
def forged() -> Iterator[ForgedStore]:
    """Give a store of somebody else's, with an innocent run."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), without_warnings():
        warnings.simplefilter("ignore")
        store = ForgedStore(Path(folder) / "store")
        store.run([{"type": "params", "values": {"lr": 0.1}}], name=INNOCENT)
        yield store


@contextmanager
def soon() -> Iterator[None]:
    """Fail if what is done meanwhile takes too long."""
    began = time.process_time()
    yield
    assert time.process_time() - began < MAX_SECONDS


def _ask(root: Path, by_commands: int) -> None:
    forget_peak()
    before = peak()
    with soon():
        store = open_store(root)
        runs = store.runs()
    assert INNOCENT in {run.name for run in runs}, "the innocent run is not listed"
    with one_state(store.index):
        for run in runs:
            with soon():
                _ask_run(store, run)
    for place, run in enumerate(runs):
        if place % by_commands == 0:
            for command in (["show", run.id, "--full"], ["diff", INNOCENT, run.id], ["lineage", run.id]):
                _ask_by_command(root, *command)
    _ask_by_command(root, "ls", "--all")
    with soon():
        for kind in KINDS:
            export(runs, root.parent / "exported", kind)
        find_garbage(store)
        store.reindex()
    assert peak() - before < MAX_BYTES


def _ask_by_command(root: Path, *command: str) -> None:
    with soon():
        result = runlore(*command, "--store", str(root))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception


def _ask_run(store: Store, run: RecordedRun) -> None:
    questions: list[Callable[[], object]] = [
        lambda: json.dumps([run_document(run), run_details(run)]),
        lambda: str([flat_row(run), run._repr_html_(), repr(run)]),
        lambda: json.dumps(lineage_document(lineage(store, run))),
        lambda: dump(media(store, [run.id], "")),
        lambda: json.dumps(comparison_document(compare(run, store.run(INNOCENT)))),
        lambda: [len(series.values) for series in run.metrics.values()],
        lambda: store.run(run.id).parent,
    ]
    for question in questions:
        with suppress(RunloreError):
            question()
