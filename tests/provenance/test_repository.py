"""Repositories that somebody else prepared: readers run nothing that their settings, attributes or hooks name."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.plugins.git import Git
from runlore.provenance.repository import reading
from tests.commands import document, runlore
from tests.git import git

SCRIPT = "import runlore\nwith runlore.start_run('theirs'): pass\n"
HOOKS = "pre-commit post-checkout post-index-change reference-transaction fsmonitor-watchman pre-auto-gc post-rewrite"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@pytest.fixture
def mine(store: Store) -> str:
    """A run of this user's, without code."""
    with store.start_run("mine") as run:
        run.log_metrics({"loss": 1.0})
    return "mine"


@pytest.fixture
def ran(tmp_path: Path) -> Callable[[], list[str]]:
    """Tells which of the programs of `settings` ran since it was last asked."""

    def names() -> list[str]:
        found = sorted(tmp_path.glob("RAN-*"))
        for path in found:
            path.unlink()
        return [path.name.removeprefix("RAN-") for path in found]

    return names


def settings(place: Path) -> str:
    """Return settings of git that name a program at each place where git would run one."""

    def touch(name: str, then: str = "cat") -> str:
        return f'"touch {place}/RAN-{name}; {then}"'

    return f"""
[filter "evil"]
    clean = {touch("clean")}
    smudge = {touch("smudge")}
    required = true
[filter "process"]
    process = {touch("process", "false")}
[diff "evil"]
    textconv = {touch("textconv", "cat")}
    command = {touch("driver")}
[diff]
    external = {touch("external")}
[merge "evil"]
    driver = {touch("merge")}
[core]
    fsmonitor = {touch("fsmonitor", "false")}
    hooksPath = {place}/hooks
    pager = {touch("pager")}
    editor = {touch("editor")}
    sshCommand = {touch("ssh")}
    alternateRefsCommand = {touch("alternates")}
[alias]
    status = {touch("alias").replace('"', '"!', 1)}
[gpg]
    program = {touch("gpg")}
[log]
    showSignature = true
[credential]
    helper = {touch("credential").replace('"', '"!', 1)}
[hook "evil"]
    event = post-index-change
    event = reference-transaction
    command = {touch("named-hook")}
"""


def hooks(place: Path) -> None:
    place.mkdir(exist_ok=True)
    for name in HOOKS.split():
        (place / name).write_text(f"#!/bin/sh\ntouch {place.parent}/RAN-hook-{name}\n")
        (place / name).chmod(0o755)


