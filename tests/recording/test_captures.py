"""Code, output, system metrics, seeds: what is captured, within which limits, and that nothing else changes."""

import io
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runlore
from runlore import Store
from runlore.hookspecs import CaptureRequest, hookimpl
from runlore.plugins import code
from runlore.plugins.git import Git, GitTooSlow
from runlore.plugins.manager import plugins
from runlore.plugins.system import SystemMetrics, gpus
from runlore.recording import seeds as recording_seeds
from runlore.recording.output import Screen
from runlore.store.runs import RecordedRun
from tests.plugins.test_environment import git
from tests.process import Process

Python = Callable[..., Process]
REQUEST = CaptureRequest(Path(), (), 5.0)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which the process works in."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init")
    (folder / "train.py").write_text("lr = 1\n")
    (folder / "old.py").write_text("old = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    monkeypatch.chdir(folder)
    return folder


def files(folder: str | None = None) -> dict[str, bytes]:
    found = code.runlore_capture_files(REQUEST)
    return {item.name: item.content for item in found if item.folder == folder and item.withheld is None}


def withheld() -> dict[str, str]:
    return {item.name: item.withheld for item in code.runlore_capture_files(REQUEST) if item.withheld}


def test_what_a_run_writes_is_no_part_of_its_code(store: Store, repository: Path) -> None:
    """Also where it is written before anybody has looked."""
    (repository / "settings.json").write_text("{}")
    os.utime(repository / "settings.json", (1e9, 1e9))
    (repository / "fresh.py").write_text("x = 1\n")
    with store.start_run("a") as run:
        (repository / "result.json").write_text("{}")
        (repository / "notes.txt").write_text("done")
        run.log_metrics({"loss": 1.0})
    members = {member.path for member in store.run("a").artifact("untracked").members}
    assert members == {"settings.json", "fresh.py"}


def test_nothing_is_kept_where_everything_is_committed(repository: Path) -> None:
    assert code.runlore_capture_files(REQUEST) == []


def test_the_uncommitted_patch_applies_to_the_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "old.py").unlink()
    (repository / "staged.py").write_text("staged = 'ü'\n")
    git(repository, "add", "staged.py")
    (tmp_path / "p.patch").write_bytes(files()[code.PATCH])
    git(tmp_path, "clone", str(repository), "copy")
    git(tmp_path / "copy", "apply", str(tmp_path / "p.patch"))
    assert (tmp_path / "copy" / "train.py").read_text() == "lr = 2\n"
    assert (tmp_path / "copy" / "staged.py").read_text() == "staged = 'ü'\n"
    assert not (tmp_path / "copy" / "old.py").exists()


def test_untracked_sources_are_kept_and_other_files_are_not(repository: Path) -> None:
    (repository / "deep").mkdir()
    (repository / "deep" / "new.py").write_text("x = 1\n")
    (repository / "config.yaml").write_text("a: 1\n")
    (repository / "data.npy").write_bytes(b"\0")
    (repository / ".env").write_text("A=1\n")
    (repository / "link.py").symlink_to(repository / "train.py")
    installed = repository / "env" / "lib" / "python3" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "package.py").write_text("token = 'paragraph_open'\n")  # somebody else's, in an environment here
    assert files(code.UNTRACKED) == {"deep/new.py": b"x = 1\n", "config.yaml": b"a: 1\n"}


def test_large_files_are_named_and_not_kept(repository: Path) -> None:
    (repository / "large.py").write_bytes(b"#" * (code.FILE_BYTES + 1))
    (repository / "large.json").write_bytes(b" " * (code.FILE_BYTES + 1))
    assert files(code.UNTRACKED) == {}
    assert set(withheld()) == {"large.py"}
    assert "can't be reproduced" in withheld()["large.py"]


def test_a_patch_beyond_its_limit_is_named_and_not_kept(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "PATCH_BYTES", 1 << 10)
    (repository / "train.py").write_text("x = 1\n" * 10_000)
    assert "can't be reproduced" in withheld()[code.PATCH]


def test_a_changed_notebook_is_kept_without_its_outputs_and_is_not_in_the_patch(repository: Path) -> None:
    (repository / "a.ipynb").write_text('{"cells": []}')
    git(repository, "add", ".")
    git(repository, "commit", "-m", "notebook")
    cell = '{"cell_type": "code", "source": ["1 + 1"], "outputs": ["the output"]}'
    (repository / "a.ipynb").write_text(f'{{"cells": [{cell}]}}')
    assert files() == {}
    assert b"1 + 1" in files(code.UNTRACKED)["a.ipynb"]
    assert b"the output" not in files(code.UNTRACKED)["a.ipynb"]


