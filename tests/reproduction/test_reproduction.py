"""Do it again: the code, the data and the command of a run in a fresh folder, and a verdict."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from uv import find_uv_bin

from runlore import Store
from runlore.reproduction import verdicts
from runlore.reproduction.plan import CannotReproduce
from runlore.reproduction.reproduce import prepare
from tests.cli.test_cli import document, runlore
from tests.plugins.test_environment import git
from tests.process import Process

Python = Callable[..., Process]

TRAIN = """\
import os, sys
from pathlib import Path
import numpy as np
import runlore
from helper import scale

seed = int(sys.argv[1])
numbers = np.random.default_rng(None if seed < 0 else seed)
data = np.loadtxt("data/x.csv")
with runlore.start_run("first" if Path("here").exists() else None, params={"seed": seed}) as run:
    run.log_data("x", data)
    run.log_data("table", Path("data/x.csv"))
    factor = float(os.environ.get("FACTOR", "1"))
    for step in range(10):
        run.log_metrics({"loss": scale(numbers.random() / (step + 1)) * factor}, step=step)
    np.save("w.npy", numbers.random(10) + data.sum())
    run.log_artifact("w.npy", kind="model")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a script, a change that is not committed, an untracked module, and data that git ignores."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    git(folder, "init")
    (folder / "train.py").write_text(TRAIN)
    (folder / "helper.py").write_text("def scale(x):\n    return x\n")
    (folder / "data" / "x.csv").write_text("1\n2\n3\n")
    (folder / ".gitignore").write_text("data\nhere\n*.npy\n__pycache__\n")
    (folder / "here").touch()
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    (folder / "helper.py").write_text("from more import two\n\n\ndef scale(x):\n    return two() * x\n")
    (folder / "more.py").write_text("def two():\n    return 2\n")
    monkeypatch.chdir(folder)
    return folder


def train(project: Path, *arguments: str, script: str = "train.py", **environment: str) -> None:
    command = [sys.executable, *script.split(), *(arguments or ("3",))]
    subprocess.run(command, cwd=Path.cwd(), env={**os.environ, **environment}, check=True, capture_output=True)


def reproduce(*arguments: str) -> Result:
    return runlore("reproduce", "first", "--here", *arguments)


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, the store's left out: a run is meant to be added there."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def problems(*arguments: str) -> dict[str, str]:
    found = document("reproduce", "first", "--here", "--dry-run", "--json", *arguments)["problems"]
    return {item["part"]: item["what"] for item in found}


# The whole of it


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


def test_a_difference_within_the_tolerance_is_measured(store: Store, project: Path) -> None:
    train(project)
    result = reproduce("--", "env", "FACTOR=1.0000001", "python", "train.py", "3")
    assert result.exit_code == 0, result.output
    assert "within tolerance of 1e-05" in result.stdout
    found = document(
        "reproduce", "first", "--here", "--json", "--", "env", "FACTOR=1.0000001", "python", "train.py", "3"
    )
    assert found["verdict"] == "within tolerance"
    told = found["runs"][0]["deviations"]["loss"]
    values = store.run("first").metrics["loss"].values
    assert told["relative"] == pytest.approx(1e-7, rel=1e-3)
    assert told["largest"] == pytest.approx(values.max() * 1e-7, rel=1e-3)
    assert told["step"] == int(values.argmax())
    assert reproduce("--tolerance", "1e-9", "--", "env", "FACTOR=1.0000001", "python", "train.py", "3").exit_code == 3


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


# The code


