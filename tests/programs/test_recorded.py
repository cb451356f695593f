"""What `runlore run` leaves of a program: one tree, whatever the program is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from runlore.store.runs import RecordedRun

TRAIN = """
import argparse, sys
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--strategy", default="prior")
parser.add_argument("--fits", type=int, default=1)
parser.add_argument("--api-key")
parser.add_argument("--fail", action="store_true")
args = parser.parse_args()
print("trains", args.strategy)
for _ in range(args.fits):
    DummyClassifier(strategy=args.strategy).fit(*load_iris(return_X_y=True))
if args.fail:
    raise ValueError("mine")
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    return folder


def run(work: Path, *words: str, status: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "runlore", "run", *words]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def top(store: Store) -> RecordedRun:
    (found,) = store.runs("parent is None")
    return found


def message_of(found: RecordedRun) -> str:
    assert found.error is not None
    return str(found.error["message"])


def test_a_script_with_one_fit_is_one_run(store: Store, work: Path) -> None:
    done = run(work, "--name", "only", "--experiment", "e", "--tag", "who=ann", "train.py", "--strategy", "uniform")
    assert done.stdout == "trains uniform\n"
    (found,) = store.runs()
    assert (found.name, found.experiment, found.status, found.parent) == ("only", "e", "finished", None)
    assert (found.tags["who"], found.tags["estimator"]) == ("ann", "DummyClassifier")
    assert (found.params["strategy"], found.params["fits"]) == ("uniform", 1)
    assert 0 < found.metrics["train_score"].last < 1
    assert found.data["X"]["shape"] == [150, 4]
    assert found.artifact("output.log").read_bytes() == b"trains uniform\n"
    assert [item.name for item in found.artifacts if item.kind == "code"] == ["source"]
    assert found.command["argv"] == ["train.py", "--strategy", "uniform"]
    assert found.command["script"] == str(work / "train.py")
    assert found.ended is not None
    assert len(found.segments) == 1


def test_several_fits_are_below_the_run_of_the_script(store: Store, work: Path) -> None:
    run(work, "train.py", "--fits", "2")
    found = top(store)
    assert [child.tags["estimator"] for child in store.runs(f"parent == '{found.id}'")] == ["DummyClassifier"] * 2
    assert len(store.runs()) == 3
    assert found.params["fits"] == 2
    assert not found.metrics.keys() - {key for key in found.metrics if key.startswith("system/")}


def test_a_shell_script_is_the_parent_of_what_its_pythons_train(store: Store, work: Path) -> None:
    script = work / "job.sh"
    script.write_text(f"#!/bin/sh\n{sys.executable} train.py\ncd /\n{sys.executable} {work}/train.py --fail\nexit 4\n")
    script.chmod(0o755)
    run(work, "./job.sh", status=4)
    found = top(store)
    assert (found.status, message_of(found)) == ("failed", "exit status 4")
    assert len(store.runs(f"parent == '{found.id}'")) == 2
    assert found.command["argv"] == ["./job.sh"]


def test_a_program_without_a_framework_leaves_a_run(store: Store, work: Path) -> None:
    (work / "plain.py").write_text("import os; os.chdir('/'); print('plain'); raise SystemExit(3)")
    run(work, "plain.py", status=3)
    found = top(store)
    assert (found.status, message_of(found)) == ("failed", "exit status 3")
    assert [item.name for item in found.artifacts] == ["source", "output.log"]
    assert "python" in found.environment
    assert not found.missing


def test_what_a_script_raises_is_told_without_frames_of_ours(store: Store, work: Path) -> None:
    bare = subprocess.run([sys.executable, "train.py", "--fail"], cwd=work, capture_output=True, text=True, check=False)
    done = run(work, "train.py", "--fail", status=1, RUNLORE_QUIET="1")
    assert done.stderr == bare.stderr
    found = top(store)
    assert message_of(found) == "mine"
    assert (found.error or {})["traceback"] == bare.stderr