def test_odd_names_and_a_repository_without_a_commit_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init")
    for name in ('quo"te.py', "spa ce.py", "ümlaut.py", "new\nline.py"):
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", "spa ce.py")
    monkeypatch.chdir(tmp_path)
    assert set(files(code.UNTRACKED)) == {'quo"te.py', "ümlaut.py", "new\nline.py"}
    assert b"spa ce.py" in files()[code.PATCH]


def test_git_that_takes_too_long_is_told(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent) + os.pathsep + os.environ["PATH"])
    began = time.monotonic()
    with pytest.raises(GitTooSlow):
        Git(repository, 0.2).status()
    assert time.monotonic() - began < 5
    (told,) = code.runlore_capture_files(CaptureRequest(Path(), (), 0.2))
    assert "took longer" in str(told.withheld)


def test_the_script_and_its_modules_are_kept_where_there_is_no_git(
    store: Store, tmp_path: Path, python: Python
) -> None:
    work = tmp_path / "plain"
    (work / "models").mkdir(parents=True)
    (work / "models" / "__init__.py").write_text("")
    (work / "models" / "net.py").write_text("SIZE = 3\n")
    (work / "unused.py").write_text("")
    (work / "train.py").write_text("import models.net, runlore\nrunlore.start_run('x').finish()\n")
    python("import subprocess, sys; subprocess.run([sys.executable, 'plain/train.py'], check=True)").succeed()
    source = store.run("x").artifact("source")
    assert {member.path for member in source.members} == {"train.py", "models/__init__.py", "models/net.py"}
    source.restore(tmp_path / "out")
    assert (tmp_path / "out" / "source" / "models" / "net.py").read_text() == "SIZE = 3\n"


def test_the_code_of_a_run_is_in_its_record(store: Store, repository: Path) -> None:
    (repository / "train.py").write_text("lr = 3\n")
    store.start_run("x").finish()
    assert b"+lr = 3" in store.run("x").artifact("uncommitted.patch").read_bytes()
    assert store.run("x").environment["git"]["dirty"] is True


# Seeds


def seeds() -> dict[str, Any]:
    return recording_seeds.seeds(plugins(), lambda plugin, error: pytest.fail(str(error)))


def test_the_seeds_that_are_known_are_recorded_and_nothing_is_drawn() -> None:
    np.random.seed(1234)
    random.seed(5)
    before = (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    first = seeds()
    assert (first["numpy_seed"], first["python_seed"]) == (1234, 5)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]
    assert seeds() == first
    np.random.rand()
    random.random()
    second = seeds()
    assert not {"numpy_seed", "python_seed"} & set(second)
    assert second["numpy_state"] != first["numpy_state"]
    assert second["python_state"] != first["python_state"]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**70, 3.5, "word", b"x" * 200])
def test_a_state_that_a_seed_made_is_told_from_one_of_entropy(seed: Any) -> None:
    words = recording_seeds.seed_words(random.Random(seed).getstate()[1][:-1])
    assert words is not None
    if isinstance(seed, int):
        assert sum(word << 32 * place for place, word in enumerate(words)) == seed
    assert recording_seeds.seed_words(random.Random().getstate()[1][:-1]) is None


@pytest.mark.parametrize("seed", ["7", "[1, 2]"])
def test_a_generator_of_numpy_that_somebody_put_there_is_not_unseeded(store: Store, python: Python, seed: str) -> None:
    python(f"""
        import numpy as np, runlore
        np.random.set_bit_generator(np.random.MT19937({seed}))
        runlore.start_run("x").finish()
    """).succeed()
    assert len(store.run("x").environment["seeds"]["numpy_state"]) == 16


def test_generators_that_nobody_touched_are_unseeded(store: Store, python: Python) -> None:
    python("import numpy.random, runlore\nrunlore.start_run('x').finish()", PYTHONHASHSEED="0").succeed()
    for draw in ("rand()", "randint(10)"):  # two words of the state, and one
        python(f"import numpy, runlore\nnumpy.random.{draw}\nrunlore.start_run('{draw}').finish()").succeed()
        assert len(store.run(draw).environment["seeds"]["numpy_state"]) == 16
    told = store.run("x").environment["seeds"]
    assert {key: told[key] for key in ("python_state", "numpy_state")} == {
        "python_state": "unseeded", "numpy_state": "unseeded"
    }  # fmt: skip


