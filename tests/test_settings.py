"""Settings and stores in the folders above: those of other users of the machine are passed over."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store, _settings, open_store
from runlore._process import process
from runlore._settings import read_once, setting
from runlore.errors import RunloreWarning, StoreRefused
from tests.forged import ForgedStore
from tests.process import Process

Python = Callable[..., Process]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")

EVE, ANN = 54001, 54002
UNMASKED = '[tool.runlore]\ncsv = "/nonexistent"\ndisabled = "secrets"\n'
RECORD = """
import os, sys, tempfile, warnings
import runlore
with tempfile.TemporaryDirectory() as folder:  # everything is imported while it can be
    with runlore.start_run("warm", store=folder + "/store", params={"x": 1}) as run:
        run.log_metrics({"x": 1.0})
os.setgroups([]); os.setgid(54000); os.setuid(54002)
os.chdir(sys.argv[1])
os.environ.pop("RUNLORE_STORE", None)
with runlore.start_run("mine", params={"db_password": "hunter2-Secret!"}) as run:
    run.log_metrics({"x": 1.0})
print(runlore.open_store().root)
"""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of root's in which everybody may make files, as the one for temporary files is."""
    process._parts.pop(_settings._PassedOver, None)  # what was told in other tests is told again
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "scratch"
        folder.mkdir()
        folder.chmod(0o1777)
        monkeypatch.delenv("RUNLORE_STORE")
        yield folder


def work_in(folder: Path, user: int, name: str = "work") -> Path:
    """Make a folder of a user's."""
    (folder / name).mkdir()
    os.chown(folder / name, user, -1)
    return folder / name


def write(path: Path, text: str, user: int) -> None:
    path.write_text(text)
    os.chown(path, user, -1)


@needs_root
def test_settings_of_another_user_in_a_folder_above_are_told_of_and_passed_over(scratch: Path, python: Python) -> None:
    """They sent what was recorded elsewhere, and unmasked it."""
    write(scratch / "pyproject.toml", UNMASKED + 'store = "/nonexistent"\n', EVE)
    work = work_in(scratch, ANN)
    done = python(RECORD, str(work))
    assert done.succeed() == f"{work / '.runlore'}\n"
    assert done.err.count("it is passed over") == 1
    assert f"'{scratch}/pyproject.toml' belongs to user {EVE}" in done.err
    assert f"RUNLORE_TRUSTED={scratch} in the environment" in done.err
    assert not any(b"hunter2" in path.read_bytes() for path in (work / ".runlore").rglob("*.run"))
    assert len(list((work / ".runlore").rglob("*.run"))) == 1


@needs_root
def test_an_empty_store_of_another_user_in_a_folder_above_is_not_recorded_into(scratch: Path, python: Python) -> None:
    (scratch / ".runlore").mkdir()
    (scratch / ".runlore").chmod(0o777)
    os.chown(scratch / ".runlore", EVE, -1)
    work = work_in(scratch, ANN)
    done = python(RECORD, str(work))
    assert done.succeed() == f"{work / '.runlore'}\n"
    assert done.err.count("it is passed over") == 1
    assert not list((scratch / ".runlore").iterdir())
    os.chown(work / ".runlore", EVE, -1)
    with pytest.raises(StoreRefused, match=f"belongs to user {EVE}"):
        open_in(work)


def open_in(folder: Path) -> Store:
    os.chdir(folder)
    return open_store()


