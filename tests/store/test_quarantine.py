"""Runs that are set aside: nothing of them is read, and they can be taken back whole."""

from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.errors import PlaceTaken, RunloreWarning, RunNotFound, StillRunning, StoreRefused
from runlore.maintenance.garbage import collect, find_garbage
from tests.commands import document, runlore
from tests.forged import ForgedStore
from tests.maintenance.files import age


def names(store: Store) -> list[str]:
    return sorted(run.name for run in store.runs())


def files(store: Store) -> dict[str, bytes]:
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in store.root.rglob("1*.*")}


@pytest.fixture
def two(store: Store, tmp_path: Path) -> Store:
    store.start_run("good").finish()
    with store.start_run("bad") as run:
        run.log_metrics({"loss": 1.0})
        (tmp_path / "model").write_bytes(b"its model")
        run.log_artifact(tmp_path / "model")
    return store


def test_a_run_is_set_aside_and_taken_back(two: Store) -> None:
    run_id, before = two.run("bad").id, files(two)
    moved = two.quarantine("bad")
    assert [path.parent for path in moved] == [
        two.root / "quarantine" / two.folder.day(run_id).relative_to(two.folder.runs)
    ]
    assert names(two) == ["good"]
    assert two.reindex() == 1
    two.release(run_id)
    assert names(two) == ["bad", "good"]
    assert files(two) == before


def test_what_it_names_outlives_a_gc(two: Store) -> None:
    run_id = two.run("bad").id
    two.quarantine(run_id)
    age(two.root)
    collect(two, find_garbage(two))
    two.release(run_id)
    assert two.run("bad").artifact("model").read_bytes() == b"its model"


def test_the_command_says_how_to_take_it_back(two: Store) -> None:
    run_id = two.run("bad").id
    assert "no run is in quarantine" in runlore("quarantine").output
    assert f"--off {run_id}" in runlore("quarantine", "bad").output
    assert run_id in runlore("quarantine").output
    assert [item["run"] for item in document("quarantine", "--json")] == [run_id]
    assert document("doctor", "--json")["store"]["quarantine"]["runs"] == [run_id]
    assert runlore("quarantine", "--off").exit_code == 2
    assert runlore("quarantine", "--off", run_id).exit_code == 0
    assert names(two) == ["bad", "good"]


def test_a_run_that_is_being_written_stays(two: Store) -> None:
    with two.start_run("busy") as run, pytest.raises(StillRunning, match="still being written"):
        two.quarantine(run.id)
    with pytest.raises(RunNotFound):
        two.quarantine("nobody")
    with pytest.raises(RunNotFound, match="not in quarantine"):
        two.release(two.run("good").id)
    with pytest.raises(RunNotFound, match="'good' is no whole id of a run: `runlore quarantine` lists those"):
        two.release("good")


def test_no_file_is_replaced_and_no_link_is_followed(two: Store, tmp_path: Path) -> None:
    run_id = two.run("bad").id
    (moved,) = two.quarantine(run_id)
    (two.folder.day(run_id) / moved.name).write_bytes(b"mine")
    with pytest.raises(PlaceTaken):
        two.release(run_id)
    assert moved.exists()
    (tmp_path / "elsewhere").mkdir()
    (two.root / "quarantine").rename(two.root / "before")
    (two.root / "quarantine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreRefused, match="may be a link"):
        two.quarantine("good")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "no run is in quarantine" in runlore("quarantine").output


def test_the_doctor_names_a_foreign_run_and_the_way_out(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "forged")
    run_id = forged.run([{"type": "params", "values": [1]}])
    place = ("--store", str(forged.root))
    told = document("doctor", "--json", *place)["store"]["damage"]
    assert (told["state"], told["runs"]) == ("bad", [run_id])
    assert "runlore quarantine" in told["text"]
    assert "'values' of an event 'params'" in " ".join(runlore("show", run_id, *place).output.split())
    runlore("quarantine", run_id, *place)
    assert document("ls", "--json", *place) == []
    with pytest.warns(RunloreWarning, match="damaged"):
        open_store(forged.root).release(run_id)
        open_store(forged.root).reindex()
