"""Runs that somebody else forged: a plan reads and copies nothing of the reader's, and ends."""

import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore._ids import id_time, new_run_id, sha256_of
from runlore.log.frames import FORMAT, LOG_SIGNATURE, SLOT_END
from runlore.provenance.source import CannotRebuild
from runlore.reproduction import paths
from runlore.reproduction.checkout import _check_room
from runlore.reproduction.matching import descendants, leader_of
from runlore.reproduction.paths import make_folder
from runlore.reproduction.reproduce import prepare
from runlore.reproduction.venv import Environment
from tests.commands import document, runlore
from tests.forged import ForgedStore, json_frame
from tests.git import git

HASH = "0" * 64
EVE = 54001


def plan(store: ForgedStore, *arguments: str) -> Any:
    return document("reproduce", "forged", "--dry-run", "--here", "--json", "--store", str(store.root), *arguments)


def data_of(store: ForgedStore, path: str, **opening: Any) -> str:
    """Return what the plan says of the only dataset, which has this path."""
    store.run([{"type": "data", "name": "d", "values": {"path": path, "fingerprint": HASH}}], opening=opening)
    (state,) = [item["state"] for item in plan(store)["data"]]
    return str(state)


@pytest.mark.parametrize(
    "kind", ["/dev/zero", "/proc/kmsg", "/usr/share", "/etc/passwd", "pipe", "/etc/\0x", "/\ud800"]
)
def test_no_file_that_a_record_calls_data_is_read(tmp_path: Path, kind: str) -> None:
    """Devices and pipes were read for ever, and a folder of the record's choice was copied."""
    os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / "pipe") if kind == "pipe" else kind
    assert data_of(ForgedStore(tmp_path / "store"), path) == "is not looked at: the run is not trusted"


@pytest.mark.parametrize("path", ["secret.txt", "folder", "pipe", "../project/secret.txt"])
def test_nothing_is_copied_from_the_folder_that_a_record_calls_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    mine = tmp_path / "project"
    (mine / "folder").mkdir(parents=True)
    (mine / "folder" / "x").write_text("x")
    (mine / "secret.txt").write_text("x")
    os.mkfifo(mine / "pipe")
    copied: list[Path] = []
    monkeypatch.setattr("shutil.copyfile", lambda source, target: copied.append(source))
    monkeypatch.setattr("shutil.copytree", lambda source, target, **_: copied.append(source))
    state = data_of(ForgedStore(tmp_path / "store"), path, cwd=str(mine))
    assert state == "is not looked at: the run is not trusted"
    assert copied == []


