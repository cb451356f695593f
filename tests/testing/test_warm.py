"""A forked process is what a cold one would be, but for the modules that it finds imported."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from runlore import Store
from runlore.testing.warm import CAN_FORK, WarmParents
from tests.process import Process, scripts

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="only Linux has what this needs")
PROBE = """
import json, multiprocessing, os, signal, sys, threading
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "cwd": os.getcwd(), "flags": str(sys.flags),
    "environment": dict(os.environ), "executable": sys.executable, "group": os.getpgrp(), "session": os.getsid(0),
    "main": {key: str(vars(main).get(key)) for key in ("__name__", "__doc__", "__package__", "__spec__", "__file__")},
    "loader": str(vars(main)["__loader__"]).partition(" at 0x")[0], "names": sorted(vars(main)),
    "same": vars(main) is globals(),
    "parent": str(multiprocessing.parent_process()), "process": multiprocessing.current_process().name,
    "threads": [thread.name for thread in threading.enumerate()], "tasks": len(os.listdir("/proc/self/task")),
    "signals": [str(signal.getsignal(number)) for number in range(1, 65)],
    "hooks": [sys.excepthook is sys.__excepthook__, str(threading.excepthook), sys.displayhook is sys.__displayhook__],
    "streams": [(s.fileno(), s.encoding, s.errors, s.line_buffering, s.write_through, s.closed)
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "input": sys.stdin.read(), "runlore": "runlore" in sys.modules,
    "descriptors": [os.readlink(f"/proc/self/fd/{number}")[:5] for number in os.listdir("/proc/self/fd")[:-1]],
}))
"""
ENDS = {
    "the end": "print('end')",
    "a status": "raise SystemExit(3)",
    "words": "raise SystemExit('words')",
    "an exception": "def fail(): raise ValueError('no')\ntry: 1 / 0\nexcept ZeroDivisionError: fail()",
    "no syntax": "def",
    "an interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "an abort": "import os; os.abort()",
    "no farewell": "import os; print('lost'); os._exit(4)",
    "a thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
    "a hook": "import sys\nsys.excepthook = lambda kind, error, trace: print(kind, trace.tb_next)\n1 / 0",
}
Start = Callable[..., Process]


@pytest.fixture
def parents() -> Iterator[WarmParents]:
    parents = WarmParents()
    yield parents
    parents.end()


@pytest.fixture
def warm(tmp_path: Path, parents: WarmParents) -> Iterator[Start]:
    with scripts(tmp_path, lambda environment: parents.parent(("numpy.random",), environment)) as start:
        yield start


@pytest.mark.parametrize("kind", ["text", "file"])
def test_a_fork_is_what_a_cold_process_is(tmp_path: Path, python: Start, warm: Start, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    script = tmp_path / "folder" / "probe.py"
    script.write_text(PROBE)
    settings = {"PYTHONPATH": f"{tmp_path}/more:/nowhere:{tmp_path}/more", "RUNLORE_STORE": "there"}
    cold, forked = [
        json.loads(start(script if kind == "file" else PROBE, "one", "--two", **settings).succeed())
        for start in (python, warm)
    ]
    for name, value in cold.items():
        assert forked[name] == value, name


@pytest.mark.parametrize("ending", ENDS)
def test_a_fork_ends_as_a_cold_process_does(python: Start, warm: Start, ending: str) -> None:
    script = f"import atexit\natexit.register(print, 'at exit')\n{dedent(ENDS[ending])}"
    cold, forked = python(script), warm(script)
    assert (forked.wait(), forked.out, forked.err) == (cold.wait(), cold.out, cold.err)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_fork_can_be_signalled(warm: Start, number: int) -> None:
    process = warm("import time; print('ready', flush=True); time.sleep(60)")
    assert process.line() == "ready"
    assert process.kill(number) == -number
    assert process.kill() == -number


def test_random_numbers_of_forks_differ_and_count_as_unseeded(store: Store, warm: Start) -> None:
    script = """
        import random, numpy, runlore
        runlore.start_run("fresh").finish()
        print(random.random(), numpy.random.random(), numpy.random.get_state()[1][0])
    """
    first, second = [warm(script).succeed().split() for _ in range(2)]
    assert all(a != b for a, b in zip(first, second, strict=True))
    for run in store.runs():
        seeds = run.environment["seeds"]
        assert (seeds["python_state"], seeds["numpy_state"]) == ("unseeded", "unseeded")


def test_variables_that_a_framework_may_read_have_a_parent_of_their_own(parents: WarmParents) -> None:
    environment = dict(os.environ)
    first = parents.parent(("json",), environment)
    assert parents.parent(("json",), {**environment, "RUNLORE_STORE": "x", "PYTHONPATH": "y"}) is first
    assert parents.parent(("json",), {**environment, "OMP_NUM_THREADS": "7"}) is not first
    assert parents.parent(("json", "csv"), environment) is not first
    assert parents.parent((), environment) is None


def test_a_parent_that_keeps_threads_or_runlore_forks_nothing(tmp_path: Path, parents: WarmParents) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert parents.parent(("threaded",), environment) is None
    assert parents.parent(("runlore.errors",), {**environment, "PYTHONPATH": os.pathsep.join(sys.path)}) is None


def test_modules_that_can_not_be_imported_are_named_with_the_reason(parents: WarmParents) -> None:
    with pytest.raises(AssertionError, match="(?s)no_such_module can't be imported: .*ModuleNotFoundError"):
        parents.parent(("no_such_module",), os.environ)


def test_a_parent_ends_with_the_session_and_takes_its_forks_along(tmp_path: Path) -> None:
    script = """
        import os, time
        from pathlib import Path
        from runlore.testing.processes import Process
        from runlore.testing.warm import WarmParent
        parent = WarmParent(["json"], os.environ)
        script = "import os, time; print(os.getppid(), flush=True); time.sleep(60)"
        process = Process(["-c", script], os.environ, Path(), parent)
        print(process.line(), process.pid, flush=True)
        time.sleep(60)
    """
    session = subprocess.Popen([sys.executable, "-c", dedent(script)], stdout=subprocess.PIPE, text=True)
    assert session.stdout
    with session, session.stdout:
        pids = [int(word) for word in session.stdout.readline().split()]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        session.kill()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until, "a process was left behind"
        time.sleep(0.01)


def test_many_forks_live_at_the_same_time(warm: Start) -> None:
    processes = [warm("import sys; print(sys.argv[1], flush=True); print(input())", str(n)) for n in range(10)]
    assert [process.line() for process in processes] == [str(n) for n in range(10)]
    assert {process.wait() for process in reversed(processes)} == {1}  # nobody types
    assert all("EOFError" in process.err for process in processes)
