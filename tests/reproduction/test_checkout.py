"""The code of a run is written byte for byte, from git's objects, and git executes nothing."""

import json
import os
from pathlib import Path

import pytest

from runlore import Store
from runlore.provenance.source import Code
from runlore.reproduction.checkout import write_code
from runlore.reproduction.reproduce import prepare
from tests.commands import document
from tests.git import git
from tests.reproduction.projects import everything, kept_code, reproduce, train


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
    """The settings in a .git folder can name programs that git executes."""
    with store.start_run("first") as run:
        run.run_log.event(
            {"type": "artifact", **kept_code(store, {".git/config": b"[core]\n", "sub/.GIT/x": b"", "a.py": b"1\n"})}
        )
    plan = prepare(store.run("first"), tmp_path / "again", here=True)
    told = [item.what for item in plan.problems if item.part == "code"]
    assert sum("lies in git's own folder" in what for what in told) == 2
    assert [path.name for path in (tmp_path / "again").rglob("*") if path.is_file()] == ["a.py"]


def test_no_filter_of_the_repository_runs_for_a_plan(store: Store, project: Path, tmp_path: Path) -> None:
    """A plan only reads: git must not execute the filters that the repository's settings name."""
    (project / ".gitattributes").write_text("*.py filter=evil\n")
    git(project, "add", ".gitattributes")
    git(project, "commit", "-m", "attributes")
    train(project)
    git(project, "config", "filter.evil.clean", f"touch {tmp_path}/hacked; cat")
    os.utime(project / "train.py")
    assert reproduce("--dry-run").exit_code == 0
    assert not (tmp_path / "hacked").exists()


def test_nothing_is_fetched_for_what_a_repository_lacks(store: Store, project: Path, tmp_path: Path) -> None:
    """Once, git fetched an object that a partial clone lacks, by any program that its settings name."""
    script = tmp_path / "fetch.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    script.chmod(0o755)
    train(project)
    for setting in (
        "core.repositoryFormatVersion=1", "extensions.partialClone=origin", "remote.origin.promisor=true",
        f"remote.origin.url=ext::{script}", "protocol.ext.allow=always",
    ):  # fmt: skip
        git(project, "config", *setting.split("=", 1))
    commit = git(project, "rev-parse", "HEAD").strip()
    (project / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    assert reproduce("--dry-run").exit_code == 0
    assert not (tmp_path / "hacked").exists()


def written(folder: Path, target: Path) -> list[str]:
    commit = git(folder, "rev-parse", "HEAD").strip()
    return write_code(Code("a", commit, str(folder)), target, "main", None)[1]


def test_names_of_any_kind_are_written(tmp_path: Path) -> None:
    """Once, names with a backslash or a colon were refused, and so was a repository with a colon in its path."""
    folder = tmp_path / "re:po"
    folder.mkdir()
    git(folder, "init")
    names = ["back\\slash.py", "new\nline.py", "ümlaut \"quoted\" 'x'.py", os.fsdecode(b"latin\xe9.py"), "C:drive.py"]
    for name in names:
        (folder / name).write_text(repr(name))
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    target = tmp_path / "target"
    target.mkdir()
    assert written(folder, target) == []
    assert {path.name for path in target.iterdir()} == {*names, ".git"}
    assert git(target, "status", "--porcelain") == ""


def test_links_cannot_lead_out_together(tmp_path: Path) -> None:
    """Once, each link was checked alone, and one led out of the folder through another."""
    folder = tmp_path / "repo"
    (folder / "deep" / "er").mkdir(parents=True)
    git(folder, "init")
    (folder / "a").symlink_to("deep/er")
    (folder / "deep" / "er" / "b").symlink_to("../../..")
    (folder / "deep" / "er" / "c").symlink_to("../../x")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    target = tmp_path / "target"
    target.mkdir()
    (problem,) = written(folder, target)
    assert "'deep/er/b' is a link that leads out of the repository" in problem


def test_sha256_and_shallow_repositories_are_written(tmp_path: Path) -> None:
    """Once, the new repository was neither told of SHA-256 nor that its history is cut off."""
    folder = tmp_path / "sha256"
    folder.mkdir()
    git(folder, "init", "--object-format=sha256")
    for number in range(3):
        (folder / "a.py").write_text(f"{number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-m", str(number))
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", folder.as_uri(), str(shallow))
    for place in (folder, shallow):
        target = tmp_path / f"{place.name}-target"
        target.mkdir()
        assert written(place, target) == []
        assert (target / "a.py").read_text() == "2\n"
        assert len(git(target, "log", "--oneline").splitlines()) == (1 if place == shallow else 3)
        assert git(target, "status", "--porcelain") == ""


def test_an_object_that_is_gone_is_told(tmp_path: Path) -> None:
    """Once, the size "BAD", which git tells of a lost object, ended the command in a traceback."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init")
    for name in ("a.py", "b.py"):
        (folder / name).write_text(name)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    blob = git(folder, "rev-parse", "HEAD:a.py").strip()
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    target = tmp_path / "target"
    target.mkdir()
    problems = written(folder, target)
    assert "'a.py' is not among git's objects any more" in problems
    assert (target / "b.py").read_text() == "b.py"