@needs_root
def test_root_follows_no_other_user_but_the_one_who_called_sudo(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(scratch / "pyproject.toml", '[tool.runlore]\nexperiment = "theirs"\n', EVE)
    with pytest.warns(RunloreWarning, match="passed over") as told:
        assert setting("experiment", scratch) is None
        assert setting("experiment", scratch / "below") is None
    assert len(told) == 1
    monkeypatch.setenv("SUDO_UID", str(EVE))
    assert setting("experiment", scratch) == "theirs"
    monkeypatch.setenv("SUDO_UID", str(ANN))
    assert setting("experiment", scratch) is None


@needs_root
def test_a_folder_that_the_environment_trusts_sets_what_it_says(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'[tool.runlore]\nexperiment = "theirs"\ntrusted = "{scratch}"\n'
    write(scratch / "pyproject.toml", text, EVE)
    with pytest.warns(RunloreWarning, match="passed over"):
        assert setting("experiment", scratch) is None  # no file names a folder that is trusted
    monkeypatch.setenv("RUNLORE_TRUSTED", os.pathsep.join(["", "/nonexistent", str(scratch)]))
    assert setting("experiment", scratch / "below") == "theirs"
    assert setting("trusted") == os.environ["RUNLORE_TRUSTED"]
    monkeypatch.setenv("RUNLORE_TRUSTED", f"{scratch}/below")
    assert setting("experiment", scratch) is None


@needs_root
def test_a_file_of_mine_that_others_can_place_counts_as_theirs(scratch: Path) -> None:
    """A link, or a folder: who owns it chooses the file that stands there."""
    mine = scratch / "mine.toml"
    mine.write_text('[tool.runlore]\nexperiment = "elsewhere"\n')
    theirs = work_in(scratch, EVE, "theirs")
    os.link(mine, theirs / "pyproject.toml")
    linked = work_in(scratch, 0, "linked")
    (linked / "pyproject.toml").symlink_to(mine)
    os.chown(linked / "pyproject.toml", EVE, -1, follow_symlinks=False)
    with pytest.warns(RunloreWarning, match="passed over") as told:
        assert setting("experiment", theirs) is None
        assert setting("experiment", linked) is None
    assert len(told) == 2
    os.chown(linked / "pyproject.toml", 0, -1, follow_symlinks=False)
    assert setting("experiment", linked) == "elsewhere"


@needs_root
def test_a_project_of_another_user_gets_no_store_of_mine(scratch: Path) -> None:
    (scratch / ".git").mkdir()
    os.chown(scratch / ".git", EVE, -1)
    inner = work_in(work_in(scratch, 0, "mine"), 0, "inner")
    with pytest.warns(RunloreWarning, match=r"\.git' belongs to user"):
        assert open_in(inner).root == inner / ".runlore"
    (scratch / "mine" / ".git").mkdir()
    assert open_in(inner).root == scratch / "mine" / ".runlore"


@needs_root
@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_store_that_a_file_names_is_refused_where_it_is_another_users(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A file came along with the project: only what the user says names a store."""
    theirs = ForgedStore(scratch / "store")
    os.chown(theirs.root, EVE, -1)
    named = form.format(theirs.root)
    work = work_in(scratch, 0)
    write(work / "pyproject.toml", f'[tool.runlore]\nstore = "{named}"\n', 0)
    with pytest.raises(StoreRefused, match=f"belongs to user {EVE}"):
        open_in(work)
    monkeypatch.setenv("RUNLORE_STORE", named)
    assert open_in(work).root == theirs.root


@pytest.mark.parametrize("kind", ["pipe", "device", "huge", "folder", "deep"])
def test_what_is_no_file_of_settings_holds_up_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pyproject.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    elif kind == "folder":
        path.mkdir()
    (tmp_path / "below").mkdir()
    if kind == "deep":
        path.write_text(f"[tool.runlore]\nx = {'[' * 100_000}\n")
        with pytest.raises(ValueError, match="can't be read"):
            setting("experiment", tmp_path / "below")
    else:
        assert setting("experiment", tmp_path / "below") is None


def test_a_run_that_starts_reads_its_settings_once(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.runlore]\nexperiment = "first"\n')
    with read_once():
        assert setting("experiment", tmp_path) == "first"
        path.write_text('[tool.runlore]\nexperiment = "second"\n')
        with read_once():
            assert setting("experiment", tmp_path) == "first"
        assert setting("experiment", tmp_path) == "first"
    assert setting("experiment", tmp_path) == "second"
