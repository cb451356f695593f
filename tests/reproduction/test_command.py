"""The recorded command, its paths in the fresh folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from runlore.reproduction import prepare
from tests.commands import runlore
from tests.reproduction.projects import SMALL, TRAIN, kept_code, problems, reproduce, train


def test_paths_of_the_command_lead_into_the_fresh_folder(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from another folder, by absolute paths: nothing of the tree is written to."""
    (project / "train.py").write_text(
        TRAIN.replace('"data/x.csv"', "sys.argv[2]").replace('"w.npy"', "sys.argv[3][6:]")
    )
    out = project / "w.npy"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "here").touch()
    train(project, "3", str(project / "data" / "x.csv"), f"--out={out}", script=str(project / "train.py"))
    out.unlink()
    store.run("first")
    result = reproduce("--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert not out.exists()
    assert (tmp_path / "again" / "code" / "w.npy").exists()
    assert Path(store.runs()[0].command["cwd"]) == tmp_path / "again" / "work"


def test_arguments_of_any_form_lead_into_the_fresh_folder(store: Store, project: Path) -> None:
    """Once, only whole arguments and those behind --name= were moved, and others led into the user's tree."""
    (project / "train.py").write_text(
        "import sys, runlore\n"
        "for argument in sys.argv[1:]:\n"
        "    open(argument.partition('=')[2].strip('[]').removeprefix('file://') + '.made', 'w').close()\n" + SMALL
    )
    train(project, f"out={project}/one", f"+a.b=[{project}/two]", f"url=file://{project}/three")
    for path in project.glob("*.made"):
        path.unlink()
    assert reproduce().exit_code == 0
    assert not list(project.glob("*.made"))


@pytest.mark.parametrize("script", ["-m package.train", "-X dev train.py", "-m runlore run train.py"])
def test_modules_options_and_runlore_run_are_kept(store: Store, project: Path, script: str) -> None:
    (project / "package").mkdir()
    (project / "package" / "__init__.py").touch()
    shutil.copy(project / "train.py", project / "package" / "train.py")
    train(project, script=script)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.stdout
    again, first = store.runs()
    assert again.command["program"] == first.command["program"]


def test_runs_of_runlore_run_are_repeated_by_it(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module was `runlore._script` when these runs were recorded: the name stays known, and executable."""
    monkeypatch.setattr(sys, "argv", ["train.py", "3"])
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-m", "runlore._script", "train.py", "3"])
    with store.start_run("first") as run:
        run.run_log.event({"type": "artifact", **kept_code(store, {"train.py": b"import runlore\n"})})
    plan = prepare(store.run("first"), tmp_path / "again", here=True)
    assert plan.command == [sys.executable, "-m", "runlore._script", "train.py", "3"]
    assert plan.settings["RUNLORE_AUTOLOG"] == "1"
    assert subprocess.run(plan.command, cwd=plan.cwd, check=False).returncode == 0


def test_what_has_no_command_needs_one(store: Store, project: Path) -> None:
    script = b"import runlore; runlore.start_run('typed')"
    subprocess.run([sys.executable, "-"], input=script, check=True)
    result = runlore("reproduce", "typed", "--here", "--force")
    assert result.exit_code == 1
    assert "no command is known for run 'typed': name one behind --" in result.stderr


def test_masked_arguments_are_told(store: Store, project: Path) -> None:
    train(project, "3", "--token", "hf_abcdefghijklmnopqrstuvwxyz0123456789")
    assert "an argument was masked as a secret" in problems()["command"]