def test_a_trusted_run_whose_data_became_a_pipe_has_a_plan(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1\n")
    with store.start_run("first") as run:
        run.log_data("x", tmp_path / "x.csv")
    (tmp_path / "x.csv").unlink()
    os.mkfifo(tmp_path / "x.csv")
    found = document("reproduce", "first", "--here", "--dry-run", "--json")
    assert [item["state"] for item in found["data"]] == ["has become a device, a pipe or a socket: it is not read"]
    assert any(item["part"] == "data" for item in found["problems"])


@pytest.mark.parametrize("length", [1, 2, 40])
def test_runs_that_are_their_own_ancestors_have_a_plan(tmp_path: Path, length: int) -> None:
    store = ForgedStore(tmp_path / "store")
    ids = [new_run_id(1_790_000_000_000_000 + number) for number in range(length)]
    for number, run in enumerate(ids):
        name = "forged" if number == 0 else f"other-{number}"
        store.run(name=name, opening={"parent": ids[(number + 1) % length]}, run=run)
    if length < 10:
        assert plan(store)["run"]
    opened = Store(store.root)
    first = opened.run("forged")
    assert leader_of(first) is not None
    assert len(descendants(first)) == len({run.id for run in descendants(first)}) == length


FACTS = [
    {"root": "/proc/self/cwd"}, {"root": "/proc/self/root"}, {"root": "relative"}, {"root": "/dev/zero"},
    {"root": "/\0"}, {"root": 5}, {"commit": "--output=RAN"}, {"commit": "HEAD"}, {"commit": "main:../x"},
    {"commit": ["x"]}, {"commit": "a" * 40, "branch": "../../x"}, {"branch": "--help"}, {"remote": "--file=RAN"},
    {"remote": "ext::touch RAN"},
]  # fmt: skip
PATHS = ["../x", "/x", ".git/config", ".GIT/config", "a/.git/hooks/x", "x\0y", "-rf", "y" * 300, "a/../../x", ""]


@pytest.mark.parametrize("facts", FACTS, ids=str)
def test_no_fact_of_a_recorded_repository_is_an_option_or_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init")
    (project / "a.py").write_text("1\n")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    with (project / ".git" / "config").open("a") as file:
        file.write(f'[core]\n\tfsmonitor = "touch {tmp_path}/RAN; false"\n')
    monkeypatch.chdir(project)
    store = ForgedStore(tmp_path / "store")
    honest = {"commit": git(project, "rev-parse", "HEAD").strip(), "root": str(project)}
    values = {**honest, "branch": "main", "remote": "https://example.org/x"} | facts
    store.run([{"type": "environment", "sections": {"git": {"values": values, "sha256": "s"}}}])
    before = sorted(
        str(path) for path in tmp_path.rglob("*") if "store" not in path.parts and "cache" not in path.parts
    )
    assert runlore("reproduce", "forged", "--dry-run", "--here", "--store", str(store.root)).exit_code in (0, 1)
    assert runlore("diff", "forged", ".", "--store", str(store.root)).exit_code in (0, 1)
    after = sorted(str(path) for path in tmp_path.rglob("*") if "store" not in path.parts and "cache" not in path.parts)
    assert after == before


@pytest.mark.parametrize("name", ["source", "untracked", "imported", "typed", "submodules"])
def test_no_recorded_path_or_patch_leads_out_of_the_fresh_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    store = ForgedStore(tmp_path / "store")
    members = [[path, 1, store.blob(b"x")] for path in PATHS]
    common = {"type": "artifact", "kind": "code", "path": None, "size": 1, "stored": True, "step": None, "epoch": None}
    patch = store.blob(b"--- a/../../x\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n")
    store.run(
        [
            {**common, "name": name, "sha256": HASH, "files": members, "roles": []},
            {**common, "name": "uncommitted.patch", "sha256": patch, "roles": []},
        ]
    )
    to = tmp_path / "out" / "deep" / "again"
    written: list[str] = []
    real = Path.write_bytes

    def write(path: Path, data: Any) -> int:
        written.append(os.path.realpath(path))
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr("runlore.cli.commands.reproduce.make_folder", lambda prefix: to)
    done = runlore("reproduce", "forged", "--dry-run", "--here", "--store", str(store.root))
    assert done.exit_code in (0, 1), done.output
    outside = [path for path in written if not path.startswith((f"{to}/", "/tmp/runlore-", str(tmp_path / "cache")))]
    assert outside == []
    assert not [path for path in written if "/.git/" in path.lower() and path.startswith(str(to))]


# The folder, and uv


def test_the_fresh_folder_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a common folder other users would lay down settings above it."""
    common, own = tmp_path / "common", tmp_path / "own"
    common.mkdir()
    common.chmod(0o1777)
    own.mkdir(mode=0o700)
    monkeypatch.setattr(paths.tempfile, "tempdir", str(common))  # type: ignore[attr-defined]
    made = make_folder("runlore-")
    assert made.parent == tmp_path / "cache" / "runlore" / "reproduced"
    assert [path.stat().st_mode & 0o777 for path in (made, made.parent)] == [0o700, 0o700]
    monkeypatch.setattr(paths.tempfile, "tempdir", str(own))  # type: ignore[attr-defined]
    assert make_folder("runlore-").parent == own
    if os.getuid() == 0:
        os.chown(own, EVE, -1)
        assert make_folder("runlore-").parent == made.parent


def test_uv_takes_no_settings_from_the_folders_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's `uv.toml` in a common folder had packages come from an index of that user's."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "odd_one-1.0-py3-none-any.whl", "w") as file:
        facts = "odd_one-1.0.dist-info"
        file.writestr("odd_one.py", "")
        file.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: odd-one\nVersion: 1.0\n")
        file.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{facts}/RECORD", "")
    settings = f'no-index = true\nfind-links = ["{wheels}"]\n'
    common = tmp_path / "common"
    (common / "fresh").mkdir(parents=True)
    (common / "uv.toml").write_text(settings)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    version = ".".join(map(str, sys.version_info[:3]))

    def problems(name: str) -> list[str]:
        return [*Environment(common / "fresh" / name, {"odd-one": "1.0"}, []).prepare(version)]

    assert any("odd-one" in problem for problem in problems("a"))
    (tmp_path / "config" / "uv").mkdir(parents=True)
    (tmp_path / "config" / "uv" / "uv.toml").write_text(settings)  # the user's own
    assert problems("b") == []


@pytest.mark.parametrize("recorded", [True, False])
def test_where_a_content_lay_counts_only_as_it_is_proven(store: Store, tmp_path: Path, recorded: bool) -> None:
    """Who wrote into the run that one went on from had the content put over a file of the code."""
    (tmp_path / "w.bin").write_bytes(b"weights")
    with store.start_run("first") as first:
        if recorded:
            first.log_artifact(tmp_path / "w.bin")
    sha256 = sha256_of(b"weights")
    with store.start_run("second") as second:
        second.run_log.event({"type": "link", "kind": "resumed_from", "run": first.id, "sha256": sha256})
    told = {"type": "artifact", "name": "w.bin", "kind": "file", "path": str(tmp_path / "train.py"), "sha256": sha256}
    opening = {"type": "open", "mode": "attach", "run": first.id, "time": 1}
    head = LOG_SIGNATURE + struct.pack("<H", FORMAT)
    frames = [json_frame("J", {**event, "time": id_time(first.id)}) for event in (opening, told)]
    log = store.folder.day(first.id) / f"{first.id}.0000aaaa.log"
    log.write_bytes(head.ljust(SLOT_END, b"\0") + b"".join(frames))
    assert str(tmp_path / "train.py") in [item.path for item in store.run("first").artifacts]
    planned = document("reproduce", "second", "--dry-run", "--here", "--json")
    assert [item["path"] for item in planned["data"]] == [str(tmp_path / "w.bin")] * recorded


@pytest.mark.parametrize("commit", [None, "0" * 40, "own"])
def test_no_repository_that_a_record_names_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str | None
) -> None:
    """The present commit of any repository of the reader's was copied where the recorded one is not in it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    git(mine, "init", "-q")
    (mine / "secret.txt").write_text("x")
    git(mine, "add", ".")
    git(mine, "commit", "-qm", "first")
    store = ForgedStore(tmp_path / "store")
    facts = {"root": str(mine), "commit": git(mine, "rev-parse", "HEAD").strip() if commit == "own" else commit}
    store.run([{"type": "environment", "sections": {"git": {"values": facts, "sha256": "x"}}}])
    run = Store(store.root).run("forged")
    for place, reads in ((tmp_path, False), (mine, commit == "own")):  # a commit of the repository that we are in
        monkeypatch.chdir(place)
        made = prepare(run, tmp_path / f"fresh-{place.name}", here=True, look=False)
        assert bool(list(made.folder.rglob("secret.txt"))) is reads
        assert any("is not looked at" in item.what for item in made.problems) is not reads


def test_a_state_of_the_code_that_is_too_large_is_not_written() -> None:
    listed = "\0".join(f"100644 blob {HASH}{size:8}\t{name}" for name, size in (("a", 1 << 30), ("b", 0)))
    _check_room(listed)
    _check_room("\0".join([*[f"100644 blob {HASH}{20_000:8}\ta"] * 300_000, listed]))
    with pytest.raises(CannotRebuild, match="GiB: it is not written"):
        _check_room("\0".join([listed] * 17))
