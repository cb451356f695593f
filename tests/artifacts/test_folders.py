"""Folders as artifacts: links, odd names and rights come back or are named, and none of them costs another file."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from runlore import Store
from runlore.artifacts.blobs import Blobs, Member
from runlore.artifacts.folders import safe_join, unescaped
from runlore.cli import main
from runlore.errors import UnsafePath
from runlore.provenance.hashing import complete

ODD = os.fsdecode(b"caf\xe9.bin")  # no UTF-8


def told(store: Store, name: str) -> list[str]:
    """Return what a run says is missing of its artifacts."""
    return [item["why"] for item in store.run(name).missing if item["what"].startswith("part of artifact")]


def test_what_is_not_followed_is_named(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "w.bin").write_bytes(b"w")
    (folder / "empty").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "linked").symlink_to("../real")
    (folder / "file").symlink_to("../real/w.bin")
    (folder / "dangling").symlink_to("nowhere")
    with store.start_run("a") as run:
        run.log_artifact(folder)
    assert sorted(told(store, "a")) == [
        "folders without files are not kept: 'empty'",
        "links that lead nowhere can't be kept: 'dangling'",
        "links to folders are not followed: 'linked'",
    ]
    target = store.run("a").artifact("m").restore(tmp_path / "out")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"config.json": b"{}", "file": b"w"}


def test_a_project_as_an_artifact_holds_no_store(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "format").write_text("of something else")
    store = Store(project / "src" / ".runlore")
    for name in "ab":
        with store.start_run(name) as run:
            run.log_artifact(project)
    assert [member.path for member in store.run("b").artifact("project").members] == ["src/format"]
    assert told(store, "b") == ["a store within is not kept: 'src/.runlore'"]
    assert store.run("b").artifact("project").is_at(project)


def test_a_path_that_is_too_long_to_be_opened_costs_no_other_file(store: Store, tmp_path: Path) -> None:
    """Such paths are made from within their folder; one of them once cost the whole artifact."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "weights.bin").write_bytes(b"w")
    part, room = "d" * 200, 4_000 - len(str(tmp_path / "m"))
    above = os.open(tmp_path / "m", os.O_RDONLY)
    for name in [part] * (room // len(f"/{part}")) + ["further"]:
        os.mkdir(name, dir_fd=above)
        below = os.open(name, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("f" * 250, os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "m")
    (reason,) = told(store, "a")
    assert reason.startswith("paths that are too long for the system to open: 'ddd")
    target = store.run("a").artifact("m").restore(tmp_path / "out")
    assert [path.name for path in target.iterdir()] == ["weights.bin"]


@pytest.mark.parametrize(
    "name", ["win\\path.txt", "a\\b\\c", "deep/x\\y", "C-x: y", "it's", "-rf", " ", ODD, f"{ODD}/{ODD}"]
)
@pytest.mark.parametrize("keep", [True, False])
def test_a_name_that_this_system_wrote_is_written_again(store: Store, tmp_path: Path, name: str, keep: bool) -> None:
    (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "m" / name).write_bytes(b"content")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "m", keep=keep)
    complete(store.folder, [store.run("a").id])
    assert told(store, "a") == []
    artifact = store.run("a").artifact("m")
    (member,) = artifact.members
    assert member.path.encode(), "it can be shown"
    assert artifact.is_at(tmp_path / "m")
    target = artifact.restore(tmp_path / "out")
    assert (target / name).read_bytes() == b"content"
    assert artifact.is_at(target)


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_with_an_odd_name_comes_back_under_it(store: Store, tmp_path: Path, keep: bool) -> None:
    (tmp_path / ODD).write_bytes(b"content")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / ODD, name="odd", keep=keep)
    done = CliRunner().invoke(main, ["restore", "a", "-a", "odd", "--to", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / ODD).read_bytes() == b"content"


def test_a_name_that_looks_escaped_is_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x\\udce9").write_bytes(b"1")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "m")
    target = store.run("a").artifact("m").restore(tmp_path / "out")
    assert os.listdir(target) == ["x\\udce9"]
    assert unescaped("x\\udce9") == "x\udce9"
    assert unescaped("\\udc2f\\udc2e") == "\\udc2f\\udc2e", "no slash and no dot can be made"


def test_one_bad_name_costs_nobody_else(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in ("C:x", "good.bin", "zz.bin"):
        (tmp_path / "m" / name).write_bytes(name.encode())
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "m")
    assert told(store, "a") == ["names that mean another place on other systems are not restored: 'C:x'"]
    artifact = store.run("a").artifact("m")
    with pytest.raises(UnsafePath, match="'C:x' would lead outside.*the other 2 of 3 files are restored"):
        artifact.restore(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "m").iterdir()) == ["good.bin", "zz.bin"]
    done = CliRunner().invoke(main, ["restore", "a", "-a", "m", "--to", str(tmp_path / "again")])
    assert (done.exit_code, (tmp_path / "again" / "m" / "good.bin").read_bytes()) == (1, b"good.bin")


def test_a_name_that_a_disk_can_not_have_costs_nobody_else(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    members = [Member(name, 1, blobs.put_bytes(b"1")) for name in ("a", "x" * 300, "z")]
    with pytest.raises(UnsafePath, match="has a name over 255 bytes"):
        blobs.restore(members, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "z"]


@pytest.mark.parametrize("keep", [True, False])
def test_what_could_be_run_can_be_run_again(store: Store, tmp_path: Path, keep: bool) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name, mode in (("run.sh", 0o755), ("mine.sh", 0o700), ("data.bin", 0o644)):
        (folder / name).write_bytes(name.encode())
        (folder / name).chmod(mode)
    with store.start_run("a") as run:
        run.log_artifact(folder, keep=keep)
        run.log_artifact(folder / "run.sh", name="alone")
    complete(store.folder, [store.run("a").id])
    target = store.run("a").artifact("m").restore(tmp_path / "out")
    alone = store.run("a").artifact("alone").restore(tmp_path / "alone")
    runs = {path.name: bool(path.stat().st_mode & stat.S_IXUSR) for path in (*target.iterdir(), alone)}
    assert runs == {"run.sh": True, "mine.sh": True, "data.bin": False}
    assert (target / "run.sh").stat().st_mode & 0o6000 == 0


def test_a_file_that_can_not_be_read_costs_no_other(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "good.bin").write_bytes(b"good")
    (tmp_path / "m" / "memory").symlink_to("/proc/self/mem")  # a regular file whose first byte can't be read
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "m")
    (why,) = told(store, "a")
    assert why.startswith("files that can't be read") and why.endswith(": 'memory'")
    assert (store.run("a").artifact("m").restore(tmp_path / "out") / "good.bin").read_bytes() == b"good"


@pytest.mark.parametrize("path", ["a\\..\\..\\x", "\\x", "\\\\host\\share", "c:\\x", "a/..\\x", ".", "./.."])
def test_no_backslash_climbs_on_any_system(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        safe_join(tmp_path, path)