def prepare(folder: Path) -> None:
    """Make a repository with files that pass filters, each changed since its commit."""
    folder.mkdir()
    git(folder, "init")
    (folder / ".gitattributes").write_text("*.dat filter=evil diff=evil merge=evil\n*.bin filter=process\n")
    for name in ("train.py", "a.dat", "b.bin", "c.txt"):
        (folder / name).write_text(SCRIPT if name == "train.py" else "first\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    for name in ("a.dat", "b.bin", "c.txt"):
        (folder / name).write_text("other\n")


def look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call every command that looks at the folder or at its repository."""
    monkeypatch.chdir(folder)
    for words in ("diff mine .", "diff mine . --full --json", "doctor", "ls", "show mine", "lineage mine"):
        assert runlore(*words.split()).exit_code == 0, words


def test_no_program_that_a_cloned_folder_names_is_run(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[[], list[str]]
) -> None:
    """A bare repository within the clone had settings of its own, and its filters ran."""
    theirs = tmp_path / "theirs"
    prepare(theirs)
    (theirs / ".git" / "HEAD").rename(theirs / "HEAD")
    for path in list((theirs / ".git").iterdir()):
        path.rename(theirs / path.name)
    (theirs / ".git").rmdir()
    with (theirs / "config").open("a") as file:
        file.write(f"[core]\n\tworktree = .\n{settings(tmp_path)}")
    outer = tmp_path / "outer"
    outer.mkdir()
    theirs.rename(outer / "example")
    git(outer, "init")
    subprocess.run(["git", "diff"], cwd=outer / "example", check=False, capture_output=True)
    assert "clean" in ran()  # git itself runs them
    look(outer / "example", monkeypatch)
    assert ran() == []


@pytest.mark.parametrize("where", ["config", "include", "attributes", "worktree", "global"])
def test_no_program_that_an_unpacked_repository_names_is_run(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[[], list[str]], where: str
) -> None:
    folder = tmp_path / "unpacked"
    prepare(folder)
    hooks(tmp_path / "hooks")
    hooks(folder / ".git" / "hooks")
    if where == "include":
        (tmp_path / "more").write_text(settings(tmp_path))
        text = f"[include]\n\tpath = {tmp_path}/more\n"
    else:
        text = settings(tmp_path)
    if where == "attributes":
        macro = "[attr]odd filter=evil diff=evil\n* odd\n* filter=evil\n"
        (folder / ".git" / "info" / "attributes").write_text(macro)
    if where == "worktree":  # what the repository calls its files lies elsewhere
        text += f"[core]\n\tworktree = {tmp_path}\n"
    if where == "global":  # the user's own filters, that foreign attributes name
        (tmp_path / "own").write_text(settings(tmp_path))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "own"))
    else:
        with (folder / ".git" / "config").open("a") as file:
            file.write(text)
    if where != "worktree":
        subprocess.run(["git", "diff"], cwd=folder, check=False, capture_output=True)
        assert ran()
        (folder / "a.dat").write_text("again\n")
    look(folder, monkeypatch)
    assert ran() == []
    notes = " ".join(document("diff", "mine", ".", "--json")["notes"])
    if where != "worktree":
        assert "a.dat passes the filter 'evil', which is not run: its bytes are compared as they are" in notes


def test_no_program_that_a_submodule_names_is_run(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[[], list[str]]
) -> None:
    prepare(tmp_path / "inner")
    (tmp_path / "inner" / "a.dat").write_text("first\n")
    folder = tmp_path / "outer"
    folder.mkdir()
    git(folder, "init")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "add", str(tmp_path / "inner"), "sub")
    git(folder, "commit", "-m", "first")
    with (folder / ".git" / "modules" / "sub" / "config").open("a") as file:
        file.write(settings(tmp_path))
    (folder / "sub" / "a.dat").write_text("other\n")
    (folder / "sub" / "train.py").write_text(f"# changed\n{SCRIPT}")
    subprocess.run(["git", "diff"], cwd=folder, check=False, capture_output=True)
    assert "clean" in ran()
    look(folder, monkeypatch)
    assert ran() == []
    changes = document("diff", "mine", ".", "--json")["changes"]
    assert any(item["key"] == "sub/train.py" for item in changes)


def test_no_program_is_run_for_the_code_of_two_runs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[[], list[str]]
) -> None:
    folder = tmp_path / "unpacked"
    prepare(folder)
    monkeypatch.chdir(folder)
    for name in ("first", "second"):
        (folder / "train.py").write_text(SCRIPT.replace("theirs", name))
        subprocess.run([sys.executable, "train.py"], check=True, capture_output=True)
    hooks(folder / ".git" / "hooks")
    with (folder / ".git" / "config").open("a") as file:
        file.write(settings(tmp_path))
    changes = document("diff", "first", "second", "--json")["changes"]
    assert [item["key"] for item in changes if item["group"] == "code"] == ["train.py"]
    assert runlore("reproduce", "first", "--here", "--dry-run").exit_code == 0
    assert runlore("restore", "first", "--all", "--to", str(tmp_path / "out")).exit_code == 0
    assert ran() == []


def test_a_working_tree_is_told_as_its_run_recorded_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends of lines and files of Git LFS are what git made of them; no filter has to run for that."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init")
    content = b"\0weights" * 300_000
    pointer = POINTER.format(hashlib.sha256(content).hexdigest(), len(content))
    (folder / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (folder / "run.bat").write_bytes(b"echo 1\r\n")
    (folder / "w.bin").write_text(pointer)
    (folder / "train.py").write_text(SCRIPT)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    (folder / ".gitattributes").write_text("*.bat text eol=crlf\n*.bin filter=lfs\n")
    git(folder, "commit", "-am", "with attributes")
    monkeypatch.chdir(folder)
    subprocess.run([sys.executable, "train.py"], check=True, capture_output=True)
    (folder / "w.bin").write_bytes(content)  # as git lfs checks it out
    (folder / "run.bat").touch()
    assert git(folder, "status", "--porcelain").split() == ["M", "w.bin"]
    found = document("diff", "theirs", ".", "--json")
    assert [item for item in found["changes"] if item["group"] == "code"] == []
    (folder / "w.bin").write_bytes(content[::-1])
    found = document("diff", "theirs", ".", "--json")
    assert any("w.bin passes the filter 'lfs', which is not run" in note for note in found["notes"])


@pytest.mark.parametrize("state", ["empty", "branch", "detached", "split", "linked", "shallow", "sha256"])
def test_a_repository_is_read_as_git_reads_it(tmp_path: Path, state: str) -> None:
    form = state if state == "sha256" else "sha1"
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", f"--object-format={form}")
    git(folder, "config", "remote.origin.url", 'https://example.org/a "b"\\c')
    if state != "empty":
        for text in ("1\n", "2\n"):
            (folder / "train.py").write_text(text)
            git(folder, "add", ".")
            git(folder, "commit", "-m", text)
    if state == "detached":
        git(folder, "checkout", "--detach", "HEAD~1")
    elif state == "split":
        git(folder, "update-index", "--split-index")
    elif state == "linked":
        git(folder, "worktree", "add", "-b", "feature/x", str(tmp_path / "tree"))
        folder = tmp_path / "tree"
    elif state == "shallow":
        git(tmp_path, "clone", "--depth=1", f"file://{folder}", "clone")
        folder = tmp_path / "clone"
    (folder / "train.py").write_text("3\n")
    (folder / "néw.py").touch()
    asked, status = Git(folder, 60), Git(folder, 60).status()
    before = {str(path): path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
    with reading(folder, 60) as read:
        assert read.status() == status
        for words in ("rev-parse --show-toplevel", "rev-parse --verify HEAD", "config --get remote.origin.url"):
            assert read.text(*words.split()) == asked.text(*words.split())
        assert read.text("rev-list", "HEAD") == asked.text("rev-list", "HEAD")
    assert {str(path): path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))} == before


def test_a_folder_without_a_repository_is_asked_nothing(tmp_path: Path) -> None:
    with reading(tmp_path, 60) as read:
        assert read.status() is None
        assert read.text("rev-parse", "--show-toplevel") is None
