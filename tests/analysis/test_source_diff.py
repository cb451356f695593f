"""The code of two runs, compared file by file."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.analysis.comparison import compare
from runlore.analysis.source_diff import FileChange, compare_code
from runlore.plugins.code import SNAPSHOT
from runlore.provenance.source import Code
from runlore.recording.companions import capture_afresh
from tests.commands import runlore
from tests.git import git
from tests.process import Process

Python = Callable[..., Process]


def test_the_code_is_compared_by_a_real_unified_diff(store: Store, repository: Path) -> None:
    store.start_run("a").finish()
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "new.py").write_text("extra = 1\n")
    capture_afresh()
    store.start_run("b").finish()
    found = compare(store.run("a"), store.run("b"))
    code = {change.key: change for change in found.changes if change.group == "code"}
    assert set(code) == {"train.py", "new.py"}
    assert "-lr = 1\n+lr = 2\n" in str(code["train.py"].diff)
    assert (code["new.py"].a, "+extra = 1" in str(code["new.py"].diff)) == (None, True)
    assert found.notes == ()


def test_sources_that_are_no_utf_8_differ_where_they_do(store: Store, repository: Path) -> None:
    """Two such bytes looked alike once, and the change was taken for one of masked secrets."""
    (repository / "train.py").write_bytes(b"# coding: latin-1\nname = 'K\xf6ln'\n")
    store.start_run("a").finish()
    (repository / "train.py").write_bytes(b"# coding: latin-1\nname = 'K\xfcln'\n")
    capture_afresh()
    store.start_run("b").finish()
    (change,) = [change for change in compare(store.run("a"), store.run("b")).changes if change.group == "code"]
    assert "-name = 'K\\xf6ln'\n+name = 'K\\xfcln'\n" in str(change.diff)
    assert "K\\xfcln" in runlore("diff", "a", "b").output
    assert json.loads(runlore("diff", "a", "b", "--json").stdout)["changes"][0]["diff"] == change.diff


def test_committed_and_uncommitted_changes_are_seen_through(store: Store, repository: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    store.start_run("a").finish()
    git(repository, "commit", "-am", "second")
    capture_afresh()
    store.start_run("b").finish()
    code = {change.key for change in compare(store.run("a"), store.run("b")).changes if change.group == "code"}
    assert code == {"git.commit"}, "the same code, once uncommitted and once committed"
    before = git(repository, "status", "--porcelain"), git(repository, "count-objects")
    (repository / "train.py").write_text("lr = 3\n")
    git(repository, "commit", "-am", "third")
    capture_afresh()
    store.start_run("c").finish()
    found = compare(store.run("a"), store.run("c"))
    diffs = [str(change.diff) for change in found.changes if change.diff]
    assert ["-lr = 2\n+lr = 3\n" in diff for diff in diffs] == [True]
    assert git(repository, "status", "--porcelain") == before[0]


def test_comparing_leaves_nothing_in_the_repository(store: Store, repository: Path) -> None:
    store.start_run("a").finish()
    (repository / "train.py").write_text("lr = 5\n")
    capture_afresh()
    store.start_run("b").finish()
    before = sorted(path for path in (repository / ".git").rglob("*"))
    assert compare(store.run("a"), store.run("b"))
    assert sorted(path for path in (repository / ".git").rglob("*")) == before


def test_without_the_repository_the_patches_are_compared_and_a_note_says_so(
    store: Store, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rate in (("a", 2), ("b", 3)):
        (repository / "train.py").write_text(f"lr = {rate}\n")
        capture_afresh()
        store.start_run(name).finish()
    monkeypatch.chdir(tmp_path)
    repository.rename(tmp_path / "moved")
    found = compare(store.run("a"), store.run("b"))
    (change,) = [change for change in found.changes if change.group == "code"]
    assert change.key == "uncommitted.patch"
    assert "-+lr = 2\n++lr = 3\n" in str(change.diff)
    assert "is not here" in found.notes[0]


def test_snapshots_are_compared_where_there_is_no_git(store: Store, tmp_path: Path, python: Python) -> None:
    script = tmp_path / "train.py"
    for name, rate in (("a", 1), ("b", 2)):
        script.write_text(f"import runlore\nlr = {rate}\nrunlore.start_run({name!r}).finish()\n")
        python("import subprocess, sys; subprocess.run([sys.executable, 'train.py'], check=True)").succeed()
    found = compare(store.run("a"), store.run("b"))
    (change,) = [change for change in found.changes if change.group == "code"]
    assert change.key == "train.py"
    assert "-lr = 1\n" in str(change.diff)


def test_a_snapshot_is_compared_with_the_files_that_are_there_now(store: Store, tmp_path: Path, python: Python) -> None:
    script = tmp_path / "train.py"
    script.write_text("import runlore\nrunlore.start_run('a').finish()\n")
    python("import subprocess, sys; subprocess.run([sys.executable, 'train.py'], check=True)").succeed()
    script.write_text("import runlore\nlr = 2\nrunlore.start_run('a').finish()\n")
    found = json.loads(runlore("diff", "a", ".", "--json").stdout)
    (change,) = [change for change in found["changes"] if change["group"] == "code"]
    assert (change["key"], "+lr = 2" in change["diff"]) == ("train.py", True)


def test_a_renamed_file_is_told_as_one(store: Store, repository: Path) -> None:
    (repository / "train.py").write_text("".join(f"line_{number} = {number}\n" for number in range(20)))
    git(repository, "commit", "-am", "longer")
    store.start_run("a").finish()
    git(repository, "mv", "train.py", "fit.py")
    (repository / "fit.py").write_text((repository / "fit.py").read_text().replace("line_3 = 3", "line_3 = 4"))
    capture_afresh()
    store.start_run("b").finish()
    (change,) = [change for change in compare(store.run("a"), store.run("b")).changes if change.diff]
    assert change.key == "train.py → fit.py"
    assert "-line_3 = 3\n+line_3 = 4" in str(change.diff)
    stat = runlore("diff", "a", "b", "--stat").stdout
    assert "train.py → fit.py" in stat
    assert "+1" in stat


def test_no_hook_of_the_repository_runs_when_runs_are_compared(store: Store, repository: Path) -> None:
    store.start_run("a").finish()
    (repository / "train.py").write_text("lr = 5\n")
    capture_afresh()
    store.start_run("b").finish()
    for name in ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman"):
        hook = repository / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {repository.parent / 'hooked'}\n")
        hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(repository / ".git" / "hooks" / "fsmonitor-watchman"))
    git(repository, "config", "diff.external", f"touch {repository.parent / 'hooked'}")
    assert compare(store.run("a"), store.run("b")).changes
    runlore("diff", "a", ".")
    assert not (repository.parent / "hooked").exists()


def test_a_changed_type_is_shown_under_its_own_name(store: Store, repository: Path) -> None:
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
    repository: Path,
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


def test_a_difference_that_cannot_be_known_is_told(store: Store, repository: Path) -> None:
    """Code whose content is gone was once compared as if it were empty."""
    for name in "ab":
        (repository / "train.py").write_text(f"lr = '{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    shutil.rmtree(store.root / "blobs")
    found = compare(store.run("a"), store.run("b"))
    assert any("is not in the store any more" in note for note in found.notes)
    assert any("packages" in note for note in found.notes)


def test_long_lines_of_code_are_not_cut(store: Store, repository: Path) -> None:
    """The change may be at the end of the line."""
    for name in "ab":
        (repository / "train.py").write_text(f"x = '{'long ' * 60}{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    printed = runlore("diff", "a", "b").output
    assert "long a'" in printed
    assert "long b'" in printed


# Files of rows


def test_the_rows_of_a_data_file_are_counted_before_its_lines(store: Store, repository: Path) -> None:
    rows = [f"{number},text {number},{number % 3}\n" for number in range(0, 2800, 2)]
    table, words = repository / "train.csv", repository / "words.txt"
    table.write_text("id,text,label\n" + "".join(rows))
    words.write_text("".join(f"word{number}\n" for number in range(40)))
    git(repository, "add", ".")
    git(repository, "commit", "-m", "data")
    capture_afresh()
    store.start_run("a").finish()
    table.write_text("id,text,label\n" + "".join(rows[200:]))
    words.write_text("".join(f"word{number}\n" for number in reversed(range(40))))
    capture_afresh()
    store.start_run("b").finish()
    lines = runlore("diff", "a", "b").stdout.splitlines()
    told = next(place for place, line in enumerate(lines) if "rows removed" in line)
    assert lines[told].strip() == "train.csv: 200 of 1,400 rows removed, none changed"
    assert lines[told + 1].strip().startswith("diff --git")
    assert "  words.txt: the same 40 rows in another order" in lines
    assert "200 of 1,400 rows removed, none changed" in runlore("diff", "a", "b", "--stat").stdout
    changes = {change["key"]: change for change in json.loads(runlore("diff", "a", "b", "--json").stdout)["changes"]}
    assert changes["train.csv"]["rows"] == {
        "text": "200 of 1,400 rows removed, none changed", "before": 1400, "after": 1200, "removed": 200, "added": 0,
        "changed": 0, "reordered": False,
    }  # fmt: skip


def test_a_line_that_only_moved_is_a_difference(store: Store, repository: Path) -> None:
    """It was taken for a masked secret, as the diff removes the same line as it adds."""
    lines = [f"{number},{number % 7}\n" for number in range(100)]
    (repository / "data.csv").write_text("".join(lines))
    git(repository, "add", ".")
    git(repository, "commit", "-m", "data")
    capture_afresh()
    store.start_run("a").finish()
    (repository / "data.csv").write_text("".join([*lines[:10], *lines[11:80], lines[10], *lines[80:]]))
    capture_afresh()
    store.start_run("b").finish()
    (change,) = [change for change in compare(store.run("a"), store.run("b")).changes if change.group == "code"]
    assert (change.key, change.rows and change.rows.text) == ("data.csv", "the same 100 rows in another order")


def test_data_that_lies_in_no_repository_is_compared_by_rows_too() -> None:
    states = ["".join(f"word{number}\n" for number in range(begin, 40)) for begin in (0, 9)]
    codes = [Code("x", None, None, {SNAPSHOT: {"words.txt": state.encode()}}) for state in states]
    (change,) = compare_code(*codes).changes
    assert change.rows is not None
    assert change.rows.text == "9 of 40 rows removed, none changed"


def test_lines_that_are_all_alike_are_compared_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 kB they took seconds, of 300 kB they would have taken an hour."""
    monkeypatch.setattr("runlore.analysis.source_diff.MAX_STEPS", 100_000)

    def changes(count: int, *, files: int = 1) -> list[FileChange]:
        texts = [("a", "".join(f"{line % 150}\n" for line in range(count)))]
        texts.append(("b", "".join(f"{line * 7 % 150}\n" for line in range(count))))
        sides = [{f"{name if files > 1 else 'x'}{n}.py": text.encode() for n in range(files)} for name, text in texts]
        return compare_code(*(Code("c", None, None, {SNAPSHOT: side}) for side in sides)).changes

    assert [change.diff is None for change in changes(200)] == [False]
    assert [change.diff for change in changes(9_000)] == [None]
    assert len(changes(100, files=30)) == 60  # which were renamed is not asked of all pairs


def test_every_line_of_a_large_honest_file_is_compared() -> None:
    """A fifth of its lines is like others, and a tenth was changed."""
    luck = random.Random(1)
    common = ["\n", "    return None\n", "        else:\n", "    )\n"]
    lines = [luck.choice(common) if luck.random() < 0.2 else f"    x{n} = {n}\n" for n in range(20_000)]
    changed = set(luck.sample(range(len(lines)), 2_000))
    other = [f"    y{n}()\n" if n in changed else line for n, line in enumerate(lines)]
    sides = [{"train.py": "".join(side).encode()} for side in (lines, other)]
    (change,) = compare_code(*(Code("c", None, None, {SNAPSHOT: side}) for side in sides)).changes
    assert change.diff is not None
    assert change.diff.count("\n+    y") == 2_000
