"""Files that a script writes and reads by itself: one artifact for each path, and inputs in the lineage."""

import builtins
import io
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store, hookimpl
from runlore._process import process
from runlore.artifacts import blobs, copying
from runlore.guest.additions import Additions
from runlore.guest.files import inputs, watch, written
from runlore.guest.files.named import NamedFiles
from runlore.guest.files.watch import Files, read, wrote
from runlore.hookspecs import CapturedFile
from runlore.provenance.lineage import lineage
from runlore.provenance.origins import which_run
from runlore.store.runs import RecordedRun
from tests.process import Process


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The thread looks at once: no test waits for it."""
    monkeypatch.setattr(watch, "REST_S", 0.01)
    yield
    process.part(Files)._noted.clear()


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread never looks: what is recorded is recorded by the end of the run."""
    monkeypatch.setattr(Files, "_begin", lambda self: None)


def write(path: Path, content: bytes, kind: str = "data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    wrote(path, kind)
    return path


def only(store: Store) -> RecordedRun:
    (found,) = store.runs()
    return found


def files(found: RecordedRun) -> dict[str, Any]:
    return {item.name: item for item in found.artifacts if item.kind != "code"}


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def kept(store: Store, beginning: bytes) -> int:
    """The number of contents in a store that begin with some bytes."""
    found = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    return sum(path.read_bytes().startswith(beginning) for path in found)


# Written files


def test_a_file_is_kept_while_the_run_goes_on(store: Store, tmp_path: Path) -> None:
    with runlore.start_run():
        write(tmp_path / "a.csv", b"1,2")
        assert until(lambda: files(only(store)).get("a.csv") and files(only(store))["a.csv"].stored)
    item = files(only(store))["a.csv"]
    assert (item.kind, item.size, item.sha256) == ("data", 3, sha256(b"1,2").hexdigest())
    assert item.path == str(tmp_path / "a.csv")


def test_a_file_that_is_written_a_hundred_times_is_one_artifact(store: Store, tmp_path: Path) -> None:
    with runlore.start_run() as run:
        for number in range(100):
            write(tmp_path / "model.pt", b"weights %d" % number, "model")
            process.part(Files)._runs[run.id].written.look(lambda: None)
    found = files(only(store))
    assert list(found) == ["model.pt"]
    assert found["model.pt"].read_bytes() == b"weights 99"
    assert kept(store, b"weights") <= 8  # the first, the second, the fourth … and the last one, and no hundred


@pytest.mark.usefixtures("asleep")
def test_a_large_file_is_copied_once_at_the_end(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "SMALL_BYTES", 2)
    with runlore.start_run() as run:
        for number in range(9):
            write(tmp_path / "large", b"large %d" % number)
            process.part(Files)._runs[run.id].written.look(lambda: None)
            item = files(only(store))["large"]
            assert (item.size, item.stored, item.sha256) == (7, False, None)
    assert files(only(store))["large"].read_bytes() == b"large 8"
    assert kept(store, b"large") == 1


@pytest.mark.usefixtures("asleep")
def test_of_a_series_of_large_models_the_last_ones_are_kept(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "MAX_KEPT_BYTES", 20)
    with runlore.start_run():
        for number in range(5):
            write(tmp_path / f"epoch_{number}.pt", b"%010d" % number, "model")
        write(tmp_path / "other.pt", b"x" * 30, "model")
        write(tmp_path / "table.csv", b"x" * 30)
    found = files(only(store))
    assert {name for name, item in found.items() if item.stored} == {"epoch_3.pt", "epoch_4.pt", "other.pt"}
    assert found["epoch_0.pt"].sha256 == sha256(b"0" * 10).hexdigest()
    assert "later ones of its series" in str(found["epoch_0.pt"].why)
    assert "larger than" in str(found["table.csv"].why)
    assert which_run(store, tmp_path / "epoch_0.pt").found[0].run == only(store).id


@pytest.mark.parametrize(("setting", "stored"), [("none", []), ("all", [b"0", b"1", b"2"]), ("best", [b"2"])])
@pytest.mark.usefixtures("asleep")
def test_the_setting_of_checkpoints_counts_for_models(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, stored: list[bytes]
) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", setting)
    with runlore.start_run() as run:
        for number in range(3):
            write(tmp_path / "model.pt", b"%d" % number, "model")
            process.part(Files)._runs[run.id].written.look(lambda: None)
        write(tmp_path / "a.csv", b"csv")
    models = [item for item in only(store).artifacts if item.kind == "model"]
    assert [item.read_bytes() for item in models if item.stored] == stored
    assert models[-1].sha256 == sha256(b"2").hexdigest()
    assert files(only(store))["a.csv"].stored


@pytest.mark.usefixtures("asleep")
def test_what_is_written_through_an_open_file_is_as_it_was_closed(store: Store, tmp_path: Path) -> None:
    with runlore.start_run() as run:
        with (tmp_path / "a.pkl").open("wb") as file:
            file.write(b"begin")
            wrote(file, "model")
            process.part(Files)._runs[run.id].written.look(lambda: None)  # nothing of it is on the disk yet
            file.write(b" end")
        wrote(None, "model")
    assert files(only(store))["a.pkl"].read_bytes() == b"begin end"


@pytest.mark.usefixtures("asleep")
def test_a_file_that_is_gone_is_named(store: Store, tmp_path: Path) -> None:
    with runlore.start_run():
        write(tmp_path / "gone", b"x").unlink()
    item = files(only(store))["gone"]
    assert (item.present, item.why) == (False, "it could not be kept: No such file or directory")


@pytest.mark.usefixtures("asleep")
def test_a_secret_in_a_file_is_not_kept(store: Store, tmp_path: Path, plug: Any) -> None:
    class Withholding:
        @hookimpl
        def runlore_rewrite_file(self, file: CapturedFile) -> CapturedFile:
            return (
                CapturedFile(file.name, b"", file.kind, withheld="a secret is in it")
                if b"hunter2" in file.content
                else file
            )

    plug(Withholding())
    with runlore.start_run():
        write(tmp_path / "a.txt", b"hunter2")
    item = files(only(store))["a.txt"]
    assert (item.stored, item.why) == (False, "a secret is in it")


@pytest.mark.usefixtures("asleep")
def test_a_folder_is_one_artifact(store: Store, tmp_path: Path) -> None:
    with runlore.start_run():
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "a").write_bytes(b"1")
        wrote(tmp_path / "set", "data")
    assert files(only(store))["set"].is_folder