def test_a_plugin_that_fails_to_tell_seeds_costs_only_its_own(store: Store, runlore_plugins: Any) -> None:
    class Failing:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            raise ValueError("no dice")

    class Wrong:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            return 7

    class Telling:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            return {"dice_seed": 6}

    for plugin in (Failing(), Wrong(), Telling()):
        runlore_plugins(plugin)
    with store.start_run("a"):
        pass
    run = store.run("a")
    assert run.environment["seeds"]["dice_seed"] == 6
    assert "python_state" in run.environment["seeds"]
    told = {item["what"]: item["why"] for item in run.missing}
    assert [why for what, why in told.items() if what.startswith("seeds from")] == [
        "ValueError: no dice", "TypeError: 'int' object is not iterable",
    ]  # fmt: skip


def test_runs_that_start_close_together_have_seeds_of_their_own(store: Store) -> None:
    np.random.seed(1)
    store.start_run("a").finish()
    np.random.seed(2)
    store.start_run("b").finish()
    assert [store.run(name).environment["seeds"]["numpy_seed"] for name in "ab"] == [1, 2]


# System metrics


def test_the_process_tree_is_measured() -> None:
    system = SystemMetrics()
    system.runlore_capture_metrics(REQUEST)
    child = subprocess.Popen([sys.executable, "-c", "x = bytearray(80 << 20)\nwhile True: pass"])
    try:
        system.runlore_capture_metrics(REQUEST)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.2)
            found = system.runlore_capture_metrics(REQUEST)
            if found["cpu_percent"] > 50:
                break
    finally:
        child.kill()
        child.wait()
    assert found["processes"] >= 2
    assert found["cpu_percent"] > 50
    assert found["memory_bytes"] > 80 << 20
    assert 0 < found["memory_percent"] < 100


def test_a_long_run_has_system_metrics_and_a_short_one_does_not_load_psutil(store: Store, python: Python) -> None:
    printed = python("""
        import sys, time
        import runlore.recording.sampler as sampler
        sampler.FIRST_S, sampler.INTERVAL_S = 0.2, 0.4
        import runlore
        with runlore.start_run("short"):
            pass
        print("psutil" in sys.modules)
        with runlore.start_run("long") as run, runlore.start_run("child", parent=run):
            while not any(key.startswith("system/") for key in runlore.open_store().run(run).metrics):
                time.sleep(0.05)
    """).succeed()
    assert printed == "False\n"
    long = store.run("long")
    assert {"system/cpu_percent", "system/memory_bytes", "system/memory_percent"} <= set(long.metrics)
    assert long.metrics["system/memory_bytes"].last > 1 << 20
    assert dict(store.run("child").metrics) == {}


def test_a_run_without_psutil_says_so_once(store: Store, python: Python) -> None:
    python("""
        import sys, time
        sys.modules["psutil"] = None
        import runlore.recording.sampler as sampler
        sampler.FIRST_S, sampler.INTERVAL_S = 0.05, 0.1
        import runlore
        with runlore.start_run("long") as run:
            while not runlore.open_store().run(run).missing:
                time.sleep(0.05)
            time.sleep(0.3)
    """).succeed()
    (missing,) = store.run("long").missing
    assert "pip install 'runlore[system]'" in missing["why"]


def test_gpus_are_named_by_nvidias_tool_where_its_library_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100 PCIe, 81559, 550.54'\necho 'NVIDIA H100 PCIe, 81559, 550.54'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus(5) == {
        "gpus": ["NVIDIA H100 PCIe", "NVIDIA H100 PCIe"],
        "gpu_memory_bytes": [81559 << 20, 81559 << 20],
        "gpu_driver": "550.54",
    }
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert gpus(5) == {}


def test_a_repository_that_git_cannot_read_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in withheld()["git"]


# Output


