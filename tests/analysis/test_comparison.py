"""The differences between two runs: all of them, and nothing else, likely causes first."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import Store
from runlore.analysis.comparison import compare
from runlore.plugins import row_hashes
from runlore.recording.companions import capture_afresh
from tests.commands import document, runlore
from tests.git import git
from tests.process import Process

Python = Callable[..., Process]


def changes(store: Store, group: str) -> dict[str, tuple[Any, Any]]:
    """Return the changes between the runs a and b in one group, by key."""
    found = compare(store.run("a"), store.run("b"))
    return {change.key: (change.a, change.b) for change in found.changes if change.group == group}


def test_two_equal_runs_do_not_differ(store: Store) -> None:
    for name in "ab":
        with store.start_run(name, params={"lr": 0.1, "nan": float("nan")}) as run:
            run.log_metrics({"loss": 1.0, "none": float("nan")})
            run.log_data("X", np.zeros((3, 2)))
    found = compare(store.run("a"), store.run("b"))
    assert not found
    assert (found.changes, dict(found.metrics), found.notes) == ((), {}, ())


def test_params_data_metrics_and_the_environment_are_compared(store: Store) -> None:
    for name, lr, size in (("a", 0.1, 3), ("b", 0.2, 4)):
        with store.start_run(name, params={"lr": lr, "same": 1, f"only_{name}": True}) as run:
            run.log_metrics({"loss": lr, "same": 1.0, f"m_{name}": 2.0})
            run.log_data("X", np.zeros((size, 2)))
    assert changes(store, "params") == {"lr": (0.1, 0.2), "only_a": (True, None), "only_b": (None, True)}
    data = changes(store, "data")
    assert data["X.rows"] == (3, 4)
    assert "X.fingerprint" in data
    assert "X.dtypes" not in data
    found = compare(store.run("a"), store.run("b"))
    assert dict(found.metrics) == {"loss": (0.1, 0.2), "m_a": (2.0, None), "m_b": (None, 2.0)}
    assert [change.group for change in found.changes] == sorted(
        (change.group for change in found.changes), key=["data", "params", "code", "packages", "environment"].index
    )


def test_data_that_was_only_shuffled_is_told_so(store: Store) -> None:
    rows = np.random.default_rng(0).normal(size=(1400, 3))
    for name, data in (("a", rows), ("b", rows[::-1]), ("c", rows + 1)):
        with store.start_run(name) as run:
            run.log_data("X", data)
    (change,) = compare(store.run("a"), store.run("b")).changes
    assert (change.key, change.rows and change.rows.text) == ("X.fingerprint", "the same 1,400 rows in another order")
    assert "X.fingerprint: the same 1,400 rows in another order" in runlore("diff", "a", "b").stdout
    assert document("diff", "a", "b", "--json")["changes"][0]["rows"]["reordered"] is True
    (change,) = compare(store.run("a"), store.run("c")).changes
    assert (change.key, change.rows) == ("X.fingerprint", None)


def test_a_run_without_hashes_of_rows_does_not_differ_for_that(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older runs lack them."""
    for name, limit in (("a", row_hashes.MAX_ROWS), ("b", 0)):
        monkeypatch.setattr(row_hashes, "MAX_ROWS", limit)
        with store.start_run(name) as run:
            run.log_data("X", np.ones((4, 2)))
    assert not compare(store.run("a"), store.run("b"))


def test_command_packages_and_variables_are_compared(store: Store, python: Python) -> None:
    script = "import sys, runlore; runlore.start_run(sys.argv[1]).finish()"
    python(script, "a", OMP_NUM_THREADS="1", PYTHONHASHSEED="0").succeed()
    python(script, "b", OMP_NUM_THREADS="2", PYTHONHASHSEED="0").succeed()
    assert changes(store, "command") == {"argv": (["-c", "a"], ["-c", "b"])}
    assert changes(store, "environment") == {"variables.OMP_NUM_THREADS": ("1", "2")}
    assert changes(store, "seeds") == {}
    assert changes(store, "packages") == {}
    assert changes(store, "hardware") == {}


