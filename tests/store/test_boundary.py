"""The boundary of a store: whatever lies in place of its parts, nothing outside of it is touched, and nothing waits."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.maintenance.removal import remove
from tests.commands import runlore
from tests.forged import ForgedStore
from tests.process import Process

COMMANDS = [
    "ls", "show kept", "stats -m loss", "diff kept live", "lineage kept", "which-run 0123456", "doctor", "reindex",
    "restore kept --all --to new", "export --to exported", "reproduce kept --dry-run", "tag kept a=b", "rm kept",
    "undo", "gc",
]  # fmt: skip
QUICK = ["ls", "show kept", "rm kept", "undo", "gc"]
WAIT_S = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which each kind of file lies, old enough for `gc`."""
    base = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("XDG_STATE_HOME", str(base.parent / "state"))  # as tests have it
        settings.setenv("RUNLORE_QUIET", "1")
        return _made(base)


def _made(base: Path) -> Path:
    store = Store(base / "store")
    (base / "w.bin").write_bytes(b"w" * 300_000)
    for name in ("kept", "removed"):
        with store.start_run(name, params={"lr": 1}) as run:
            run.log_metrics({"loss": 1.0})
            run.log_artifact(base / "w.bin")
    remove(store, [store.run("removed")])
    script = "import os, sys, runlore\nrun = runlore.start_run('live', store=sys.argv[1])\nos._exit(1)"
    subprocess.run([sys.executable, "-c", script, str(store.root)], check=False, cwd=base)
    log = next(store.root.rglob("*.log"))
    log.with_suffix(".out").write_text("printed\n")
    for path in store.root.rglob("*"):
        os.utime(path, (1, path.stat().st_mtime if path.is_dir() else 1_000_000_000))
    return store.root


def parts_of(root: Path) -> list[str]:
    """Return a part of each kind: the folders and the files that a store is made of."""
    day = next(path for path in (root / "runs").glob("*/*"))
    blob = next(path for path in (root / "blobs").glob("??/*"))
    removal = next(path for path in (root / "trash").iterdir())
    files = [next(day.glob("*.run")), next(day.glob("*.log")), next(day.glob("*.out"))]
    parts = [root / name for name in ("runs", "blobs", "marks", "trash", "format", ".gitignore")]
    parts += [
        root / "index-v1.sqlite",
        root / "index-v1.lock",
        day,
        day.parent,
        blob,
        blob.parent,
        root / "blobs/.known",
    ]
    parts += [*files, removal, next(removal.glob("*")), next(removal.rglob("*.run"))]
    assert len(set(parts)) == 19
    return [str(part.relative_to(root)) for part in parts]


def everything(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the mode and the content of all that lies in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, hashlib.sha256(content).hexdigest())
    return found


@pytest.fixture
def alarm() -> Iterator[Callable[[], object]]:
    """Ends what waits for ever."""

    def ring(*_: object) -> None:
        raise AssertionError("it waits for ever")

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda: signal.alarm(WAIT_S)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def put(part: Path, kind: str, outside: Path) -> None:
    """Put something else in place of a part of a store; what it was lies outside then."""
    aside = outside / "there"
    part.rename(aside)
    if kind == "link":
        part.symlink_to(aside)
    elif kind == "dangling":
        part.symlink_to(outside / "made")
    elif kind == "pipe":
        os.mkfifo(part)
    elif kind == "device":
        part.symlink_to("/dev/zero")
    elif aside.is_dir():
        part.write_text("a file")
    else:
        part.mkdir()


def check(made: Path, place: int, kind: str, folder: Path, alarm: Callable[[], object], commands: list[str]) -> None:
    outside = folder / "outside"
    shutil.copytree(made, folder / "store", symlinks=True)
    outside.mkdir()
    (outside / "document.txt").write_text("mine")
    part = folder / "store" / parts_of(folder / "store")[place]
    put(part, kind, outside)
    before = everything(outside)
    for command in commands:
        alarm()
        result = runlore(*command.split(), "--store", str(folder / "store"))
        signal.alarm(0)
        assert everything(outside) == before, (part, kind, command, result.output)
        assert isinstance(result.exception, SystemExit | None), (part, kind, command, result.exception)
        if part.parent == folder / "store" and kind != "other":
            assert f"{str(part)!r} is no" in result.output, (part, kind, command, result.output)


@pytest.mark.parametrize("place", range(19))
def test_a_part_that_is_something_else_leads_nowhere(
    made: Path, tmp_path: Path, alarm: Callable[[], object], place: int
) -> None:
    """Links and pipes take turns; below, all commands meet all kinds."""
    check(made, place, ("link", "pipe")[place % 2], tmp_path, alarm, QUICK)


@pytest.mark.stress
@pytest.mark.parametrize(
    "kind",
    ["link", "pipe", "other", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("dangling", "device"))],
)
@pytest.mark.parametrize("place", range(19))
def test_no_command_leaves_the_store(
    made: Path, tmp_path: Path, alarm: Callable[[], object], place: int, kind: str
) -> None:
    check(made, place, kind, tmp_path, alarm, COMMANDS)


def test_a_store_may_be_reached_through_a_link(store: Store, tmp_path: Path) -> None:
    with store.start_run("kept"):
        pass
    (tmp_path / "there").symlink_to(store.root)
    assert [run.name for run in open_store(tmp_path / "there").runs()] == ["kept"]


def test_a_script_whose_store_is_refused_trains_on(
    tmp_path: Path, python: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone brings `.runlore` along."""
    monkeypatch.delenv("RUNLORE_STORE", raising=False)
    (tmp_path / "documents").mkdir()
    ForgedStore(tmp_path / ".runlore")
    shutil.rmtree(tmp_path / ".runlore" / "runs")
    (tmp_path / ".runlore" / "runs").symlink_to(tmp_path / "documents")
    script = """
import runlore
for _ in range(2):
    with runlore.start_run() as run:
        run.log_metrics({"a": 1})
print("on")
"""
    done = python(script)
    assert done.succeed() == "on\n"
    assert done.err.count("the store is not used") >= 1
    assert not list((tmp_path / "documents").iterdir())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_nothing_is_recorded_into_an_empty_store_of_another_user(
    tmp_path: Path, python: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write a folder above, as the shared temporary one, would get all that is recorded below."""
    monkeypatch.delenv("RUNLORE_STORE", raising=False)
    (tmp_path / ".runlore").mkdir(mode=0o777)
    os.chown(tmp_path / ".runlore", 12345, -1)
    (tmp_path / "work").mkdir()
    done = python("import os; os.chdir('work')\nimport runlore; runlore.start_run('x').finish(); print('on')")
    assert done.succeed() == "on\n"
    assert "12345" in done.err
    assert not list((tmp_path / ".runlore").iterdir())
