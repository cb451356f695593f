"""Attacks on hooks, captures, data, housekeeping and comparison that once lost, leaked or broke something."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from runlore import RunloreWarning, Store
from runlore.analysis.comparison import compare
from runlore.guest.additions import Additions
from runlore.maintenance import garbage as maintenance_garbage
from runlore.maintenance import removal
from runlore.plugins.data import runlore_describe_data
from runlore.recording.companions import capture_afresh
from tests.commands import runlore
from tests.distributions import plugin
from tests.git import git
from tests.maintenance.files import age
from tests.plugins.test_code import files, repository, withheld  # noqa: F401  # a fixture
from tests.process import Process

Python = Callable[..., Process]


def fingerprint(data: Any) -> Any:
    found = runlore_describe_data(data)
    return found and found.fingerprint


def changed_inside(make: Callable[[Any], Any]) -> bool:
    """Whether a change in the middle of an array inside some data changes the fingerprint."""
    array = np.arange(3000.0)
    before = fingerprint(make(array.copy()))
    assert before == fingerprint(make(array.copy()))
    array[1500] += 1e-9
    return bool(before != fingerprint(make(array)))


@pytest.mark.parametrize(
    "make",
    [
        lambda array: pd.DataFrame({"e": [array, array]}),
        lambda array: np.array([array, "x"], dtype=object),
        lambda array: [array, array[:5]],
        lambda array: [pd.Series(array), {"deep": [array]}],
        lambda array: pl.DataFrame({"o": pl.Series([array], dtype=pl.Object)}),
        lambda array: [pl.Series(array)],
    ],
)
def test_one_cell_counts_wherever_it_stands(make: Callable[[Any], Any]) -> None:
    assert changed_inside(make)


def test_masks_large_numbers_and_unused_bytes_are_told_apart() -> None:
    data, mask = np.zeros(3), np.array([True, False, False])
    assert fingerprint(np.ma.array(data, mask=mask)) != fingerprint(np.ma.array(data, mask=~mask))
    assert fingerprint([-1, 2**63]) != fingerprint([-1, 2**63 + 2])
    assert fingerprint([0.5, 2**53]) != fingerprint([0.5, 2**53 + 1])
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    padded = [np.frombuffer(fill * kind.itemsize * 2, kind).copy() for fill in (b"\0", b"\xff")]
    for array in padded:
        array["a"], array["b"] = [1, 2], [0.5, 1.5]
    assert fingerprint(padded[0]) == fingerprint(padded[1])


def test_wide_nested_and_endless_data_is_described_in_time() -> None:
    wide = runlore_describe_data(pd.DataFrame(np.zeros((20, 20_000))))
    assert wide is not None
    assert wide.shape == (20, 20_000)
    endless: list[Any] = []
    endless.append(endless)
    assert fingerprint(endless)
    assert fingerprint(pd.DataFrame({"a": pd.array([[1.0, 2.0], [3.0]], dtype=object)}))


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        ("runlore_rewrite_event(event)", "return True"),
        ("runlore_rewrite_event(event)", "return {'values': {}}"),
        ("runlore_rewrite_event(event)", "import sys; sys.exit(3)"),
        ("runlore_rewrite_file(file)", "return 'x'"),
        ("runlore_describe_data(data)", "return {'shape': 1}"),
        ("runlore_describe_data(data)", "import sys; sys.exit(3)"),
        ("runlore_capture_environment(request)", "return {'slurm': None}"),
        ("runlore_capture_environment(request)", "import sys; sys.exit(3)"),
        ("runlore_capture_files(request)", "yield 3\n    raise FileNotFoundError('gone')"),
        ("runlore_points_logged(run, points)", "import sys; sys.exit(3)"),
    ],
)
def test_what_a_plugin_returns_or_exits_with_costs_only_itself(
    store: Store, tmp_path: Path, python: Python, hook: str, body: str
) -> None:
    code = f"from runlore import hookimpl\n@hookimpl\ndef {hook}:\n    {body}\n"
    process = python(
        """
        import runlore
        with runlore.start_run("x") as run:
            run.log_metrics({"a": 1.0})
            run.log_data("d", [1, 2])
            run.run_log.keep_bytes(b"x", name="x")
        print("trained")
        """,
        PYTHONPATH=plugin(tmp_path, "zz_evil", code),  # asked first, and last in every chain
    )
    assert process.succeed() == "trained\n"
    (run,) = store.runs()
    assert (run.status, run.metrics["a"].last) == ("finished", 1.0)
    if "rewrite_event" not in hook:
        assert run.environment["packages"]["pluggy"]
        assert {"source"} <= {item.name for item in run.artifacts} or "capture_files" not in hook
        assert any("evil" in item["what"] + item["why"] for item in run.missing)


@pytest.mark.parametrize("code", ["import sys; sys.exit('usage')", "import runlore; runlore.autolog()"])
def test_a_plugin_that_exits_or_calls_us_when_it_is_loaded(
    store: Store, tmp_path: Path, python: Python, code: str
) -> None:
    python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=plugin(tmp_path, "evil", code)).succeed()
    assert store.run("x").status == "finished"


def test_names_of_metrics_and_of_runs_are_masked_for_everybody(store: Store, tmp_path: Path, python: Python) -> None:
    token = "ghp_" + "b" * 30
    python(
        f"""
        import runlore
        with runlore.start_run("run {token}") as run:
            for step in range(3):
                run.log_metrics({{"{token}": 1.0, "loss": 2.0}})
            run.log_metrics({{"loss": 3.0}})
        """,
        RUNLORE_CSV=str(tmp_path / "csv"),
    ).succeed()
    places = [path for root in (store.root, tmp_path / "csv") for path in root.rglob("*")]
    assert not [
        path for path in places if token in path.name or (path.is_file() and token.encode() in path.read_bytes())
    ]
    (run,) = store.runs()
    assert set(run.metrics) == {"[masked]", "loss"}
    assert run.metrics["loss"].count == 4


# Git


def test_variables_of_git_do_not_lead_astray(
    repository: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    (repository / "train.py").write_text("lr = 2\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    assert b"+lr = 2" in files()["uncommitted.patch"]


def test_patches_of_binary_files_and_odd_settings_apply(repository: Path, tmp_path: Path) -> None:  # noqa: F811
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
    (repository / "data.csv").write_bytes(b"1,2\n" * 1_000_000)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "data")
    (repository / "data.csv").write_bytes(b"3,4\n" * 1_000_000)
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "secret_model.py").write_text("x = 1\n")
    assert b"+lr = 2" in files()["uncommitted.patch"]
    assert set(withheld()) == {"data.csv", "secret_model.py"}


def test_a_changed_type_is_shown_under_its_own_name(store: Store, repository: Path) -> None:  # noqa: F811
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
    for name in "ab":
        (repository / "train.py").write_text(f"lr = '{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    shutil.rmtree(store.root / "blobs")
    found = compare(store.run("a"), store.run("b"))
    assert any("is not in the store any more" in note for note in found.notes)
    assert any("packages" in note for note in found.notes)


def test_long_lines_of_code_are_not_cut(store: Store, repository: Path) -> None:  # noqa: F811
    for name in "ab":
        (repository / "train.py").write_text(f"x = '{'long ' * 60}{name}'\n")
        capture_afresh()
        store.start_run(name).finish()
    printed = runlore("diff", "a", "b").output
    assert "long a'" in printed
    assert "long b'" in printed


# Output


def test_two_runs_that_overlap_both_keep_what_is_printed(store: Store, python: Python) -> None:
    python(
        """
        import sys, runlore
        a = runlore.start_run("a"); print("A1")
        b = runlore.start_run("b"); print("B1")
        b.finish(); print("A2"); a.finish()
        c = runlore.start_run("c"); d = runlore.start_run("d")
        c.finish(); print("D1"); d.finish()
        assert "write" not in vars(sys.stdout)
        """,
        RUNLORE_OUTPUT="1",
    ).succeed()
    kept = {run.name: run.artifact("output.log").read_bytes().decode() for run in store.runs()}
    assert kept == {"a": "A1\nB1\nA2\n", "b": "B1\n", "c": "", "d": "D1\n"}


def test_streams_of_any_kind_print_as_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class Stream:
        __hash__ = None  # type: ignore[assignment]

        def write(self, text: str, flush: bool = False) -> int:
            written.append(text)
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    monkeypatch.setattr(sys, "stdout", Stream())
    with store.start_run("x"):
        sys.stdout.write("a", flush=True)  # type: ignore[call-arg]
        print("b")
    assert "".join(written) == "ab\n"
    assert store.run("x").artifact("output.log").read_bytes() == b"ab\n"


def test_without_threads_a_run_is_recorded_and_says_what_it_lacks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture_afresh()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with store.start_run("x") as run:
        run.log_metrics({"a": 1.0})
    monkeypatch.undo()
    capture_afresh()
    assert store.run("x").metrics["a"].last == 1.0
    assert {"environment", "code"} <= {item["what"] for item in store.run("x").missing}


def test_another_global_generator_of_numpy_warns_nobody(store: Store, python: Python) -> None:
    process = python("""
        import warnings
        import numpy as np
        np.random.set_bit_generator(np.random.PCG64(1))
        warnings.simplefilter("error")
        import runlore
        runlore.start_run("x").finish()
    """)
    process.succeed()
    assert "numpy_state" not in store.run("x").environment["seeds"]


# Housekeeping


def test_gc_removes_nothing_that_it_did_not_list(store: Store) -> None:
    for name in "ab":
        with store.start_run(name) as run:
            run.run_log.keep_bytes(name.encode() * 50, name="m")
    garbage = maintenance_garbage.find_garbage(store)
    removal.remove(store, [store.run("b")])
    maintenance_garbage.collect(store, garbage)
    assert len(removal.undo(store)) == 1
    removal.remove(store, [store.run("b")])
    age(store.root)
    garbage = maintenance_garbage.find_garbage(store)
    removal.undo(store)
    maintenance_garbage.collect(store, garbage)
    assert store.run("b").artifact("m").read_bytes() == b"b" * 50


def test_nothing_is_added_to_a_run_that_was_removed(store: Store) -> None:
    run = store.start_run("x")
    run.finish()
    removal.remove(store, [store.run("x")])
    with pytest.warns(RunloreWarning, match="not in .* any more"):
        Additions(run).metrics({"late": 1.0})
    assert len(store.runs()) == 0


def test_a_store_that_was_deleted_gets_its_captures_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    store.start_run("a").finish()
    shutil.rmtree(store.root)
    store.start_run("b").finish()
    run = store.run("b")
    assert run.environment["packages"]["pluggy"]


# What newcomers met


def test_listing_none_and_wrong_words_are_answered_in_a_line(store: Store) -> None:
    with store.start_run("wise-koala"):
        pass
    assert runlore("ls", "-n", "0").exit_code == 0
    assert "did you mean 'wise-koala'" in runlore("show", "wise-kola").output
    assert runlore("rm", "wise-koala", "--where", "params.x == 1").exit_code == 2


def test_a_store_setting_that_is_a_url_is_understood_or_refused(store: Store, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runlore", "ls", "--json"]
    for place, status in ((f"file://{store.root}", 0), ("s3://bucket/x", 1)):
        environment = {**os.environ, "RUNLORE_STORE": place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == status, done.stderr
    assert not list(tmp_path.glob("s3*"))


def test_values_left_out_are_told_in_the_run(store: Store) -> None:
    with pytest.warns(RunloreWarning, match="metric 'bad' is 'text', not a number"), store.start_run("x") as run:
        run.log_metrics({"ok": 1.0, "bad": "text"})
        run.log_metrics({"ok": 1.0, "bad": "text"})
    assert [item["what"] for item in store.run("x").missing] == ["metric 'bad'"]


def test_doctor_crosses_settings_that_are_wrong(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_PROGRESS", "abc")
    monkeypatch.setenv("RUNLORE_DISABLED", "clutser")
    command = [sys.executable, "-m", "runlore", "doctor", "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["settings"]["RUNLORE_PROGRESS"]["state"] == "bad"
    assert "no plugin 'clutser'" in found["settings"]["RUNLORE_DISABLED"]["text"]