def test_diff_prints_differences_only_and_its_json_is_what_is_documented(store: Store) -> None:
    for name, lr in (("a", 0.1), ("b", 0.2)):
        with store.start_run(name, params={"lr": lr, "same": "everywhere", "bad\x1b[31m": name}) as run:
            run.log_metrics({"loss": lr, "inf": float("inf") if name == "a" else 1.0})
    done = runlore("diff", "a", "b")
    assert done.exit_code == 0
    assert "lr" in done.stdout
    assert "everywhere" not in done.stdout
    assert "\x1b" not in done.stdout
    found = json.loads(runlore("diff", "a", "b", "--json").stdout)
    assert set(found) == {"a", "b", "changes", "metrics", "notes"}
    assert found["a"] == store.run("a").id
    assert {"group": "params", "key": "lr", "a": 0.1, "b": 0.2} in found["changes"]
    assert found["metrics"]["inf"] == {"a": "Infinity", "b": 1.0, "parts_at": 0}
    assert "do not differ" in runlore("diff", "a", "a").stdout
    assert runlore("diff", "a", "zzz").exit_code == 1


def test_programs_come_before_what_may_be_data_which_is_told_in_short(store: Store, repository: Path) -> None:
    (repository / "a-table.txt").write_text("".join(f"{number}\n" for number in range(1000)))
    os.utime(repository / "a-table.txt", (1e9, 1e9))
    capture_afresh()
    store.start_run("a").finish()
    (repository / "a-table.txt").write_text("".join(f"{number}\n" for number in range(1, 1001)) * 2)
    os.utime(repository / "a-table.txt", (2e9, 1e9))
    (repository / "train.py").write_text("lr = 2\n")
    capture_afresh()
    store.start_run("b").finish()
    printed = runlore("diff", "a", "b").stdout
    assert printed.index("+lr = 2") < printed.index("a-table.txt")
    assert "more lines of a-table.txt (--full shows them)" in printed
    assert len(printed.splitlines()) < 60


