"""The patch of uncommitted changes, whatever the repository and its settings hold."""

from pathlib import Path

import pytest

from tests.plugins.test_environment import git
from tests.plugins.test_code import files, repository, withheld  # noqa: F401  # a fixture


def test_variables_of_git_do_not_lead_astray(
    repository: Path,  # noqa: F811
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


def test_patches_of_binary_files_and_odd_settings_apply(repository: Path, tmp_path: Path) -> None:  # noqa: F811
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


def test_large_data_in_git_does_not_cost_the_code(repository: Path) -> None:  # noqa: F811
    """A changed file of data once made the whole patch too large to be kept."""
    (repository / "data.csv").write_bytes(b"1,2\n" * 1_000_000)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "data")
    (repository / "data.csv").write_bytes(b"3,4\n" * 1_000_000)
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "secret_model.py").write_text("x = 1\n")
    assert b"+lr = 2" in files()["uncommitted.patch"]
    assert set(withheld()) == {"data.csv", "secret_model.py"}