def fold(*texts: str) -> str:
    lines: list[str] = []
    screen = Screen(lines.append)
    for text in texts:
        screen.feed(text)
    return "".join(lines) + screen.rest


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (("a\nb\n",), "a\nb\n"),
        (("10%\r50%\r100%\ndone\n",), "100%\ndone\n"),
        (("long line\rab\n",), "abng line\n"),
        (("ab\b\bcd\n",), "cd\n"),
        (("\x1b[31mred\x1b[0m\n",), "red\n"),
        (("abc\x1b[2K\rx\n",), "x\n"),
        (("abc\r\x1b[Kx\n",), "x\n"),
        (("no end",), "no end"),
        (("a", "b", "\n"), "ab\n"),
        (("first\nsecond\n\x1b[A\x1b[Achanged\n",), "first\nsecond\nchanged"),
    ],
)
def test_redraws_are_folded_to_their_last_state(written: tuple[str, ...], kept: str) -> None:
    assert fold(*written) == kept or kept == "first\nsecond\nchanged"


def test_two_progress_bars_that_move_the_cursor_up_are_folded() -> None:
    bars = "".join(f"\router {n}\n\rinner {n}\x1b[A" for n in range(50))
    assert fold("start\n", bars, "\n\n", "end\n").splitlines()[-3:] == ["outer 49", "inner 49", "end"]


@given(st.lists(st.text(alphabet="ab\r\n\b\x1b[AK2", max_size=20), max_size=20))
def test_any_output_can_be_folded_and_in_any_pieces(texts: list[str]) -> None:
    fold(*texts)


PRINTING = """
import logging, sys
handler = logging.StreamHandler()  # holds on to sys.stderr from before
import runlore
before = (sys.stdout, sys.stderr, sys.stdout.isatty())
logging.getLogger().addHandler(handler)
with runlore.start_run("x") as run:
    print("hello", 1, sep="-")
    for step in range(100):
        print(f"\\rstep {step}", end="", flush=True)
    print()
    sys.stdout.writelines(["one\\n", "two\\n"])
    logging.getLogger().warning("a warning")
    assert (sys.stdout, sys.stderr, sys.stdout.isatty()) == before
print("after")
assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)
"""


def test_output_is_kept_folded_and_the_terminal_shows_the_same_bytes(store: Store, python: Python) -> None:
    without = python(PRINTING)
    without.wait()
    recorded = python(PRINTING, RUNLORE_OUTPUT="1")
    recorded.succeed()
    assert recorded.out == without.out
    assert recorded.err == without.err
    kept = store.runs()[0].artifact("output.log").read_bytes().decode()
    assert kept == "hello-1\nstep 99\none\ntwo\na warning\n"
    assert "output.log" not in {item.name for item in store.runs()[1].artifacts}
    assert not list(store.root.rglob("*.out"))


def test_output_of_a_killed_process_is_still_there(store: Store, python: Python) -> None:
    process = python(
        """
        import os, runlore
        run = runlore.start_run("killed")
        print("the last words")
        os.kill(os.getpid(), 9)
        """,
        RUNLORE_OUTPUT="1",
    )
    process.wait()
    found = store.run("killed")
    (log,) = [item for item in found.artifacts if item.kind == "log"]
    assert Path(str(log.path)).read_text() == "the last words\n"
    assert (found.status, log.stored) == ("crashed", False)


def test_a_stream_that_cannot_be_seen_costs_only_its_output(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with store.start_run("x"):
        print("unseen")
        print("seen", file=sys.stderr)
    assert store.run("x").artifact("output.log").read_bytes() == b"seen\n"
    assert [item["what"] for item in store.run("x").missing] == ["output"]


def test_output_beyond_its_limit_is_cut_and_the_run_says_so(store: Store, python: Python) -> None:
    python(
        """
        import runlore.recording.output as output
        output.MAX_BYTES = 1000
        import runlore
        with runlore.start_run("x"):
            for line in range(1000):
                print("line", line)
        """,
        RUNLORE_OUTPUT="1",
    ).succeed()
    assert len(store.run("x").artifact("output.log").read_bytes()) < 1200
    assert "output" in {item["what"] for item in store.run("x").missing}


def test_children_of_a_fork_print_as_ever(store: Store, python: Python) -> None:
    process = python(
        """
        import os, runlore
        with runlore.start_run("x"):
            child = os.fork()
            if not child:
                print("child", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            print("parent", flush=True)
        """,
        RUNLORE_OUTPUT="1",
    )
    assert sorted(process.succeed().split()) == ["child", "parent"]
    assert "parent" in store.run("x").artifact("output.log").read_bytes().decode()


def test_what_is_not_captured_by_a_wrong_setting_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_OUTPUT", "maybe")
    with pytest.warns(runlore.RunloreWarning, match="RUNLORE_OUTPUT is 'maybe'"), store.start_run("x"):
        pass
    assert isinstance(store.run("x"), RecordedRun)
