"""`runlore run`: the script is run as Python would run it, and recorded."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runlore import Store

SCRIPT = """
import multiprocessing, sys
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
import neighbour

def work(number):
    return number * 2

if __name__ == "__main__":
    print(sys.argv[1:], __name__, neighbour.NAME)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [21]))
    DummyClassifier(strategy=sys.argv[2]).fit(*load_iris(return_X_y=True))
    if "fail" in sys.argv:
        raise ValueError("mine")
    sys.exit(3)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "neighbour.py").write_text("NAME = 'beside'")
    (folder / "train.py").write_text(SCRIPT)
    return folder / "train.py"


def run(*arguments: str | Path, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "runlore", "run", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_a_script_is_recorded_without_a_line(store: Store, script: Path, tmp_path: Path) -> None:
    done = run(script, "--strategy", "prior", "--json", "-h", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "['--strategy', 'prior', '--json', '-h'] __main__ beside\n[42]\n"), (
        done
    )
    (found,) = store.runs()
    assert (found.params["strategy"], found.status) == ("prior", "failed")
    assert found.command["argv"] == [str(script), "--strategy", "prior", "--json", "-h"]


@pytest.mark.stress
def test_a_module_is_run_as_python_does(store: Store, script: Path) -> None:
    done = run("-m", "train", "--strategy", "uniform", cwd=script.parent)
    assert done.returncode == 3, done.stderr
    assert store.runs()[0].params["strategy"] == "uniform"


@pytest.mark.stress
def test_only_the_frameworks_that_the_setting_names_are_recorded(store: Store, script: Path, tmp_path: Path) -> None:
    assert run(script, "--strategy", "prior", cwd=tmp_path, RUNLORE_AUTOLOG="lightning").returncode == 3
    (found,) = store.runs()
    assert "strategy" not in found.params


@pytest.mark.stress
def test_an_exception_is_the_scripts_own(store: Store, script: Path, tmp_path: Path) -> None:
    done = run(script, "--strategy", "prior", "fail", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: mine\n")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "name a program"),
        (["-u", "train.py"], 2, "runlore run python -u train.py"),
        (["--nam=x", "train.py"], 2, "'--nam=x' is no option of ours: did you mean --name?"),
        (["nowhere.py"], 127, "there is no program and no script 'nowhere.py'"),
        (["folder"], 126, "'folder' can't be executed"),
        (["./job.txt"], 126, "'./job.txt' can't be executed"),
    ],
)
def test_what_can_not_be_run_is_told(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "job.txt").write_text("text\n")
    done = run(*arguments, cwd=tmp_path, COLUMNS="400")
    assert done.returncode == status
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


OUTLIVING = """
import atexit, dataclasses, pickle, sys, threading, time

@dataclasses.dataclass
class Config:
    rate: float

def late(where):
    print(where, pickle.loads(pickle.dumps(Config(0.1))), sys.modules["__main__"].__name__, flush=True)

def wait():
    time.sleep(0.3)
    late("thread")

if __name__ == "__main__":
    atexit.register(late, "atexit")
    threading.Thread(target=wait).start()
"""


@pytest.mark.parametrize("start", [["late.py"], ["-m", "late"], ["late.zip"]])
def test_what_outlives_the_last_line_of_a_script_still_finds_its_module(tmp_path: Path, start: list[str]) -> None:
    """A class of the script could not be pickled any more by threads and by functions of atexit."""
    (tmp_path / "late.py").write_text(OUTLIVING)
    with zipfile.ZipFile(tmp_path / "late.zip", "w") as packed:
        packed.writestr("__main__.py", OUTLIVING)
    done = run(*start, cwd=tmp_path)
    same = subprocess.run([sys.executable, *start], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (same.returncode, same.stdout, same.stderr)
    assert done.stdout.split() == "thread Config(rate=0.1) __main__ atexit Config(rate=0.1) __main__".split()


FACTS = """
import sys
names = "__name__ __file__ __package__ __cached__ __doc__".split()
print({name: globals().get(name) for name in names}, sys.argv, sys.path[0], __spec__ and __spec__.name)
print(type(__loader__).__name__, sorted(name for name in globals() if not name.startswith("__")))
"""


@pytest.mark.parametrize(
    "start", [["facts.py"], ["sub/../facts.py", "x"], ["-m", "facts", "x"], ["-m", "package"], ["-m", "nowhere"]]
)
def test_a_script_sees_what_python_would_show_it(tmp_path: Path, start: list[str]) -> None:
    for folder in ("sub", "package"):
        (tmp_path / folder).mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    for name in ("facts.py", "package/__main__.py"):
        (tmp_path / name).write_text(FACTS)
    done = run(*start, cwd=tmp_path)
    same = subprocess.run([sys.executable, *start], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (same.returncode, same.stdout, same.stderr)


def test_how_python_was_started_is_recorded(store: Store, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    script = tmp_path / "package" / "train.py"
    script.write_text("import runlore; runlore.start_run().finish()\n")
    changing = tmp_path / "changing.py"
    changing.write_text("import sys; sys.argv = ['x', 'y']\n" + script.read_text())
    own = ["--lr", "0.1"]
    for start, expected in (
        ([str(script)], [str(script)]),
        (["-X", "dev", "-m", "package.train"], ["-X", "dev", "-m", "package.train"]),
        (["-m", "runlore", "run", str(script)], ["-m", "runlore", "run", str(script)]),
        (["-c", "import runlore; runlore.start_run().finish()"], None),
        ([str(changing)], None),
    ):
        subprocess.run([sys.executable, *start, *own], check=True, cwd=tmp_path, capture_output=True)
        assert store.runs()[0].command.get("program") == expected, start
