"""Faults of all kinds at every public entry: none of them ends a training."""

import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import runlore
from runlore import RunloreWarning, Store
from runlore.recording.run import Run
from tests.process import Process

Python = Callable[..., Process]

READ = {"FitSession", "RunloreError", "RunloreWarning", "Store", "hookimpl", "open_store"}
READ |= {"load_ipython_extension", "unload_ipython_extension"}  # of cells
INNER = {"end_with_process"}  # of processes that end


def test_no_fault_at_any_public_entry_ends_a_training(python: Python) -> None:
    """Calls of the system that fail, no descriptors, full disks, stores that are gone or none, objects that raise."""
    process = python(Path(__file__).with_name("faulty_training.py"), "300")
    entries = {name.partition("__")[0] for name in process.succeed().split()}
    methods = {name for name, _ in inspect.getmembers(Run, inspect.isfunction) if not name.startswith("_")}
    public = (methods | set(runlore.__all__)) - READ - INNER - {"current_run"}
    assert public == entries


SURROUNDINGS = {
    "a name of the process that is no UTF-8": r"import ctypes; ctypes.CDLL(None).prctl(15, b'a\xe8) b\xe8', 0, 0, 0)",
    "no arguments, as where Python is embedded": "import sys; del sys.argv",
    "arguments that are no texts": "import sys; sys.argv = [None, 3]",
    "no streams": "import sys; sys.stdout = sys.stderr = None",
    "a broken pyproject.toml": "open('pyproject.toml', 'w').write('[tool.runlore')",
    "settings that are no texts": "open('pyproject.toml', 'w').write('[tool.runlore]\\ndisabled = {a = 1}')",
    "a home that is not known": "import os; os.environ['RUNLORE_CSV'] = '~nobody-of-that-name/csv'",
    "warnings that are errors": "import warnings; warnings.simplefilter('error')",
}
WHOLE = """
import runlore
with runlore.start_run("trained", params={"lr": 0.1}) as run:
    run.log_metrics({"loss": 1.0})
    runlore.set_tags({"kind": "small"})
"""


@pytest.mark.parametrize("fault", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_odd_surroundings_cost_no_run(store: Store, python: Python, fault: str) -> None:
    """Each of these once raised in the training, some only where nothing was imported yet."""
    assert python(f"{fault}\n{WHOLE}runlore.autolog()").wait() == 0
    found = store.run("trained")
    assert (found.status, found.metrics["loss"].count) == ("finished", 1)


UNUSABLE = {
    "a home that is not known": "import os; os.environ['RUNLORE_STORE'] = '~nobody-of-that-name/store'",
    "a store of no format": "import os; os.makedirs('store'); open('store/format', 'wb').write(b'\\xff')",
    "no descriptors": """
import os, resource, runlore
first = os.open(os.devnull, os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
""",
}


@pytest.mark.parametrize("fault", UNUSABLE.values(), ids=UNUSABLE)
def test_what_can_not_be_recorded_is_told_once_and_ends_no_training(python: Python, fault: str, tmp_path: Path) -> None:
    script = f"{fault}\n{WHOLE}print('trained')"
    process = python(script, RUNLORE_STORE=str(tmp_path / "store"))
    assert process.succeed() == "trained\n"
    assert process.err.count("can be recorded") + process.err.count("does nothing") == 1


def test_each_run_that_an_outage_costs_is_named_or_counted(python: Python, tmp_path: Path) -> None:
    """Only the first one was: of a search's four candidates three were lost without a word."""
    process = python(
        """
        import os, runlore
        open("place", "w").close()
        for number in range(6):
            runlore.start_run(f"candidate-{number}").finish()
        os.remove("place")
        os.mkdir("place")
        runlore.start_run("recorded").finish()
        os.rename("place", "away")
        open("place", "w").close()
        for name in ("late", "later"):
            runlore.start_run(name).finish()
        if not os.fork():
            runlore.start_run("of a child").finish()
            raise SystemExit
        os.wait()
        """,
        RUNLORE_STORE=str(tmp_path / "place" / "store"),
    )
    process.succeed()
    told = [line.partition("nothing of ")[2] for line in process.err.splitlines() if "nothing of " in line]
    assert [line.partition(" be recorded")[0] for line in told] == [
        "run 'candidate-0' can", "5 more runs could", "run 'late' can", "1 more run could", "1 more run could",
    ]  # fmt: skip
    assert told[1].endswith("'candidate-1', 'candidate-2', 'candidate-3' and 2 more")
    assert told[3].endswith("'of a child'")
    assert told[4].endswith("'later'")


def test_memory_that_runs_out_ends_the_run_as_what_happened(store: Store, python: Python) -> None:
    """Sealing the log raised in a training that had ended well, and the next run waited for ever for a thread."""
    python("""
        import resource, runlore

        def fill(held):
            pages = int(open("/proc/self/statm").read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (1 << 20), resource.RLIM_INFINITY))
            while True:
                held.append(bytes(200))

        held, run = [], runlore.start_run("well")
        for _ in range(40_000):
            run.log_metrics({"loss": 1.0})
        run.companions.await_captures()
        try:
            fill(held)
        except MemoryError:
            del held[-100:]
        run.finish()
        held.clear()
        with runlore.start_run("badly") as run:
            run.companions.await_captures()
            fill(held)
    """).wait()
    well, badly = store.run("well"), store.run("badly")
    assert (well.status, well.metrics["loss"].count) == ("finished", 40_000)
    assert badly.error is not None
    assert (badly.status, badly.error["type"]) == ("failed", "MemoryError")


class Torn(Mapping[str, float]):
    """A mapping with a value that can't be read, as that of a lazy config."""

    def __iter__(self) -> Iterator[str]:
        return iter(("loss", "acc"))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: str) -> float:
        if key == "acc":
            raise ValueError("Missing mandatory value")
        return 0.5


def test_a_metric_that_can_not_be_read_costs_no_other_and_is_named(store: Store) -> None:
    with store.start_run("torn") as run, pytest.warns(RunloreWarning, match="'acc' can't be read"):
        run.log_metrics(Torn())
        run.log_metrics(Torn())
    found = store.run("torn")
    assert (list(found.metrics), found.metrics["loss"].count) == (["loss"], 2)
    assert [loss["what"] for loss in found.missing if loss["what"] == "metric"] == ["metric"]


def test_an_odd_metric_is_told_once_whichever_writer_sees_it(store: Store) -> None:
    """Each file of a run told it again: one behind each epoch that began anew, one of each worker."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with store.start_run("odd") as run:
            run.log_metrics({"loss": 1.0, "text": "none"})
            run.run_log.rewind(0)
            run.log_metrics({"loss": 1.0, "text": "none"})
            with store.run("odd").attach() as added:
                added.log_metrics({"loss": 1.0, "text": "none"})
    assert ["'text'" in str(item.message) for item in caught] == [True, True]  # the last as if in another process
    assert [loss["what"] for loss in store.run("odd").missing] == ["metric 'text'"]


def test_a_run_that_comes_by_pickle_ends_no_worker_where_its_files_can_not_be_listed(store: Store) -> None:
    with store.start_run("sent") as run:
        sent = pickle.dumps(run)
    day = store.folder.day(run.id)
    away = day.rename(day.with_name("away"))
    day.symlink_to(day)  # a folder that no one can list
    with pytest.warns(RunloreWarning, match="can't be recorded"):
        pickle.loads(sent).log_metrics({"loss": 1.0})
    day.unlink()
    away.rename(day)
