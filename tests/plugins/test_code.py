"""Tests of the code that is kept with a run."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.hookspecs import CaptureRequest
from runlore.plugins import code
from runlore.plugins.git import Git, GitTooSlow
from tests.git import git
from tests.process import Process

Python = Callable[..., Process]
REQUEST = CaptureRequest(Path(), (), 5.0)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which the process works in."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init")
    (folder / "train.py").write_text("lr = 1\n")
    (folder / "old.py").write_text("old = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    monkeypatch.chdir(folder)
    return folder


def files(folder: str | None = None) -> dict[str, bytes]:
    found = code.runlore_capture_files(REQUEST)
    return {item.name: item.content for item in found if item.folder == folder and item.withheld is None}


def withheld() -> dict[str, str]:
    return {item.name: item.withheld for item in code.runlore_capture_files(REQUEST) if item.withheld}


def test_what_a_run_writes_is_no_part_of_its_code(store: Store, repository: Path) -> None:
    """Also where it is written before anybody has looked."""
    (repository / "settings.json").write_text("{}")
    os.utime(repository / "settings.json", (1e9, 1e9))
    (repository / "fresh.py").write_text("x = 1\n")
    with store.start_run("a") as run:
        (repository / "result.json").write_text("{}")
        (repository / "notes.txt").write_text("done")
        run.log_metrics({"loss": 1.0})
    members = {member.path for member in store.run("a").artifact("untracked").members}
    assert members == {"settings.json", "fresh.py"}


def test_nothing_is_kept_where_everything_is_committed(repository: Path) -> None:
    assert code.runlore_capture_files(REQUEST) == []


def test_the_uncommitted_patch_applies_to_the_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "old.py").unlink()
    (repository / "staged.py").write_text("staged = 'ü'\n")
    git(repository, "add", "staged.py")
    (tmp_path / "p.patch").write_bytes(files()[code.PATCH])
    git(tmp_path, "clone", str(repository), "copy")
    git(tmp_path / "copy", "apply", str(tmp_path / "p.patch"))
    assert (tmp_path / "copy" / "train.py").read_text() == "lr = 2\n"
    assert (tmp_path / "copy" / "staged.py").read_text() == "staged = 'ü'\n"
    assert not (tmp_path / "copy" / "old.py").exists()


def test_untracked_sources_are_kept_and_other_files_are_not(repository: Path) -> None:
    (repository / "deep").mkdir()
    (repository / "deep" / "new.py").write_text("x = 1\n")
    (repository / "config.yaml").write_text("a: 1\n")
    (repository / "data.npy").write_bytes(b"\0")
    (repository / ".env").write_text("A=1\n")
    (repository / "link.py").symlink_to(repository / "train.py")
    installed = repository / "env" / "lib" / "python3" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "package.py").write_text("token = 'paragraph_open'\n")  # somebody else's, in an environment here
    assert files(code.UNTRACKED) == {"deep/new.py": b"x = 1\n", "config.yaml": b"a: 1\n"}


def test_large_files_are_named_and_not_kept(repository: Path) -> None:
    (repository / "large.py").write_bytes(b"#" * (code.MAX_FILE_BYTES + 1))
    (repository / "large.json").write_bytes(b" " * (code.MAX_FILE_BYTES + 1))
    assert files(code.UNTRACKED) == {}
    assert set(withheld()) == {"large.py"}
    assert "can't be reproduced" in withheld()["large.py"]


def test_a_patch_beyond_its_limit_is_named_and_not_kept(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_PATCH_BYTES", 1 << 10)
    (repository / "train.py").write_text("x = 1\n" * 10_000)
    assert "can't be reproduced" in withheld()[code.PATCH]


def test_a_changed_notebook_is_kept_without_its_outputs_and_is_not_in_the_patch(repository: Path) -> None:
    (repository / "a.ipynb").write_text('{"cells": []}')
    git(repository, "add", ".")
    git(repository, "commit", "-m", "notebook")
    cell = '{"cell_type": "code", "source": ["1 + 1"], "outputs": ["the output"]}'
    (repository / "a.ipynb").write_text(f'{{"cells": [{cell}]}}')
    assert files() == {}
    assert b"1 + 1" in files(code.UNTRACKED)["a.ipynb"]
    assert b"the output" not in files(code.UNTRACKED)["a.ipynb"]


def test_odd_names_and_a_repository_without_a_commit_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init")
    for name in ('quo"te.py', "spa ce.py", "ümlaut.py", "new\nline.py"):
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", "spa ce.py")
    monkeypatch.chdir(tmp_path)
    assert set(files(code.UNTRACKED)) == {'quo"te.py', "ümlaut.py", "new\nline.py"}
    assert b"spa ce.py" in files()[code.PATCH]


def test_git_that_takes_too_long_is_told(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent) + os.pathsep + os.environ["PATH"])
    began = time.monotonic()
    with pytest.raises(GitTooSlow):
        Git(repository, 0.2).status()
    assert time.monotonic() - began < 40
    (told,) = code.runlore_capture_files(CaptureRequest(Path(), (), 0.2))
    assert "took longer" in str(told.withheld)


def test_the_script_and_its_modules_are_kept_where_there_is_no_git(
    store: Store, tmp_path: Path, python: Python
) -> None:
    work = tmp_path / "plain"
    (work / "models").mkdir(parents=True)
    (work / "models" / "__init__.py").write_text("")
    (work / "models" / "net.py").write_text("SIZE = 3\n")
    (work / "unused.py").write_text("")
    (work / "train.py").write_text("import models.net, runlore\nrunlore.start_run('x').finish()\n")
    python("import subprocess, sys; subprocess.run([sys.executable, 'plain/train.py'], check=True)").succeed()
    source = store.run("x").artifact("source")
    assert {member.path for member in source.members} == {"train.py", "models/__init__.py", "models/net.py"}
    source.restore(tmp_path / "out")
    assert (tmp_path / "out" / "source" / "models" / "net.py").read_text() == "SIZE = 3\n"


@pytest.mark.parametrize("before", ["pass", "del sys.modules['models']", "del sys.modules['late']"])
def test_a_module_that_is_imported_while_a_run_goes_on_is_kept(
    store: Store, tmp_path: Path, python: Python, before: str
) -> None:
    """Whether others were taken out of `sys.modules` meanwhile, or it was there before."""
    work = tmp_path / "plain"
    work.mkdir()
    (work / "models.py").write_text("")
    (work / "late.py").write_text("SIZE = 3\n")
    (work / "train.py").write_text(
        f"import sys, runlore, models{', late' if 'late' in before else ''}\n"
        f"runlore.start_run('first').finish()\nwith runlore.start_run('x'):\n    {before}\n    import late\n"
    )
    python("import subprocess, sys; subprocess.run([sys.executable, 'plain/train.py'], check=True)").succeed()
    assert "late.py" in {member.path for member in store.run("x").artifact("source").members}


def test_the_code_of_a_run_is_in_its_record(store: Store, repository: Path) -> None:
    (repository / "train.py").write_text("lr = 3\n")
    store.start_run("x").finish()
    assert b"+lr = 3" in store.run("x").artifact("uncommitted.patch").read_bytes()
    assert store.run("x").environment["git"]["dirty"] is True


def test_a_repository_that_git_cannot_read_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in withheld()["git"]


@pytest.mark.parametrize("path", [".env", "a/.env.local", "id_rsa", "x.pem", "my_credentials.json", "secrets.yaml"])
def test_files_whose_names_tell_of_secrets_are_never_kept(path: str) -> None:
    assert code.is_secret(path)
    assert not code.is_secret("train.py")


def test_a_notebook_is_kept_without_outputs() -> None:
    notebook = (
        b'{"cells": [{"cell_type": "code", "source": ["1"], "outputs": [{"text": "hf_x"}], "execution_count": 3}]}'
    )
    kept = code.without_outputs(notebook)
    assert b"hf_x" not in kept
    assert b'"source"' in kept


def test_variables_of_git_do_not_lead_astray(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a hook of git, another repository's changes were once recorded."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    (repository / "train.py").write_text("lr = 2\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    assert b"+lr = 2" in files()["uncommitted.patch"]


def test_patches_of_binary_files_and_odd_settings_apply(repository: Path, tmp_path: Path) -> None:
    """Without context, prefixes or binary content, a patch once could not be applied."""
    (repository / "w.bin").write_bytes(bytes(range(256)))
    git(repository, "add", ".")
    git(repository, "commit", "-m", "binary")
    for name, value in (("diff.context", "0"), ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true")):
        git(repository, "config", name, value)
    (repository / "w.bin").write_bytes(bytes(range(255, -1, -1)))
    (repository / "train.py").write_text("lr = 2\n")
    (tmp_path / "p.patch").write_bytes(files()["uncommitted.patch"])
    git(tmp_path, "clone", str(repository), "copy")
    git(tmp_path / "copy", "apply", str(tmp_path / "p.patch"))
    assert (tmp_path / "copy" / "w.bin").read_bytes() == bytes(range(255, -1, -1))


def test_large_data_in_git_does_not_cost_the_code(repository: Path) -> None:
    """A changed file of data once made the whole patch too large to be kept."""
    (repository / "data.csv").write_bytes(b"1,2\n" * 1_000_000)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "data")
    (repository / "data.csv").write_bytes(b"3,4\n" * 1_000_000)
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "secret_model.py").write_text("x = 1\n")
    assert b"+lr = 2" in files()["uncommitted.patch"]
    assert set(withheld()) == {"data.csv", "secret_model.py"}
