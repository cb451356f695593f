"""Runs that one user of a store can't read, and others can."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store
from runlore.index.select import list_damaged, list_unreadable
from tests.process import Process

Python = Callable[..., Process]
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="takes on another user")

AS_ANOTHER = """
import os, sys, tempfile, warnings
import numpy, runlore
from runlore.cli import main
from runlore.cli.commands import doctor, ls, show
from runlore.maintenance.garbage import find_garbage
from runlore.maintenance.removal import remove
warnings.simplefilter("error")
with tempfile.TemporaryDirectory() as folder:  # everything is imported while it can be
    with runlore.start_run("warm", store=folder + "/store") as run:
        run.log_metrics({"x": 1.0})
    main(["ls", "--store", folder + "/store"], standalone_mode=False)
    main(["doctor", "--store", folder + "/store"], standalone_mode=False)
os.setgroups([]); os.setgid(54321); os.setuid(54321)
os.environ["XDG_CACHE_HOME"] = sys.argv[1]
store = runlore.open_store(os.environ["RUNLORE_STORE"])
print("begun", flush=True)
"""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that another user may write, but for the first of its two runs."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "cache").mkdir()
        (place / "cache").chmod(0o777)
        monkeypatch.setenv("RUNLORE_STORE", str(place / "store"))
        store = Store(place / "store")
        for title in ("closed", "open"):
            with store.start_run(title, params={"lr": 0.1}) as run:
                run.log_metrics({"loss": 1.0})
        (closed,) = (item.path for item in store.folder.files_of(store.run("closed").id))
        store.reindex()
        for path in (store.root, *store.root.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        closed.chmod(0o600)
        yield store


def other(store: Store, python: Python, script: str) -> list[str]:
    """Return the lines that a script of another user prints."""
    process = python(AS_ANOTHER + script, str(store.root.parent / "cache"))
    return process.succeed().partition("begun\n")[2].splitlines()


def test_a_run_that_can_not_be_read_is_unreadable_for_whom_it_is_and_for_nobody_else(
    shared: Store, python: Python
) -> None:
    """Whoever could not read it once made it nameless and crashed, for its owner, too."""
    (shared.root / "index-v1.sqlite").unlink()  # so that the other user makes one
    print_runs = "print(sorted((run.name, run.status) for run in store.runs()), store.index.path.parent != store.root)"
    assert other(shared, python, print_runs) == ["[('', 'unreadable'), ('open', 'finished')] True"]
    assert not (shared.root / "index-v1.sqlite").exists() or shared.run("closed").status == "finished"
    assert {run.name: run.status for run in Store(shared.root).runs()} == {"closed": "finished", "open": "finished"}
    with Store(shared.root).start_run("later") as run:
        (path,) = (item.path for item in shared.folder.files_of(run.id))
        path.chmod(0o600)
        again = other(shared, python, print_runs)
        assert again == ["[('', 'unreadable'), ('', 'unreadable'), ('open', 'finished')] True"]
    assert shared.ask(list_unreadable) == shared.ask(list_damaged) == []
    assert Store(shared.root).run("later").status == "finished"


def test_a_run_that_is_opened_to_others_is_read_by_them(shared: Store, python: Python) -> None:
    """Nothing but the mode of its file changes then."""
    with shared.start_run("hidden") as hidden:
        pass
    (path,) = (item.path for item in shared.folder.files_of(hidden.id))
    path.chmod(0o600)
    (shared.root / "index-v1.sqlite").unlink()
    script = "print(sorted((run.name, run.status) for run in store.runs()))"
    assert other(shared, python, script) == ["[('', 'unreadable'), ('', 'unreadable'), ('open', 'finished')]"]
    for item in shared.folder.files_of(shared.run("closed").id):
        item.path.chmod(0o644)
    (shared.root / "index-v1.sqlite").unlink()
    assert other(shared, python, script) == ["[('', 'unreadable'), ('closed', 'finished'), ('open', 'finished')]"]


def test_ls_and_doctor_say_what_can_not_be_read(shared: Store, python: Python) -> None:
    (shared.root / "index-v1.sqlite").unlink()
    (shared.root / "runs" / "2001-02").mkdir()
    (shared.root / "runs" / "2001-02" / "03").mkdir(mode=0o700)
    script = "main(['ls'], standalone_mode=False); main(['doctor', '--json'], standalone_mode=False)"
    process = python(AS_ANOTHER + script, str(shared.root.parent / "cache"))
    printed = process.succeed().partition("begun\n")[2]
    assert "(not readable)" in printed and "crashed" not in printed
    assert "This user can't read 1 run and 1 folder of runs: runlore doctor names them." in process.err
    assert "1 runs and 1 folders, of root" in printed
    assert "damaged" not in printed + process.err


def test_nothing_is_freed_removed_or_gone_on_with_of_what_can_not_be_read(shared: Store, python: Python) -> None:
    (shared.root / "index-v1.sqlite").unlink()
    lines = other(shared, python, """
from runlore.recording import resuming
import runlore.maintenance.garbage as garbage
garbage.MIN_AGE_S = -1.0
print(find_garbage(store).blobs, find_garbage(store).kept[0].partition(": run")[0])
(closed,) = (run for run in store.runs() if run.status == "unreadable")
try:
    remove(store, [closed])
except PermissionError as error:
    print("refused")
try:
    closed.note("mine")
except runlore.RunloreError as error:
    print("can't be read" in str(error))
os.environ["RUNLORE_QUIET"] = "1"
with store.start_run("new", resume=closed.id) as run:
    print(run.id != closed.id)
""")  # fmt: skip
    assert lines == ["() blobs are left alone", "refused", "True", "True"]


@pytest.mark.parametrize("sealed", [False, True])
def test_a_folder_that_is_closed_while_a_run_is_written_ends_no_listing(
    shared: Store, python: Python, sealed: bool
) -> None:
    """Its time tells nothing of that, and the index that others share knows its runs."""
    with shared.start_run("live") as run:
        run.log_metrics({"loss": 1.0})
        if sealed:
            run.run_log.rewind(0)
        assert shared.run("live").status == "running"
        day = shared.folder.day(run.id)
        index = shared.root / "index-v1.sqlite"
        shared.reindex()
        os.utime(day, ns=(0, day.stat().st_mtime_ns - 10**10))  # so that it is not looked at again
        assert shared.run("live").status == "running"
        index.chmod(0o666)
        day.chmod(0o700)
        assert other(shared, python, "print([run.name for run in store.runs()], store.index.closed)") == [
            f"[] [PosixPath('{day}')]"
        ]
    assert {run.status for run in shared.runs()} == {"finished"}