def test_git_lends_its_objects_and_nothing_else(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hook, filter or attribute of anybody changes a byte; nothing is written into the repository."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        (hooks / name).chmod(0o755)
    (project / ".gitattributes").write_text("*.txt filter=loud eol=crlf\nsecret.py export-ignore\n*.py export-subst\n")
    (project / "plain.txt").write_text("one\ntwo\n")
    (project / "secret.py").write_text("value = '$Format:%H$'\n")
    (project / "tool.sh").write_text("#!/bin/sh\n")
    (project / "tool.sh").chmod(0o755)
    (project / "link.py").symlink_to("helper.py")
    (project / "out.txt").symlink_to("/etc/passwd")
    git(project, "add", ".")
    git(project, "commit", "-m", "second")
    committed = git(project, "ls-tree", "-r", "HEAD")
    git(project, "config", "core.hooksPath", str(hooks))
    git(project, "config", "filter.loud.smudge", f"touch {tmp_path}/smudged; tr a-z A-Z")
    train(project)
    before = everything(project)
    result = reproduce("--force", "--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert "'out.txt' is a link that leads out of the repository" in result.stdout
    code = tmp_path / "again" / "code"
    assert (code / "plain.txt").read_bytes() == b"one\ntwo\n"
    assert (code / "secret.py").read_text() == "value = '$Format:%H$'\n"
    assert os.access(code / "tool.sh", os.X_OK)
    assert (code / "link.py").readlink() == Path("helper.py")
    assert not (code / "out.txt").exists()
    assert git(code, "ls-tree", "-r", "HEAD") == committed
    assert git(code, "branch", "--show-current") == git(project, "branch", "--show-current")
    assert everything(project) == before
    assert not list(tmp_path.glob("*ed"))  # neither hooked nor smudged


def test_without_git_the_modules_that_were_kept_are_the_code(store: Store, project: Path) -> None:
    shutil.rmtree(project / ".git")
    train(project)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "3 recorded files" in result.stdout
    assert "bit-identical" in result.stdout
    assert "not recorded, so not there: here (--with" in result.stdout  # neither the data nor what the run wrote


def test_a_package_without_git_is_moved_with_its_paths(store: Store, project: Path) -> None:
    shutil.rmtree(project / ".git")
    package = project / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "helper.py").write_text("def scale(x):\n    return x\n")
    script = TRAIN.replace("from helper", "from package.helper").replace('"w.npy"', "sys.argv[2]")
    (package / "main.py").write_text(script)
    out = project / "w.npy"
    train(project, "3", str(out), script="-m package.main")
    assert {item.path for item in store.run("first").artifact("source").members} == {
        "package/__init__.py", "package/helper.py", "package/main.py"
    }  # fmt: skip
    assert document("diff", "first", str(project), "--json")["changes"] == []
    out.write_bytes(b"mine")
    result = reproduce()
    assert (result.exit_code, out.read_bytes()) == (0, b"mine"), result.output
    (package / "helper.py").write_text("def scale(x):\n    return 2 * x\n")
    (change,) = document("diff", "first", str(project), "--json")["changes"]
    assert (change["key"], "+    return 2 * x" in change["diff"]) == ("package/helper.py", True)


def test_data_outside_of_the_project_by_a_relative_path_is_there(store: Store, project: Path) -> None:
    (project.parent / "outside").mkdir()
    (project.parent / "outside" / "x.csv").write_text("1\n2\n")
    (project / "train.py").write_text(TRAIN.replace("data/x.csv", "../outside/x.csv"))
    train(project)
    result = reproduce("--with", "here")
    assert (result.exit_code, "bit-identical" in result.stdout) == (0, True), result.output


def test_data_that_is_recorded_by_its_path_can_be_a_link(store: Store, project: Path, tmp_path: Path) -> None:
    train(project)
    before = (project / "data" / "x.csv").read_bytes()
    result = reproduce("--link", "data/x.csv", "--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again" / "code" / "data" / "x.csv").is_symlink()
    assert (project / "data" / "x.csv").read_bytes() == before


def test_each_repetition_has_a_name_of_its_own(store: Store, project: Path) -> None:
    train(project)
    for _ in range(3):
        assert reproduce("--with", "here").exit_code == 0
    assert [run.name for run in store.runs()] == ["first-again-3", "first-again-2", "first-again", "first"]


def test_a_commit_that_is_gone_needs_force(store: Store, project: Path) -> None:
    git(project, "stash")
    git(project, "commit", "--allow-empty", "-m", "to be lost")
    git(project, "stash", "pop")
    train(project)
    lost = git(project, "rev-parse", "HEAD").strip()
    git(project, "reset", "--soft", "HEAD~1")
    git(project, "reflog", "expire", "--expire=now", "--all")
    git(project, "stash", "clear")
    git(project, "gc", "--prune=now", "--quiet")
    result = reproduce()
    assert result.exit_code == 1
    assert f"the commit {lost[:12]} is not in {str(project)!r} any more" in result.stdout
    assert "--force goes on" in result.stderr
    assert len(store.runs()) == 1
    forced = reproduce("--force")
    assert forced.exit_code == 0, forced.output
    assert f"the present commit of {project} in place of commit {lost[:12]}" in forced.stdout
    assert f"not as it was: code: the commit {lost[:12]} is not in" in forced.stdout
    assert "the present commit of the repository would stand in for it" in forced.stdout


def test_a_clone_serves_where_the_repository_has_moved(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(project)
    moved = project.rename(project.parent / "moved")
    monkeypatch.chdir(project.parent)
    assert "is not here" in problems()["code"]
    monkeypatch.chdir(moved)
    shutil.copytree(moved / "data", project / "data")  # only the data is where it was
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.stdout


def test_code_that_could_not_be_kept_is_told(store: Store, project: Path) -> None:
    (project / "more.py").write_text("def two():\n    return 2\n\n\npassword = 'hunter2hunter2'\n")
    train(project)
    told = problems()["code"]
    assert "more.py" in told
    assert "hunter2" not in told


def test_other_repositories_and_large_files_are_told(store: Store, project: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12\n"
    (project / "model.bin").write_text(pointer)
    inner = project / "inner"
    inner.mkdir()
    git(inner, "init")
    (inner / "a.py").touch()
    git(inner, "add", ".")
    git(inner, "commit", "-m", "inner")
    git(project, "add", ".")
    git(project, "commit", "-m", "both")
    train(project)
    found = document("reproduce", "first", "--here", "--dry-run", "--json")["problems"]
    told = " ".join(item["what"] for item in found)
    assert "'inner' is another repository (a submodule)" in told
    assert "'model.bin' is kept by Git LFS" in told
    kept = project / ".git" / "lfs" / "objects" / "ab" / "ab" / ("ab" * 32)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"the contents")
    assert "model.bin" not in json.dumps(document("reproduce", "first", "--here", "--dry-run", "--json")["problems"])


def test_a_record_cannot_write_settings_of_git(store: Store, tmp_path: Path) -> None:
    with store.start_run("first") as run:
        run.run_log.event(
            {"type": "artifact", **_kept(store, {".git/config": b"[core]\n", "sub/.GIT/x": b"", "a.py": b"1\n"})}
        )
    plan = prepare(store.run("first"), tmp_path / "again", here=True)
    told = [item.what for item in plan.problems if item.part == "code"]
    assert sum("lies in git's own folder" in what for what in told) == 2
    assert [path.name for path in (tmp_path / "again").rglob("*") if path.is_file()] == ["a.py"]


def _kept(store: Store, files: dict[str, bytes]) -> dict[str, Any]:
    from runlore.artifacts.blobs import Blobs
    from runlore.artifacts.events import kept_content

    return kept_content({"name": "source", "kind": "code"}, files, Blobs(store.folder.blobs))


# The data


def test_data_that_has_changed_or_moved_needs_force(store: Store, project: Path) -> None:
    train(project)
    table = project / "data" / "x.csv"
    table.write_text("1\n2\n4\n")
    told = problems()["data"]
    assert "'data/x.csv' has changed" in told
    assert reproduce().exit_code == 1
    forced = reproduce("--force")
    assert forced.exit_code == 3
    assert "data 'x' is not the same" in forced.stdout
    assert "x.fingerprint" in forced.stdout
    table.rename(project / "elsewhere.csv")
    assert "is gone, or has moved" in problems()["data"]


def test_data_that_was_kept_comes_from_the_store(store: Store, project: Path) -> None:
    train(project)
    run = store.run("first").attach()
    run.log_artifact(project / "data" / "x.csv")
    run.finish()
    (project / "data" / "x.csv").write_text("1\n2\n4\n")
    result = reproduce("--force")
    assert "restored from the store" in result.stdout
    assert "data that can't" not in result.stdout


def test_files_that_nobody_recorded_come_along_by_name(store: Store, project: Path, tmp_path: Path) -> None:
    (project / "train.py").write_text(TRAIN.replace("seed =", "assert Path('data/extra/y').exists()\nseed ="))
    (project / "data" / "extra").mkdir()
    (project / "data" / "extra" / "y").touch()
    train(project)
    result = reproduce()
    assert result.exit_code == 1
    assert "the command ended with exit status 1" in result.stderr
    assert "recorded no run that stands for 'first'" in result.stderr
    assert reproduce("--with", "data/extra").exit_code == 0
    result = reproduce("--link", "data/extra", "--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again" / "code" / "data" / "extra").is_symlink()
    assert reproduce("--with", str(Path(sys.executable))).exit_code == 1


# The command


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


def test_variables_that_change_results_are_as_they_were(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    train(project, PYTHONHASHSEED="7")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    result = reproduce()
    assert "PYTHONHASHSEED=7, without OMP_NUM_THREADS" in result.stdout
    variables = store.runs()[0].environment["variables"]
    assert variables["PYTHONHASHSEED"] == "7"
    assert "OMP_NUM_THREADS" not in variables


def test_a_command_that_needs_a_terminal_is_told(store: Store, project: Path) -> None:
    (project / "more.py").write_text("def two():\n    return 2 * int(input() or 1)\n")
    subprocess.run([sys.executable, "train.py", "3"], input=b"\n" * 20, check=True, capture_output=True)
    assert problems()["command"].startswith("it asks at a terminal: more.py:2: input()")
    assert reproduce().exit_code == 1
    forced = reproduce("--force")
    assert forced.exit_code == 3
    assert "EOFError" in forced.stdout


def test_what_has_no_command_needs_one(store: Store, project: Path) -> None:
    subprocess.run([sys.executable, "-c", "import runlore; runlore.start_run('typed')"], check=True)
    result = runlore("reproduce", "typed", "--here", "--force")
    assert result.exit_code == 1
    assert "no command is known for run 'typed': name one behind --" in result.stderr


def test_masked_arguments_are_told(store: Store, project: Path) -> None:
    train(project, "3", "--token", "hf_abcdefghijklmnopqrstuvwxyz0123456789")
    assert "an argument was masked as a secret" in problems()["command"]


def test_several_runs_of_a_script_find_those_that_they_stand_for(store: Store, project: Path) -> None:
    (project / "train.py").write_text(
        "import runlore\n"
        "for lr in (1, 2, 3):\n"
        "    with runlore.start_run(f'run {lr}', params={'lr': lr}) as run:\n"
        "        run.log_metrics({'loss': lr})\n"
        "        for number in range(2):\n"
        "            with runlore.start_run(f'{lr}.{number}', params={'number': number}, parent=run) as child:\n"
        "                child.log_metrics({'loss': lr + number})\n"
    )
    train(project)
    firsts = {run.name: run.id for run in store.runs()}
    found = document("reproduce", "run 2", "--here", "--json")
    assert found["verdict"] == "bit-identical"
    pairs = {item["first"]: item["again"] for item in found["runs"]}
    assert set(pairs) == {firsts[name] for name in ("run 2", "2.0", "2.1")}
    assert all(f"{store.run(first).name}-again" == store.run(again).name for first, again in pairs.items())
    assert len(found["others"]) == 6
    for run in store.runs():
        for link in run.links:
            assert store.run(link["run"]).name == run.name.removesuffix("-again")
    (pair,) = document("reproduce", firsts["3.1"], "--here", "--json")["runs"]
    assert store.run(pair["again"]).params == {"number": 1}


# Whose it is


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


@pytest.mark.skipif(os.getuid() != 0, reason="only root may call its machine otherwise")
def test_what_came_from_another_machine_needs_trust(store: Store, project: Path) -> None:
    command = f"hostname elsewhere && exec {sys.executable} train.py 3"
    subprocess.run(["unshare", "--uts", "sh", "-c", command], check=True, capture_output=True)
    result = reproduce()
    assert result.exit_code == 1
    assert "was recorded on another machine (elsewhere)" in result.stderr
    assert reproduce("--trust").exit_code == 0


# The environment


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wheels that `make install` has put by; uv looks nowhere else."""
    folder = Path(sys.prefix) / "wheels"
    if not folder.is_dir():
        assert "CI" not in os.environ
        pytest.skip("make install puts the wheels by that this needs")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


@pytest.fixture
def small(wheels: Path, tmp_path: Path) -> Path:
    """The Python of an environment with little in it, runlore among it."""
    import runlore as ours

    folder = tmp_path / "small"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    names = ["numpy", "click", "pluggy", "rich"]
    subprocess.run([uv, "pip", "install", "-q", "--python", str(folder), *names], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (facts,) = (path for path in Path(sys.prefix).glob("lib/python*/site-packages/runlore-*.dist-info"))
    shutil.copytree(facts, site / facts.name)
    root = Path(ours.__file__).parents[2]
    (site / "runlore.pth").write_text(f"{root / 'core'}\n{root / 'integrations'}\n")
    return folder / "bin" / "python"


def test_the_environment_is_made_anew(store: Store, project: Path, small: Path) -> None:
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    first = store.run("first")
    result = runlore("reproduce", "first")
    assert result.exit_code == 0, result.output
    assert "made anew by uv" in result.stdout
    assert "bit-identical" in result.stdout
    again = store.runs()[0]
    assert again.environment["packages"] == first.environment["packages"]
    assert again.environment["python"]["prefix"] != first.environment["python"]["prefix"]


def test_packages_that_no_index_has_are_named_and_left_out_by_force(store: Store, project: Path, small: Path) -> None:
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    for name in ("gone_package-1.0", "numpy_helper-0.3"):
        (site / f"{name}.dist-info").mkdir()
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    result = runlore("reproduce", "first")
    assert result.exit_code == 1
    assert "package gone-package 1.0: " in result.stdout
    assert "package numpy-helper 0.3: " in result.stdout
    assert "package numpy 2" not in result.stdout
    forced = runlore("reproduce", "first", "--force")
    assert forced.exit_code == 0, forced.output


def test_a_project_that_was_installed_is_installed_from_its_code(store: Store, project: Path, small: Path) -> None:
    """With --here, too, it is the recorded code that runs, not what is installed now."""
    (project / "pyproject.toml").write_text('[project]\nname = "The_Project"\nversion = "1"\n')
    (project / "src").mkdir()
    (project / "src" / "told.py").write_text("value = 1.0\n")
    (project / "train.py").write_text("import told\n" + TRAIN.replace('"FACTOR", "1"', '"FACTOR", told.value'))
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    (site / "the_project-1.dist-info").mkdir()
    (site / "the_project.pth").write_text(f"{project / 'src'}\n")
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    (project / "src" / "told.py").write_text("value = 2.0\n")
    result = subprocess.run(
        [small, "-m", "runlore", "reproduce", "first", "--here"], check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "bit-identical" in result.stdout


def test_with_here_what_differs_is_told(store: Store, project: Path, small: Path) -> None:
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    (site / "once_there-1.0.dist-info").mkdir()
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "once-there 1.0 is not installed here" in result.stdout


# The verdict


def judged(store: Store, first: dict[str, list[float]], again: dict[str, list[float]]) -> verdicts.Verdict:
    for name, curves in (("a", first), ("b", again)):
        with store.start_run(name) as run:
            for key, values in curves.items():
                for step, value in enumerate(values):
                    run.log_metrics({key: value}, step=step)
    return verdicts.judge(store.run("a"), store.run("b"))


@pytest.mark.parametrize(
    ("first", "again", "level"),
    [
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.0]}, "bit-identical"),
        ({"loss": [1.0, float("nan")]}, {"loss": [1.0, float("nan")]}, "bit-identical"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.00001]}, "within tolerance"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.0001]}, "different"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, float("nan")]}, "different"),
        ({"loss": [1.0, float("inf")]}, {"loss": [1.0, 2.0]}, "different"),
        ({"loss": [0.0, 0.0]}, {"loss": [0.0, 1e-300]}, "different"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0]}, "different"),
        ({"loss": [1.0]}, {"loss": [1.0], "acc": [1.0]}, "different"),
        ({"epoch_time": [1.0]}, {"epoch_time": [2.0]}, "nothing to compare"),
    ],
)
def test_levels(store: Store, first: dict[str, list[float]], again: dict[str, list[float]], level: str) -> None:
    assert judged(store, first, again).level == level


def test_a_folder_that_is_not_empty_is_refused(store: Store, project: Path) -> None:
    train(project)
    with pytest.raises(CannotReproduce, match="is not empty"):
        prepare(store.run("first"), project, here=True)