def test_variables_of_this_shell_are_not_those_of_a_folder(
    store: Store, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    capture_afresh()
    store.start_run("a").finish()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert "do not differ" in runlore("diff", "a", ".").stdout


def test_groups_come_in_the_order_in_which_they_matter_and_in_each_what_tells_most(
    store: Store, repository: Path
) -> None:
    for name, size, rate in (("a", 2, 0.1), ("b", 3, 0.2)):
        (repository / "train.py").write_text(f"lr = {rate}\n")
        capture_afresh()
        np.random.seed(size)
        with store.start_run(name, params={"a_dir": name, "depth": size, "lr": rate}) as run:
            run.log_data("X", np.zeros((size, 2)))
    found = compare(store.run("a"), store.run("b"))
    groups = list(dict.fromkeys(change.group for change in found.changes))
    assert groups == ["data", "params", "code", "seeds"]
    keys = [change.key for change in found.changes]
    assert keys[0] == "X.fingerprint"
    assert [key for key in keys if key in ("lr", "depth", "a_dir")] == ["lr", "depth", "a_dir"]
    seeds = [change for change in found.changes if change.group == "seeds"]
    assert (seeds[0].key, seeds[0].a, seeds[0].b) == ("numpy_seed", 2, 3)


def test_what_is_called_as_a_generator_is_told_beside_its_seed(store: Store) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        np.random.seed(seed)
        store.start_run(name, params={"numpy": seed, "numpy_state": seed, "python": seed}).finish()
    found = changes(store, "params")
    assert found == dict.fromkeys(("numpy", "numpy_state", "python"), (1, 2))
    assert changes(store, "seeds")["numpy_seed"] == (1, 2)


def test_params_that_only_name_the_run_come_last(store: Store, repository: Path) -> None:
    for name in ("try-1", "try-2"):
        (repository / "train.py").write_text(f"lr = 0.{name[-1]}\n")
        capture_afresh()
        named = {"name": name, "output": f"out/{name}/model.pt", "save_dir": f"runs-{name}", "level": f"retry-{name}s"}
        store.start_run(name, params=named).finish()
    found = compare(store.run("try-1"), store.run("try-2"))
    assert [(change.group, change.key) for change in found.changes] == [
        ("params", "level"), ("code", "train.py"), ("params", "name"), ("params", "output"), ("params", "save_dir")
    ]  # fmt: skip
    assert [change.aside for change in found.changes] == [False, False, True, True, True]
    assert "names and places" in runlore("diff", "try-1", "try-2").output
    assert [item.get("aside") for item in document("diff", "--json", "try-1", "try-2")["changes"]][2:] == [True] * 3


def test_the_step_where_curves_part_is_told(store: Store) -> None:
    curves = {
        "parted": ([1.0, 2.0, 3.0], [1.0, 5.0, 3.0]),
        "longer": ([1.0, 2.0], [1.0, 2.0, 3.0]),
        "same": ([1.0, float("nan")], [1.0, float("nan")]),
        "apart": ([1.0], []),
    }
    for place, name in enumerate("ab"):
        with store.start_run(name) as run:
            for key, sides in curves.items():
                for step, value in enumerate(sides[place]):
                    run.log_metrics({key: value}, step=step * 10)
            run.log_metrics({"elsewhere": 1.0 + place}, step=100 + place)
    found = compare(store.run("a"), store.run("b"))
    assert set(found.metrics) == {"parted", "longer", "apart", "elsewhere"}
    assert dict(found.partings) == {"parted": 10, "longer": 20}
    assert found.metrics["parted"] == (3.0, 3.0), "curves that end alike are told, too"
    printed = runlore("diff", "a", "b").stdout
    assert "part at step" in printed


def test_a_run_is_compared_with_the_working_tree(store: Store, repository: Path) -> None:
    store.start_run("a", params={"lr": 1}).finish()
    assert "do not differ in what could be compared" in runlore("diff", "a", ".").stdout
    (repository / "train.py").write_text("lr = 7\n")
    (repository / "helper.py").write_text("x = 1\n")
    found = json.loads(runlore("diff", "a", ".", "--json").stdout)
    assert {change["key"] for change in found["changes"]} == {"train.py", "helper.py"}
    assert "+lr = 7" in next(change["diff"] for change in found["changes"] if change["key"] == "train.py")
    assert (found["b"], found["metrics"]) == (str(repository), {})
    turned = runlore("diff", ".", "a").stdout
    assert "-lr = 7" in turned
    assert runlore("diff", "a", "./nowhere").exit_code == 2


def test_secrets_of_a_working_tree_are_masked_as_those_of_a_run(store: Store, repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:ghp_0123456789abcdefghijABCDEFGHIJ456789@example.org/x.git")
    capture_afresh()
    store.start_run("a").finish()
    done = runlore("diff", "a", ".", "--json")
    assert "ghp_0123456789" not in done.stdout
    assert [change["key"] for change in json.loads(done.stdout)["changes"]] == []


# Random generators

SEEDING = """
    import random, sys
    import numpy as np
    import torch
    import runlore

    name, before, later = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if before:
        random.seed(before)
        np.random.seed(before)
        torch.manual_seed(before)
    with runlore.start_run(name, params={"out": f"out/{name}"}) as run:
        if later:
            random.seed(later)
            np.random.seed(later)
            torch.manual_seed(later)
        for step in range(3):
            run.log_metrics({"loss": random.random() + np.random.rand() + torch.rand(1).item()}, step=step)
"""


def test_a_seed_that_is_set_in_a_run_differs_from_none_in_its_repetition(store: Store, warm_python: Python) -> None:
    for name in ("a", "b"):
        warm_python(SEEDING, name, "0", "5", PYTHONHASHSEED="0").succeed()
    found = compare(store.run("a"), store.run("b"))
    assert [(change.group, change.aside) for change in found.changes] == [("command", False), ("params", True)]
    assert (dict(found.metrics), found.notes) == ({}, ())


def test_where_generators_stood_is_told_only_where_it_may_have_mattered(store: Store, warm_python: Python) -> None:
    drawing = SEEDING.replace("    if before", "    random.random()  # as some imports do\n    if before")
    for name, later in (("a", "5"), ("b", "5"), ("c", "0")):
        warm_python(drawing, name, "0", later, PYTHONHASHSEED="0").succeed()
    assert changes(store, "seeds") == {}
    found = compare(store.run("a"), store.run("c"))
    assert [item.key for item in found.changes if item.group == "seeds"] == ["python_state"]


def test_a_seed_that_is_set_before_a_run_is_told_and_not_the_states_that_follow(
    store: Store, warm_python: Python
) -> None:
    for name, seed in (("a", "5"), ("b", "6"), ("c", "0")):
        warm_python(SEEDING, name, seed, "0", PYTHONHASHSEED="0").succeed()
    assert changes(store, "seeds") == {
        "torch_seed": (5, 6), "python_seed": (5, 6), "numpy_seed": (5, 6)
    }  # fmt: skip
    found = compare(store.run("a"), store.run("c"))
    assert [(item.key, item.a, item.b) for item in found.changes if item.group == "seeds"] == [
        ("torch_seed", 5, None), ("python_seed", 5, None), ("numpy_seed", 5, None)
    ]  # fmt: skip


def test_random_generators_are_not_blamed_while_the_code_is_not_known(store: Store) -> None:
    """A script from a pipe leaves nothing behind: it may have changed in any way."""
    for name, loss in (("a", 1.0), ("b", 2.0)):
        script = f"import runlore\nwith runlore.start_run({name!r}) as run: run.log_metrics({{'loss': {loss}}})"
        subprocess.run([sys.executable, "-"], input=script.encode(), check=True, capture_output=True)
    notes = " ".join(compare(store.run("a"), store.run("b")).notes)
    assert "what made the difference is not on record: the code of a and b is not fully known" in notes
    assert "the code of a is not fully known: the script" in notes
    assert "nobody had seeded" not in notes


def test_random_generators_are_not_blamed_where_nothing_of_the_code_is_on_record(store: Store, python: Python) -> None:
    for name, loss in (("a", "1.0"), ("b", "2.0")):
        script = f"import runlore\nwith runlore.start_run({name!r}) as run: run.log_metrics({{'loss': {loss}}})"
        python(script, RUNLORE_DISABLED="code").succeed()
    (note,) = compare(store.run("a"), store.run("b")).notes
    assert note == "what made the difference is not on record: the code of a and b is not fully known"


def test_code_from_elsewhere_and_typed_code_are_compared(
    store: Store, tmp_path_factory: pytest.TempPathFactory, python: Python
) -> None:
    """`diff` once said of two runs with other code that nobody had seeded the random generators."""
    library = tmp_path_factory.mktemp("library")
    for name, loss in (("a", "1.0"), ("b", "2.0")):
        (library / "model.py").write_text(f"LOSS = {loss}\n")
        python(
            f"import model, runlore, sys\nrate = {loss}\n"
            "with runlore.start_run(sys.argv[1]) as run: run.log_metrics({'loss': model.LOSS})",
            name, PYTHONPATH=str(library), PYTHONDONTWRITEBYTECODE="1",
        ).succeed()  # fmt: skip
    found = compare(store.run("a"), store.run("b"))
    diffs = {change.key: change.diff or "" for change in found.changes if change.group == "code"}
    assert set(diffs) == {"model.py", "argument.py"}
    assert "-LOSS = 1.0\n+LOSS = 2.0\n" in diffs["model.py"]
    assert "-rate = 1.0\n+rate = 2.0\n" in diffs["argument.py"]
    assert found.notes == ()


def test_changes_in_a_submodule_are_told(store: Store, repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init")
    (library / "model.py").write_text("SIZE = 1\n")
    git(library, "add", ".")
    git(library, "commit", "-m", "library")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "third")
    git(repository, "commit", "-m", "submodule")
    for name, size in (("a", 2), ("b", 7)):
        (repository / "third" / "model.py").write_text(f"SIZE = {size}\n")
        capture_afresh()
        store.start_run(name).finish()
    (change,) = [item for item in compare(store.run("a"), store.run("b")).changes if item.group == "code"]
    assert change.key == "third/model.py"
    assert "-SIZE = 2\n+SIZE = 7\n" in str(change.diff)
    assert "do not differ" in runlore("diff", "b", ".").stdout


def test_runs_that_nothing_tells_apart_are_told_that_they_had_no_seed(store: Store, warm_python: Python) -> None:
    for name in ("a", "b"):
        warm_python(SEEDING, name, "0", "0", PYTHONHASHSEED="0").succeed()
    found = compare(store.run("a"), store.run("b"))
    assert not [change for change in found.changes if change.group != "command" and not change.aside]
    assert "nobody had seeded the random generators of torch, python and numpy" in found.notes[0]
    assert "nobody had seeded" in " ".join(runlore("diff", "a", "b").output.split())


def test_values_that_are_cut_alike_are_shown_where_they_differ(store: Store) -> None:
    """Of two long arrays the same elided text stood there twice."""
    for name, value in (("a", 0.0), ("b", 1.0)):
        weights = np.arange(100_000.0)
        weights[50_000] = value
        with store.start_run(name, params={"weights": weights, "text": "x" * 500 + name}):
            pass
    printed = runlore("diff", "a", "b").stdout
    (line,) = [line for line in printed.splitlines() if line.strip().startswith("weights")]
    first, second = line.split()[1:]
    assert (first[:8], second[:8], first == second) == ("…sha256:", "…sha256:", False)
    (line,) = [line for line in printed.splitlines() if line.strip().startswith("text")]
    assert [cell[-2:] for cell in line.split()[1:]] == ["xa", "xb"]