def test_code_is_kept_as_it_was_when_the_program_began(store: Store, work: Path) -> None:
    """Somebody edits a script while it runs for hours."""
    (work / "long.py").write_text("import os; os.rename('next.py', 'long.py'); import late; os._exit(0)")
    (work / "next.py").write_text("edited")
    (work / "late.py").write_text("")
    run(work, "long.py")
    kept = top(store).artifact("source")
    assert [(member.path, kept.blobs.read(member.sha256)[:9]) for member in kept.members] == [("long.py", b"import os")]


def test_code_in_files_of_any_name_is_kept(store: Store, work: Path) -> None:
    names = ['a "quote"', "a back\\slash", "line\nbreak", "caf\xe9", "\N{GRINNING FACE}", "half \udcff"]
    for name in names:
        (work / f"{name}.py").write_text("")
    (work / "train.py").write_text(f"for name in {names!a}: __import__(name)")
    run(work, "train.py")
    kept = {member.path for member in top(store).artifact("source").members}
    assert kept == {"train.py", "half \\udcff.py", *(f"{name}.py" for name in names[:-1])}


TELLING = """
import json, os
from pathlib import Path
told, other = Path(os.environ["RUNLORE_TOLD"]), Path("private.py").absolute()
new = told.with_suffix(".new")
"""
NEIGHBOURS = {
    "its own": "new.write_text(json.dumps({**FACTS, 'modules': {'private': (str(other), '')}})); new.rename(told)",
    "a link": "told.unlink(); told.symlink_to(other)",
    "a second name": "told.unlink(); os.link(other, told)",
    "a pipe": "told.unlink(); os.mkfifo(told)",
}
FACTS = {"is_program": False, "cwd": "/", "script": None, "version": "", "implementation": "", "executable": "",
         "prefix": "", "path": [], "seeds": {}, "variables": {}}  # fmt: skip


