"""Differences of code between two runs."""

import shutil
from pathlib import Path

from runlore import Store
from runlore.analysis.comparison import compare
from runlore.recording.companions import capture_afresh
from tests.commands import runlore
from tests.plugins.test_environment import git
from tests.plugins.test_code import repository  # noqa: F401  # a fixture


def test_a_changed_type_is_shown_under_its_own_name(store: Store, repository: Path) -> None:  # noqa: F811
    """git tells of a link that became a file in two parts; later files once had the parts of others."""
    (repository / "b.txt").symlink_to("train.py")
    (repository / "c.txt").write_text("z\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "link")
    store.start_run("a").finish()
    (repository / "b.txt").unlink()
    (repository / "b.txt").write_text("real\n")
    (repository / "c.txt").write_text("zz\n")
    capture_afresh()
    store.start_run("b").finish()
    code = {change.key: str(change.diff) for change in compare(store.run("a"), store.run("b")).changes if change.diff}
    assert "+zz" in code["c.txt"]
    assert "+real" in code["b.txt"]


def test_a_secret_that_was_committed_is_no_difference_and_is_not_shown(
    store: Store,
    repository: Path,  # noqa: F811
) -> None:
    """Beside a masked patch, the unmasked commit once looked like a change, and was shown."""
    (repository / "train.py").write_text('api_key = "my-plain-key-3141"\n')
    store.start_run("a").finish()
    git(repository, "commit", "-am", "with a secret")
    capture_afresh()
    store.start_run("b").finish()
    (repository / "train.py").write_text('api_key = "my-plain-key-3141"\nlr = 2\n')
    capture_afresh()
    store.start_run("c").finish()
    assert [change.key for change in compare(store.run("a"), store.run("b")).changes] == ["git.commit"]
    diffs = [str(change.diff) for change in compare(store.run("a"), store.run("c")).changes if change.diff]
    assert ["+lr = 2" in diff and "3141" not in diff for diff in diffs] == [True]


def test_a_difference_that_cannot_be_known_is_told(store: Store, repository: Path) -> None:  # noqa: F811
    """Code whose content is gone was once compared as if it were empty."""
    for name in "ab":
        (repository / "train.py").write_text(f"lr = '{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    shutil.rmtree(store.root / "blobs")
    found = compare(store.run("a"), store.run("b"))
    assert any("is not in the store any more" in note for note in found.notes)
    assert any("packages" in note for note in found.notes)


def test_long_lines_of_code_are_not_cut(store: Store, repository: Path) -> None:  # noqa: F811
    """The change may be at the end of the line."""
    for name in "ab":
        (repository / "train.py").write_text(f"x = '{'long ' * 60}{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    printed = runlore("diff", "a", "b").output
    assert "long a'" in printed
    assert "long b'" in printed
