"""What the commands show of runs with checkpoints and segments."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runlore import FitSession, Store, guest
from runlore._text import duration_text
from runlore.cli import main
from tests.commands import runlore


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": "100"})


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Any:
    """Forty checkpoints, all but two gone; cut off once."""
    path = tmp_path / "ck" / "last.bin"
    path.parent.mkdir()
    with pytest.raises(KeyboardInterrupt), FitSession.begin("own", guest.FitRequest(name="long")) as session:
        for step in range(40):
            path.write_bytes(bytes([step]))
            session.checkpoint(path, step=step, monitor="loss", value=1 / (step + 1))
        raise KeyboardInterrupt
    with FitSession.begin("own", guest.FitRequest(resume_from=path)) as session:
        path.with_name("best.bin").write_bytes(b"best")
        session.checkpoint(path.with_name("best.bin"), step=41, roles=("best",))
    return store.run("long")


def test_show_has_the_best_and_the_last_first_and_counts_the_others(run: Any) -> None:
    page = call("show", "long").output
    lines = [line.split() for line in page.partition("artifacts\n")[2].partition("\n\n")[0].splitlines()]
    assert lines[0] == ["name", "kind", "size", "sha256", "step", "loss", "role", "state"]
    assert [(line[0], line[-2], line[-1]) for line in lines[1:3]] == [
        ("last.bin", "last", "kept"),
        ("best.bin", "best", "kept"),
    ]
    assert "39 checkpoints were written and removed again (--full lists them)" in page
    assert call("show", "long", "--full").output.count("last.bin") == 40


def test_a_narrow_terminal_cuts_no_name_and_no_number(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "epoch=3-val_accuracy=0.94.ckpt"
    path.write_bytes(b"weights")
    with FitSession.begin("own", guest.FitRequest(name="narrow")) as session:
        for step in range(20):
            session.metrics({"eval_model_preparation_time": 0.69772 + step}, step=step)
        session.checkpoint(path, step=19, monitor="loss", value=0.5, roles=("best", "best_val_accuracy"))
    monkeypatch.setenv("COLUMNS", "60")
    shown, found = runlore("show", "narrow").stdout, runlore("which-run", str(path)).stdout
    for text in (path.name, "best, best_val_accuracy"):
        assert text in shown
        assert text in found
    for text in ("eval_model_preparation_time", "0.69772", "kept"):
        assert text in shown


def test_show_tells_the_segments_of_a_run(run: Any) -> None:
    page = call("show", "long").output
    seconds = (run.ended - run.started).total_seconds()
    assert f"{duration_text(run.duration)} in 2 segments, {duration_text(seconds)} from first to last" in page
    first, second = page.partition("segments\n")[2].splitlines()[:2]
    assert "interrupted after" in first
    assert "KeyboardInterrupt" in first
    assert "finished after" in second
    assert "from step 39" in second
    told = json.loads(call("show", "long", "--json").output)["segments"]
    assert [(item["status"], item["from_step"], item["error"]) for item in told] == [
        ("interrupted", None, "KeyboardInterrupt"),
        ("finished", 39, None),
    ]
    assert told[0]["argv"]


def test_show_says_what_is_only_on_disk_and_what_is_gone(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", "none")
    (tmp_path / "a.bin").write_bytes(b"a")
    with FitSession.begin("own", guest.FitRequest(name="unkept")) as session:
        session.checkpoint(tmp_path / "a.bin", step=1)
    assert "on disk" in call("show", "unkept").output
    assert f"a.bin is at {tmp_path}" in call("show", "unkept").output.replace("\n", "")
    (tmp_path / "a.bin").unlink()
    assert "on disk" not in call("show", "unkept").output


def test_a_link_names_the_other_run_and_the_step(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"a")
    with FitSession.begin("own", guest.FitRequest(name="first")) as session:
        session.checkpoint(tmp_path / "a.bin", step=7)
    with FitSession.begin("own", guest.FitRequest(name="second", resume_from=tmp_path / "a.bin")):
        pass
    assert "resumed_from first (" in call("show", "second").output
    assert "at step 7" in call("show", "second").output


def test_a_running_run_has_lasted_so_far(store: Store) -> None:
    run = store.start_run("now")
    assert "so far" in call("show", "now").output
    run.finish()


def test_which_run_takes_several_files(run: Any, tmp_path: Path) -> None:
    files = [str(tmp_path / "ck" / name) for name in ("best.bin", "last.bin")]
    done = call("which-run", *files)
    assert done.exit_code == 0
    assert done.output.count("wrote") == 2
    told = json.loads(call("which-run", "--json", *files).output)
    assert [(item["target"], item["step"]) for item in told] == [(files[0], 41), (files[1], 39)]
    (tmp_path / "other").write_bytes(b"unknown")
    assert call("which-run", files[0], str(tmp_path / "other")).exit_code == 1


def test_restore_names_what_is_in_the_way(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "last.bin").mkdir(parents=True)
    for force in ([], ["--force"]):
        done = call("restore", "long", "-a", "last", "--to", str(tmp_path / "out"), *force)
        assert done.exit_code == 1
        assert "out/last.bin' is a folder: name another folder to restore to" in done.output
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file: name another folder"):
        run.artifact("last").restore(tmp_path / "file")
    done = call("restore", "long", "-a", "bets", "--to", str(tmp_path / "out"))
    assert "did you mean 'best'?" in done.output
