"""Repeating a run as a whole: the plan, the new run, whose code it is, and signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore.log.frames import EVENT, LOG_SIGNATURE, SIGNATURE_SIZE, SLOT_END, FrameReader, frame
from runlore.reproduction.plan import CannotReproduce
from runlore.reproduction.reproduce import distrust, prepare
from tests.commands import document, runlore
from tests.forged import json_frame
from tests.reproduction.projects import everything, reproduce, train


def test_a_run_is_done_again_bit_for_bit(store: Store, project: Path, tmp_path: Path) -> None:
    train(project)
    before = everything(project)
    result = reproduce("--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert "reproduces first: bit-identical" in result.stdout
    assert "the same bit for bit: 1 metric and 1 file" in result.stdout
    assert everything(project) == before
    again, first = store.runs()
    assert again.links == [{"kind": "reproduces", "run": first.id}]
    assert again.metrics["loss"].values.tolist() == first.metrics["loss"].values.tolist()
    assert Path(again.command["cwd"]) == tmp_path / "again" / "code"
    assert (tmp_path / "again" / "code" / "more.py").read_text() == (project / "more.py").read_text()
    changed = document("diff", first.id, again.id, "--json")["changes"]
    assert {item["group"] for item in changed} <= {"command", "seeds"}  # the code counts as the same


def test_a_plan_leaves_nothing_behind(store: Store, project: Path, tmp_path: Path) -> None:
    train(project)
    assert len(store.runs()) == 1  # and the index is there
    before = everything(tmp_path)
    result = reproduce("--dry-run")
    assert result.exit_code == 0
    for word in ("commit", "the uncommitted changes", "1 untracked file", "data/x.csv is the same", "train.py 3"):
        assert word in result.stdout
    assert everything(tmp_path) == before
    assert not list((tmp_path / "temporary").iterdir())
    assert len(store.runs()) == 1


def test_what_came_out_is_told_to_programs(store: Store, project: Path) -> None:
    train(project)
    found = document("reproduce", "first", "--here", "--json")
    again, first = store.runs()
    assert (found["run"], found["verdict"], found["problems"]) == (first.id, "bit-identical", [])
    (pair,) = found["runs"]
    assert (pair["first"], pair["again"], pair["same"]) == (first.id, again.id, ["loss"])
    assert pair["files"] == [{"name": "w.npy", "kind": "model", "same": True, "by": "sha256", "why": ""}]


def test_a_run_without_a_seed_comes_out_different_and_is_told_why(store: Store, project: Path) -> None:
    train(project, "-1")
    result = reproduce()
    assert result.exit_code == 3
    assert "different" in result.stdout
    assert "w.npy differs in its bytes" in result.stdout
    assert "nobody had seeded the random generators of python and numpy" in result.stdout
    assert "what else differs" not in result.stdout or "seeds" not in result.stdout.split("what else differs")[1]
    assert "executable" not in result.stdout  # not where things lie


def test_a_script_that_fails_now_is_different(store: Store, project: Path) -> None:
    train(project)
    (project / "data" / "x.csv").write_text("no numbers\n")
    result = reproduce("--force")
    assert result.exit_code != 0
    assert "recorded no run" in result.stderr  # it fails before it begins one


def test_each_repetition_has_a_name_of_its_own(store: Store, project: Path) -> None:
    train(project)
    for _ in range(3):
        assert reproduce("--with", "here").exit_code == 0
    assert [run.name for run in store.runs()] == ["first-again-3", "first-again-2", "first-again", "first"]


def test_a_folder_that_is_not_empty_is_refused(store: Store, project: Path) -> None:
    train(project)
    with pytest.raises(CannotReproduce, match="is not empty"):
        prepare(store.run("first"), project, here=True)


def test_folders_that_came_to_nothing_are_removed(store: Store, project: Path, tmp_path: Path) -> None:
    """Once, a folder that --to named was left behind when nothing came of it; one that is the user's stays."""
    (project / "more.py").write_text("def two():\n    return 2 * int(input() or 1)\n")
    subprocess.run([sys.executable, "train.py", "3"], input=b"\n" * 20, check=True, capture_output=True)
    target = tmp_path / "again"
    assert reproduce("--to", str(target)).exit_code == 1
    assert not target.exists()
    subprocess.run([sys.executable, "-"], input=b"import runlore; runlore.start_run('typed')", check=True)
    assert runlore("reproduce", "typed", "--here", "--force", "--to", str(target)).exit_code == 1
    assert not target.exists()
    target.mkdir()
    (target / "mine").touch()
    for more in ([], ["--dry-run"]):
        result = reproduce("--to", str(target), *more)
        assert (result.exit_code, "is not empty" in result.stderr) == (1, True)
    assert (target / "mine").exists()
    with pytest.raises(CannotReproduce):
        prepare(store.run("first"), target, here=True)
    assert not list((tmp_path / "temporary").iterdir())


def test_other_commands_make_no_reproductions_that_statistics_leave_out(store: Store, project: Path) -> None:
    """Once, a run by another command was tagged as a repetition, and statistics left it out."""
    train(project)
    reproduce("--", "python", "train.py", "4")
    assert "reproduces" not in store.runs()[0].tags
    assert store.runs()[0].links[0]["kind"] == "reproduces"
    reproduce()
    assert store.runs()[0].tags["reproduces"] == "first"