@pytest.mark.parametrize("does", NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_who_may_write_in_the_store_can_not_tell_in_place_of_the_program(store: Store, work: Path, does: str) -> None:
    """Files that were told of were kept, others than the one to tell in written to, and a pipe was waited for."""
    (work / "private.py").write_text("mine")
    (work / "train.py").write_text(f"{TELLING}FACTS = {FACTS}\n{does}\n")
    run(work, "train.py")
    found = top(store)
    assert [member.path for member in found.artifact("source").members] == ["train.py"]
    assert (work / "private.py").read_text() == "mine"
    assert [item["what"] for item in found.missing] == ["code that the program imported"]
    assert list(store.root.rglob("*.told")) == []


def test_nobody_else_of_a_group_can_tell_for_a_program(store: Store, work: Path) -> None:
    (work / "train.py").write_text("import os; print(oct(os.stat(os.environ['RUNLORE_TOLD']).st_mode & 0o777))")
    assert run(work, "train.py", RUNLORE_SHARED="group").stdout == "0o600\n"
    assert store.root.stat().st_mode & 0o777 == 0o770


def test_an_import_that_we_wait_for_fails_and_warns_as_ever(store: Store, work: Path) -> None:
    """Our frame stood in the traceback, and a warning about who imports was put down to it."""
    (work / "sklearn").mkdir()
    (work / "sklearn" / "__init__.py").write_text("")
    (work / "sklearn" / "base.py").write_text(
        "import warnings; warnings.warn('is old', stacklevel=2); raise OSError('no')"
    )
    (work / "own.py").write_text("import sklearn.base")
    bare = subprocess.run([sys.executable, "own.py"], cwd=work, capture_output=True, text=True, check=False)
    done = run(work, "own.py", status=1, RUNLORE_QUIET="1")
    assert done.stderr == bare.stderr
    assert "own.py:1: UserWarning: is old" in done.stderr


@pytest.mark.parametrize(("caught", "status"), [("raise RuntimeError('mine')", "failed"), ("pass", "finished")])
def test_the_error_of_a_program_is_its_own(store: Store, work: Path, caught: str, status: str) -> None:
    """Its only training has failed, too, of something else."""
    (work / "own.py").write_text(
        "from sklearn.dummy import DummyClassifier\ntry:\n    DummyClassifier(strategy='none').fit([[1]], [1])\n"
        f"except ValueError:\n    {caught}\n"
    )
    run(work, "own.py", status=int(status == "failed"))
    found = top(store)
    assert found.status == status
    assert (found.error or {}).get("type") == ("RuntimeError" if status == "failed" else None)
    assert [child.status for child in found.children] == ([] if status == "failed" else ["failed"])


@pytest.mark.stress
def test_secrets_of_the_command_line_are_masked_everywhere(store: Store, work: Path) -> None:
    run(work, "train.py", "--api-key", "hunter2-and-more")
    found = top(store)
    assert "hunter2" not in str([found.params, found.command])


@pytest.mark.stress
def test_a_program_within_another_is_below_it(store: Store, work: Path) -> None:
    inner = f"{sys.executable} -m runlore run train.py --fits 2"
    run(work, "sh", "-c", inner)
    (above,) = store.runs("parent is None")
    (below,) = store.runs(f"parent == '{above.id}'")
    assert len(store.runs(f"parent == '{below.id}'")) == 2


def test_a_run_that_a_script_starts_is_below_its_own(store: Store, work: Path) -> None:
    (work / "own.py").write_text(
        "import runlore\nfor name in ('a', 'b'):\n    with runlore.start_run(name) as run: run.log_metrics({'x': 1})\n"
        "runlore.log_metrics({'after': 2.0})\n"
    )
    run(work, "own.py")
    found = top(store)
    assert {child.name for child in store.runs(f"parent == '{found.id}'")} == {"a", "b"}
    assert found.metrics["after"].last == 2.0


def test_a_name_that_a_script_gives_is_that_of_the_run(store: Store, work: Path) -> None:
    (work / "own.py").write_text("import runlore; runlore.start_run('given', experiment='e').finish()")
    run(work, "own.py")
    run(work, "--name", "mine", "own.py")
    assert [(found.name, found.experiment) for found in store.runs()] == [("mine", "e"), ("given", "e")]


def test_a_script_that_calls_autolog_by_itself_is_recorded_once(store: Store, work: Path) -> None:
    """Both waited for the same import, and the second one failed in it."""
    (work / "own.py").write_text("import runlore; runlore.autolog()\n" + TRAIN)
    run(work, "own.py", "--strategy", "uniform")
    (found,) = store.runs()
    assert (found.params["strategy"], found.status) == ("uniform", "finished")


def test_another_sitecustomize_is_executed_as_ever(store: Store, work: Path) -> None:
    other = work / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins; builtins.told = __file__")
    (work / "look.py").write_text(
        "import sys, os; print(told, [p for p in sys.path if 'runlore' in p and 'inside' in p])"
    )
    done = run(work, "look.py", PYTHONPATH=str(other))
    assert done.stdout == f"{other / 'sitecustomize.py'} []\n"


@pytest.mark.stress
def test_without_a_usable_store_the_program_runs_as_ever(store: Store, work: Path) -> None:
    (work / "file").write_text("")
    done = run(work, "train.py", RUNLORE_STORE=str(work / "file" / "store"))
    assert done.stdout == "trains prior\n"
    assert done.stderr.count("\n") <= 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.stress
def test_a_reproduction_runs_the_program_again(store: Store, work: Path) -> None:
    run(work, "train.py", "--strategy", "uniform")
    found = top(store)
    done = subprocess.run(
        [sys.executable, "-m", "runlore", "reproduce", found.id, "--here"],
        cwd=work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_notebook_is_executed(store: Store, work: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    cells = [
        "print('begins')",
        "from sklearn.datasets import load_iris; from sklearn.dummy import DummyClassifier",
        "model = DummyClassifier().fit(*load_iris(return_X_y=True)); 1 + 1",
        "raise ValueError('mine')",
        "print('never')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, work / "train.ipynb")
    before = (work / "train.ipynb").read_bytes()
    done = run(work, "train.ipynb", "--output", "executed.ipynb", status=1)
    assert done.stdout == "begins\n"
    assert "ValueError: mine" in done.stderr
    assert (work / "train.ipynb").read_bytes() == before
    executed = nbformat.read(work / "executed.ipynb", as_version=4)
    assert executed.cells[2].outputs[0].data["text/plain"] == "2"
    found = top(store)
    assert found.tags["estimator"] == "DummyClassifier"
    assert found.command["argv"] == ["train.ipynb", "--output", "executed.ipynb"]
