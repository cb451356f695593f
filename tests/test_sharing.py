"""Stores that a group shares: who may read and write what is made in them."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.errors import StoreRefused
from runlore.maintenance.diagnosis import diagnose
from runlore.maintenance.removal import remove, undo
from tests.process import Process

Python = Callable[..., Process]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="takes on other users")

GROUP = 54000
AS_USER = """
import os, sys, tempfile
import numpy, runlore
from runlore.cli.commands import doctor, edit, ls, remove, show
with tempfile.TemporaryDirectory() as folder:  # everything is imported while it can be
    with runlore.start_run("warm", store=folder + "/store") as run:
        run.log_metrics({"x": 1.0})
    runlore.open_store(folder + "/store").run("warm").metrics["x"].values
os.umask(int(sys.argv[2], 8)); os.setgroups([]); os.setgid(54000); os.setuid(int(sys.argv[1]))
home = tempfile.mkdtemp()
os.environ.update(HOME=home, XDG_CACHE_HOME=home + "/cache", XDG_STATE_HOME=home + "/state")
"""

WATCH = """
import os, sys
os.setgroups([]); os.setgid(54001); os.setuid(54001)
print("on", flush=True)
seen = opened = 0
while seen < 20 and os.getppid() > 1:
    for name in os.listdir(sys.argv[1]):
        if name.endswith(".tmp"):
            seen += 1
            try:
                open(sys.argv[1] + "/" + name, "rb").close()
                opened += 1
            except FileNotFoundError:
                seen -= 1  # it has got its name
            except PermissionError:
                pass
print(opened)
open(sys.argv[2], "x").close()
"""


def test_a_disk_that_gives_no_modes_keeps_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFS and FUSE's disks may refuse them: every artifact and all that was captured was lost there."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("chmod", "fchmod", "chown", "fchown"):
        monkeypatch.setattr(os, name, refuse)
    (tmp_path / "run.sh").write_text("echo 1")
    store = Store(tmp_path / "store")
    with store.start_run("x") as run:
        run.log_artifact(tmp_path / "run.sh")
        run.companions.await_captures()
    found = store.run("x")
    assert (found.missing, "packages" in found.environment) == ([], True)
    assert found.artifact("run.sh").restore(tmp_path / "out").read_text() == "echo 1"


@pytest.fixture
def umask() -> Iterator[Callable[[int], object]]:
    before = os.umask(0o022)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.fixture
def team() -> Iterator[Path]:
    """A folder of a group; pytest closes its own to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "team"
        folder.mkdir()
        if os.getuid() == 0:
            os.chown(folder, -1, GROUP)
        folder.chmod(0o2775)
        yield folder


def use(store: Store, folder: Path) -> None:
    """Let everything be made that a store is made of."""
    (folder / "weights.bin").write_bytes(b"x" * 300_000)
    (folder / "small.txt").write_text("small")
    with store.start_run("first") as run:
        run.log_metrics({"loss": 1.0})
        run.log_artifact(folder / "weights.bin")
        run.log_artifact(folder / "small.txt")
    store.run("first").set_tags({"good": "yes"})
    open_log = store.start_run("live")
    assert len(store.runs()) == 2
    remove(store, [store.run("first")])
    undo(store)
    assert len(store.runs()) == 2
    open_log.finish()


def modes(store: Store) -> tuple[set[int], set[int]]:
    """Return the modes of a store's folders and files, but for those of the index, which is its maker's alone."""
    paths = [store.root, *(path for path in store.root.rglob("*") if not path.name.startswith("index-"))]
    found = [(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths]
    return {mode for is_dir, mode in found if is_dir}, {mode for is_dir, mode in found if not is_dir}


def test_a_store_that_was_made_for_a_group_is_open_to_it_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: Callable[[int], object]
) -> None:
    monkeypatch.setenv("RUNLORE_SHARED", "group")
    umask(0o077)
    store = Store(tmp_path / "shared")
    use(store, tmp_path)
    monkeypatch.delenv("RUNLORE_SHARED")  # the folder tells from now on
    with store.start_run("later"):
        pass
    assert modes(store) == ({0o2770}, {0o660, 0o440})
    assert any("with the group" in finding.text for finding in diagnose(store)["store"])


@pytest.mark.parametrize(
    ("setting", "mask", "shared"), [("", 0o002, True), ("", 0o022, False), ("user", 0o002, False), ("odd", 0o002, True)]
)
def test_a_store_in_the_folder_of_a_group_is_the_groups_if_the_umask_lets_it_in(
    team: Path, monkeypatch: pytest.MonkeyPatch, umask: Callable[[int], object], setting: str, mask: int, shared: bool
) -> None:
    monkeypatch.setenv("RUNLORE_SHARED", setting)
    umask(mask)
    store = Store(team / "store")
    if setting == "odd":
        with pytest.warns(match="RUNLORE_SHARED is 'odd': write folder, group or user"), store.start_run("first"):
            pass
    else:
        use(store, team)
    folders, files = modes(store)
    assert {mode & 0o777 for mode in folders} == ({0o770} if shared else {0o700})
    assert all(bool(mode & 0o040) == shared for mode in files if shared or mode != 0o644)