# Trust


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_what_somebody_else_recorded_needs_trust(store: Store, project: Path) -> None:
    train(project)
    log = store.folder.files_of(store.run("first").id)[0].path
    os.chown(log, 12345, -1)
    result = reproduce()
    assert result.exit_code == 1
    assert "was written by another user: --trust runs its code" in result.stderr
    assert reproduce("--dry-run").exit_code == 0
    assert reproduce("--trust").exit_code == 0
    os.chown(log, os.getuid(), -1)
    assert reproduce().exit_code == 0
    os.chown(store.root, 12345, -1)
    assert "belongs to another user" in reproduce().stderr


def test_what_came_from_another_machine_needs_trust(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, the host's name was believed, which a record tells itself; names are guessed easily."""
    with monkeypatch.context() as there:
        there.setenv("XDG_STATE_HOME", str(tmp_path / "there"))
        train(project)
    result = reproduce()
    assert result.exit_code == 1
    assert "nothing proves that you recorded run 'first' on this machine" in result.stderr
    assert os.uname().nodename in result.stderr
    assert reproduce("--trust").exit_code == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may call its machine otherwise")
def test_what_the_same_user_recorded_is_trusted_whatever_the_machine_is_called(store: Store, project: Path) -> None:
    """As on a cluster, whose nodes share the user's home."""
    command = f"hostname elsewhere && exec {sys.executable} train.py 3"
    subprocess.run(["unshare", "--uts", "sh", "-c", command], check=True, capture_output=True)
    assert store.run("first").command["host"] == "elsewhere"
    assert distrust(store.run("first")) is None


def test_the_code_of_a_run_is_trusted_no_more_than_that_of_those_above_it(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, only the run itself was examined, and not its parent, whose script is executed."""
    with monkeypatch.context() as there:
        there.setenv("XDG_STATE_HOME", str(tmp_path / "there"))
        train(project)
    with store.start_run("mine", parent="first"):
        pass
    assert "recorded run 'first'" in str(distrust(store.run("mine")))
    assert runlore("reproduce", "mine", "--here").exit_code == 1


def test_what_somebody_added_to_a_run_of_this_user_is_not_trusted(store: Store, project: Path) -> None:
    """The opening may be the user's own, and what follows somebody else's."""
    train(project)
    run = store.run("first")
    assert distrust(run) is None
    run.set_tags({"good": "yes"})
    assert distrust(store.run("first")) is None
    (sealed, *_) = store.folder.files_of(run.id)
    added = sealed.path.with_name(f"{run.id}.0009aaaa.log")
    more = {"type": "environment", "time": 1, "sections": {"variables": {"values": {"LD_PRELOAD": "x"}, "sha256": "a"}}}
    opening = {"type": "open", "time": 1, "mode": "attach", "run": run.id}
    head = LOG_SIGNATURE + (1).to_bytes(2, "little")
    added.write_bytes(head.ljust(SLOT_END, b"\0") + json_frame("J", opening) + json_frame("J", more))
    assert "something was added" in str(distrust(store.run("first")))
    with sealed.path.open("rb") as file:
        proven = [payload for kind, payload in FrameReader(file, SIGNATURE_SIZE) if kind == EVENT]
    other = store.start_run("other")
    other.finish()
    (place, *_) = store.folder.files_of(other.id)
    copied = place.path.with_name(f"{other.id}.0009aaaa.log")  # proofs of another run count for nothing
    copied.write_bytes(head.ljust(SLOT_END, b"\0") + b"".join(frame(EVENT, payload) for payload in proven))
    assert "something was added" in str(distrust(store.run("other")))


# Signals

SLOW = """\
import signal, sys, time, runlore
from pathlib import Path
with runlore.start_run("first") as run:
    run.log_metrics({"loss": 1.0})
    if Path(sys.argv[1]).exists():
        Path(sys.argv[1] + ".begun").touch()
        for _ in range(6000):  # a signal just before one long sleep would be heard after it
            time.sleep(0.1)
"""


@pytest.fixture
def slow(store: Store, project: Path, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Begins to repeat a run that waits when it is repeated, and returns once it waits."""
    flag = tmp_path / "wait"
    (project / "train.py").write_text(SLOW)
    train(project, str(flag))
    flag.touch()

    def begin(**options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "runlore", "reproduce", "first", "--here"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        deadline = time.monotonic() + 60
        while not Path(f"{flag}.begun").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    return begin


def test_it_does_not_leave_the_command_behind(store: Store, slow: Callable[..., Any]) -> None:
    """Once, the command went on training after `runlore reproduce` was terminated."""
    process = slow()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert store.runs()[0].status == "interrupted"


def test_ctrl_c_ends_both_and_says_so(store: Store, slow: Callable[..., Any]) -> None:
    """Once, an interrupted repetition got a verdict like any other."""
    process = slow(start_new_session=True)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in out
    assert store.runs()[0].status == "interrupted"


def test_a_second_ctrl_c_ends_a_command_that_did_not_hear_the_first(store: Store, slow: Callable[..., Any]) -> None:
    """Once, a command that ignored Ctrl-C could not be ended from here."""
    process = slow()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
