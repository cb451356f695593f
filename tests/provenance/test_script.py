"""The source of the script that a run ran, from git or from the store."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from runlore.provenance.script import MAX_BYTES, Script, script_of
from tests.commands import runlore
from tests.forged import ForgedStore
from tests.git import git
from tests.plugins.test_code import repository

__all__ = ["repository"]

SCRIPT = "import runlore\n\nrunlore.start_run('one').finish()\n"


@pytest.fixture
def project(repository: Path) -> Path:
    """A repository with a script in a folder, all of it committed."""
    (repository / "scripts").mkdir()
    (repository / "scripts" / "run.py").write_text(SCRIPT)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "a script")
    return repository


def run_script(path: Path) -> None:
    subprocess.run([sys.executable, str(path)], cwd=path.parent, check=True)


def script(store: Store) -> Script:
    found = script_of(store.run("one"))
    assert found is not None
    return found


def test_a_script_is_read_from_the_commit_that_it_ran_from(store: Store, project: Path) -> None:
    run_script(project / "scripts" / "run.py")
    commit = git(project, "rev-parse", "HEAD").strip()
    (project / "scripts" / "run.py").unlink()
    git(project, "commit", "-am", "no script any more")
    before = git(project, "count-objects"), git(project, "status", "--porcelain")
    found = script(store)
    assert (found.path, found.text, found.commit, found.changed) == ("scripts/run.py", SCRIPT, commit, False)
    assert (git(project, "count-objects"), git(project, "status", "--porcelain")) == before


def test_uncommitted_changes_belong_to_it(store: Store, project: Path) -> None:
    (project / "scripts" / "run.py").write_text(SCRIPT + "# changed\n")
    run_script(project / "scripts" / "run.py")
    git(project, "checkout", ".")
    found = script(store)
    assert (found.text, found.changed) == (SCRIPT + "# changed\n", True)


@pytest.mark.parametrize("in_git", [True, False])
def test_a_script_that_git_does_not_have_is_the_one_that_the_store_kept(
    store: Store, project: Path, tmp_path: Path, in_git: bool
) -> None:
    folder = project / "scripts" if in_git else tmp_path / "plain"
    folder.mkdir(exist_ok=True)
    (folder / "new.py").write_text(SCRIPT)
    run_script(folder / "new.py")
    shutil.rmtree(folder)
    found = script(store)
    assert (found.path, found.text, found.commit) == ("scripts/new.py" if in_git else "new.py", SCRIPT, None)


def test_nothing_that_a_repository_names_is_run(store: Store, project: Path, tmp_path: Path) -> None:
    run_script(project / "scripts" / "run.py")
    act = f"touch {tmp_path / 'acted'}; cat"
    for setting in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(project, "config", setting, act)
    (project / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    assert script(store).text == SCRIPT
    assert not (tmp_path / "acted").exists()


def test_why_it_is_not_there_is_said(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_script(project / "scripts" / "run.py")
    assert runlore("show", "one", "--source").output == SCRIPT
    monkeypatch.chdir(project.parent)
    shutil.move(project, project.with_name("moved"))
    found = script(store)
    assert found.text is None
    assert "is not here" in found.why
    shown = runlore("show", "one", "--source")
    assert (shown.exit_code, found.why in shown.output) == (1, True)
    assert json.loads(runlore("show", "one", "--source", "--json").stdout)["why"] == found.why


def test_a_repository_that_has_moved_is_found_where_the_command_is_called(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_script(project / "scripts" / "run.py")
    moved = project.with_name("moved")
    shutil.move(project, moved)
    monkeypatch.chdir(moved)
    assert script(store).text == SCRIPT


@pytest.mark.parametrize(
    ("content", "why"),
    [("x" * (MAX_BYTES + 1), f"at most {MAX_BYTES:,}"), ("a\0b", "no text"), ('password = "hunter-2000"\n', "")],
)
def test_only_texts_of_a_bounded_size_are_shown_and_secrets_are_masked(
    store: Store, project: Path, content: str, why: str
) -> None:
    run_script(project / "scripts" / "run.py")
    (project / "scripts" / "run.py").write_text(content)
    git(project, "commit", "-am", "odd")
    commit = git(project, "rev-parse", "HEAD").strip()
    run = store.run("one")
    run.environment["git"]["commit"] = commit
    found = script_of(run)
    assert found is not None
    assert (found.text is None, why in found.why) == (bool(why), True)
    assert "hunter" not in (found.text or "")


@pytest.mark.parametrize("file", ["/etc/passwd", "../../etc/passwd", "/repo/../etc/passwd", "", "a" * 5000, ":/", "-x"])
def test_a_forged_script_leads_to_no_file_outside_the_repository(tmp_path: Path, project: Path, file: str) -> None:
    forged = ForgedStore(tmp_path / "forged")
    git_state = {"root": str(project), "commit": git(project, "rev-parse", "HEAD").strip()}
    section = {"git": {"values": git_state, "sha256": "0" * 64}}
    opening = {"script": file.replace("/repo", str(project))}
    run = forged.run([{"type": "environment", "sections": section}], opening=opening)
    found = script_of(Store(forged.root).run(run))
    assert found is None if not file else found is not None and found.text is None


def test_a_name_that_no_file_can_have_is_none(tmp_path: Path, repository: Path) -> None:
    """It ended `show --source`, and the answer of the page, in an error."""
    forged = ForgedStore(tmp_path / "s")
    commit = git(repository, "rev-parse", "HEAD").strip()
    state = {"git": {"sha256": "ab" * 32, "values": {"root": str(repository), "commit": commit}}}
    run = forged.run([{"type": "environment", "sections": state}], opening={"script": f"{repository}/a\0b"})
    assert script_of(Store(forged.root).run(run)) is None