@pytest.mark.parametrize("claimed_first", [True, False])
@pytest.mark.usefixtures("asleep")
def test_what_an_integration_records_is_recorded_once(store: Store, tmp_path: Path, claimed_first: bool) -> None:
    with runlore.start_run() as run:
        path = tmp_path / "model.joblib"
        path.write_bytes(b"m")
        for step in sorted((0, 1), reverse=not claimed_first):
            if step:
                wrote(path, "model")
            else:
                Additions(run).file(path, kind="model", most=100)
    assert [item.name for item in only(store).artifacts if item.kind == "model"] == ["model.joblib"]


def test_many_files_cost_no_more_than_the_limit(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MAX_FILES", 3)
    with runlore.start_run():
        for number in range(5):
            write(tmp_path / f"{number}.txt", b"x")
    assert len(files(only(store))) == 3
    assert "2 times a file was written beyond the first 3" in str(only(store).missing)


def test_after_a_kill_readers_complete_what_was_small(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    killed = python(
        """
        import os, runlore, pathlib
        from runlore._process import process
        from runlore.guest.files import watch
        watch.REST_S = 60
        run = runlore.start_run()
        for number in range(3):
            pathlib.Path("a.csv").write_bytes(b"%d" % number)
            watch.wrote("a.csv", "data")
            process.part(watch.Files)._runs[run.id].written.look(lambda: None)
        os.kill(os.getpid(), 9)
        """
    )
    assert killed.wait() == -signal.SIGKILL
    assert files(only(store))["a.csv"].sha256 is None
    which_run(store, tmp_path / "a.csv")
    item = files(only(store))["a.csv"]
    assert (item.sha256, item.read_bytes()) == (sha256(b"2").hexdigest(), b"2")


# Inputs


@pytest.mark.usefixtures("asleep")
def test_a_file_that_is_read_is_an_input_by_its_content(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"1,2")
    with runlore.start_run():
        for _ in range(3):
            read("in.csv", "pandas.read_csv")
        read(tmp_path.parent / "missing.csv", "pandas.read_csv")
        read("https://example.org/a.csv", "pandas.read_csv")
        write(tmp_path / "own.npy", b"own")
        read("own.npy", "numpy.load")
    facts = only(store).data
    assert set(facts) == {"in.csv"}
    digest = sha256(b"1,2").hexdigest()
    assert (facts["in.csv"]["fingerprint"], facts["in.csv"]["size_bytes"]) == (digest, 3)
    assert (facts["in.csv"]["path"], facts["in.csv"]["read_by"]) == (str(tmp_path / "in.csv"), "pandas.read_csv")


@pytest.mark.usefixtures("asleep")
def test_runs_are_linked_by_what_one_wrote_and_another_read(store: Store, tmp_path: Path) -> None:
    with runlore.start_run("makes"):
        write(tmp_path / "model.pt", b"weights", "model")
    (tmp_path / "model.pt").rename(tmp_path / "moved.pt")
    with runlore.start_run("uses") as run:
        read("moved.pt", "torch.load")
    graph = lineage(store, store.run(run.id))
    names = {node.id: node.name for node in graph.nodes.values()}
    edges = {(names[edge.start], edge.relation, names[edge.end]) for edge in graph.edges}
    assert edges == {("makes", "wrote", "model.pt"), ("model.pt", "read", "uses")}


@pytest.mark.usefixtures("asleep")
def test_of_a_folder_with_many_files_the_rest_is_counted(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MAX_SEEN", 30)
    (tmp_path / "set").mkdir()
    for number in range(40):
        (tmp_path / "set" / f"{number}.npy").write_bytes(b"%d" % number)
    with runlore.start_run():
        for number in range(40):
            read(f"set/{number}.npy", "numpy.load")
    facts = only(store).data
    assert len(facts) == inputs.MAX_IN_FOLDER + 1
    assert (facts["set"]["files"], facts["set"]["more"]) == (30, True)


@pytest.mark.usefixtures("asleep")
def test_a_large_input_is_not_read_again_while_it_is_unchanged(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(1 << 20))
    os.utime(path, ns=(1, 1))
    time.sleep(0.15)  # until the time of its change tells it from one that is written now
    hashed: list[object] = []

    def hash_open(*args: Any) -> Any:
        hashed.append(args)
        return copying.hash_open(*args)

    monkeypatch.setattr(blobs, "hash_open", hash_open)
    for _ in range(2):
        with runlore.start_run():
            read(path, "numpy.load")
    first, second = store.runs()
    assert first.data["large.bin"]["fingerprint"] == second.data["large.bin"]["fingerprint"]
    assert len(hashed) == 1


@pytest.mark.usefixtures("asleep")
def test_the_largest_inputs_are_told_without_a_hash(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MAX_HASHED_BYTES", 2)
    (tmp_path / "in.csv").write_bytes(b"1,2")
    with runlore.start_run():
        read("in.csv", "pandas.read_csv")
    facts = only(store).data["in.csv"]
    assert (facts["size_bytes"], facts.get("fingerprint")) == (3, None)


# Guests


def test_a_forked_child_records_on_its_own(store: Store, tmp_path: Path) -> None:
    with runlore.start_run():
        write(tmp_path / "parent", b"1")
        child = os.fork()
        if not child:
            write(tmp_path / "child", b"2")
            process.part(Files).end()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert {name for name, item in files(only(store)).items() if item.stored} == {"parent", "child"}


def test_without_a_run_nothing_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "a", b"1")
    read(tmp_path / "a", "open")
    assert process.part(Files)._runs == {}


@pytest.mark.usefixtures("asleep")
def test_the_end_waits_only_a_while(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "END_WAIT_S", -1.0)
    with runlore.start_run():
        write(tmp_path / "a", b"1")
    item = files(only(store))["a"]
    assert (item.stored, item.sha256) == (False, None)
    which_run(store, tmp_path / "a")
    assert files(only(store))["a"].read_bytes() == b"1"


# Files among the arguments of a program


@pytest.fixture
def named() -> Iterator[NamedFiles]:
    found = NamedFiles()
    found.want()
    yield found
    found.unwant()
    assert builtins.open is io.open


@pytest.mark.usefixtures("asleep")
def test_files_that_arguments_name_are_told_as_they_are_opened(store: Store, tmp_path: Path, named: NamedFiles) -> None:
    original = builtins.open
    for name in ("in.json", "more.txt", "idle.txt", "other.txt"):
        (tmp_path / name).write_text(name)
    with runlore.start_run():
        named.add({"lr": 0.1, "data": "in.json", "more": [Path("more.txt")], "idle": "idle.txt", "out": "a/../out.txt"})
        assert builtins.open is io.open is not original
        json.dumps(Path("in.json").read_text())
        with open(file="more.txt"), open("other.txt"):  # noqa: PTH123
            pass
        (tmp_path / "a").mkdir()
        with open("out.txt", "w") as file:  # noqa: PTH123
            file.write("out")
        with pytest.raises(FileNotFoundError) as raised:
            open("missing.txt")  # noqa: PTH123, SIM115
        assert len(traceback.extract_tb(raised.value.__traceback__)) == 1
    assert {name: facts["read_by"] for name, facts in only(store).data.items()} == {
        "in.json": "open",
        "more.txt": "open",
    }
    assert files(only(store))["out.txt"].read_bytes() == b"out"
    named.unwant()
    assert builtins.open is original


def test_without_a_path_among_the_arguments_open_is_left_alone(named: NamedFiles) -> None:
    original = builtins.open
    named.add({"lr": 0.1, "model": "resnet50", "url": "https://example.org/a.csv", "none": None, "text": "a\n.b"})
    assert builtins.open is original


@pytest.mark.usefixtures("asleep")
def test_the_outer_function_that_reads_a_file_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"1,2")
    with runlore.start_run():
        read("in.csv", "open")
        read("in.csv", "pandas.read_csv")
    assert only(store).data["in.csv"]["read_by"] == "pandas.read_csv"