def test_a_store_for_one_user_stays_so_where_its_folder_was_there_before(
    tmp_path: Path, umask: Callable[[int], object]
) -> None:
    """A group may write where the umask is 002, and everybody's group is often one that all users have."""
    umask(0o002)
    (tmp_path / "store").mkdir()
    use(Store(tmp_path / "store"), tmp_path)
    assert not any(path.stat().st_mode & 0o020 for path in (tmp_path / "store" / "runs").rglob("*"))


@needs_root
@pytest.mark.parametrize("mask", ["002", "077"])
def test_two_users_of_a_group_record_read_and_change_each_others_runs(
    team: Path, python: Python, monkeypatch: pytest.MonkeyPatch, mask: str
) -> None:
    """The second one's training once died, and whoever could not read a run made it crashed for all."""
    monkeypatch.setenv("RUNLORE_STORE", str(team / "store"))
    monkeypatch.setenv("RUNLORE_SHARED", "group")
    record = """
from pathlib import Path
with runlore.start_run(sys.argv[3], params={"lr": 0.1}) as run:
    run.log_metrics({"loss": 1.0})
    weights = Path(os.environ["RUNLORE_STORE"]).with_name(f"{sys.argv[3]}.bin")
    weights.write_bytes(b"w" * 300_000)
    run.log_artifact(weights)
store = runlore.open_store()
for run in store.runs():
    run.set_tags({f"seen by {sys.argv[3]}": "yes"})
print(sorted((run.name, run.status, run.metrics["loss"].last, store.index.path is not None) for run in store.runs()))
"""
    own = str([("alice", "finished", 1.0, True)]) + "\n"
    both = str([("alice", "finished", 1.0, True), ("bob", "finished", 1.0, True)]) + "\n"
    assert python(AS_USER + record, "54001", mask, "alice").succeed() == own
    assert python(AS_USER + record, "54002", mask, "bob").succeed() == both
    removed = AS_USER + "from runlore.maintenance.removal import remove\n"
    removed += "store = runlore.open_store(); remove(store, [store.run('bob')]); print(len(store.runs()))"
    assert python(removed, "54001", mask).succeed() == "1\n"
    assert open_store().run("alice").tags == {"seen by alice": "yes", "seen by bob": "yes"}


@needs_root
def test_a_store_in_the_folder_of_another_group_is_for_its_user_alone(team: Path, python: Python) -> None:
    """Only its topmost folders were that group's once, which could remove what it could not read."""
    team.chmod(0o2777)
    record = """
with runlore.start_run("mine", store=sys.argv[3]) as run:
    run.log_metrics({"loss": 1.0})
"""
    python(AS_USER.replace("setgid(54000)", "setgid(54009)") + record, "54001", "002", str(team / "store")).succeed()
    folders, files = modes(Store(team / "store"))
    assert not any(mode & 0o077 for mode in folders | files)


@needs_root
def test_a_store_that_is_found_is_used_if_it_is_a_groups_and_one_wants_that(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNLORE_SHARED", "group")
    monkeypatch.delenv("RUNLORE_STORE")
    monkeypatch.chdir(team)
    with open_store().start_run("of root"):
        pass
    os.chown(team / ".runlore", 54001, -1)
    monkeypatch.setattr(os, "getgroups", lambda: [GROUP])
    assert len(open_store().runs()) == 1
    monkeypatch.delenv("RUNLORE_SHARED")
    with pytest.raises(StoreRefused, match="belongs to user 54001"):
        open_store()
    monkeypatch.setenv("RUNLORE_SHARED", "group")
    monkeypatch.setattr(os, "getgroups", list)
    with pytest.raises(StoreRefused, match="belongs to user 54001"):
        open_store()


def test_doctor_tells_how_a_store_is_given_to_a_group(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.start_run("first"):
        pass
    found = {finding.name: finding for finding in diagnose(store)["store"]}["sharing"]
    assert (found.state, found.text) == ("ok", "this user's alone")
    monkeypatch.setenv("RUNLORE_SHARED", "group")
    found = {finding.name: finding for finding in diagnose(store)["store"]}["sharing"]
    assert found.state == "missing"
    assert os.system(found.text.partition("to share it: ")[2]) == 0  # noqa: S605
    assert diagnose(store)["store"][-2].state == "ok"
    with store.start_run("second"):
        pass
    assert modes(store)[0] == {0o2770}


@needs_root
def test_another_user_can_not_open_the_draft_of_a_content(
    team: Path, python: Python, umask: Callable[[int], object]
) -> None:
    """The folder is open to that user, as it is where that user has made the store; once, the draft was, too."""
    umask(0)
    (team / "private.bin").write_bytes(b"x" * 20_000_000)
    (team / "private.bin").chmod(0o600)
    store = Store(team / "store")
    store.start_run("first").finish()
    for folder in (store.root, store.folder.blobs):
        folder.chmod(0o777)
    watching = python(WATCH, str(store.folder.blobs), str(team / "ended"))
    team.chmod(0o777)
    assert watching.line() == "on"
    for number in range(500):
        with (team / "private.bin").open("r+b") as file:
            file.write(b"%d" % number)
        with store.start_run("private") as run:
            run.log_artifact(team / "private.bin")
        if (team / "ended").exists():
            break
    assert watching.succeed() == "0\n"
