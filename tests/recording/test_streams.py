"""Descriptors that are closed, as by a daemon: nothing of a run takes their numbers, or gets into other files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store

SCRIPT = """
import fcntl, os, sys
told = open(fcntl.fcntl(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), fcntl.F_DUPFD, 20), "a")
os.closerange(0, 10)
def probe():
    for stream in (0, 1, 2):
        try:
            os.write(stream, b"printed by C code\\n")
            print("written to", stream, os.readlink(f"/proc/self/fd/{stream}"), file=told, flush=True)
        except OSError:
            pass
import runlore
run = runlore.start_run("daemon")
for step in range(20):
    run.log_metrics({"loss": 1.0}, step=step)
    probe()
run.run_log.keep_bytes(b"content" * 100, name="kept")
probe()
if sys.argv[2:]:
    os.kill(os.getpid(), 9)
run.finish()
probe()
"""


@pytest.mark.parametrize("status", ["finished", "crashed"])
def test_what_is_printed_gets_into_no_file_of_a_run(store: Store, tmp_path: Path, status: str) -> None:
    """The log was opened as stdout, and the mark of SIGTERM as stderr: a run that was killed read interrupted."""
    told = tmp_path / "told"
    extra = ["kill"] if status == "crashed" else []
    environment = {**os.environ, "RUNLORE_CSV": str(tmp_path / "csv")}
    subprocess.run([sys.executable, "-c", SCRIPT, str(told), *extra], check=False, env=environment)
    assert told.read_text() == ""
    run = store.run("daemon")
    assert (run.status, run.damaged_bytes) == (status, 0)
    assert len(run.metrics["loss"].values) == 20
    assert not list(store.root.glob("runs/*/*/*.log"))


BECOMES_DAEMON = """
import os, resource, sys, tempfile
import runlore
run = runlore.start_run("daemon")
run.log_metrics({"loss": 1.0}, step=0)
run.companions.await_captures()  # on a thread, which has files open meanwhile
if "forks" in sys.argv and os.fork():
    os._exit(0)
os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
own = [open(f"own-{number}", "wb") for number in range(8)]
for step in range(1, 20):
    run.log_metrics({"loss": 1.0}, step=step)
run.log_params({"lr": 0.1})
run.finish()
for file in own:
    file.write(b"own")
    file.close()
"""


@pytest.mark.parametrize("forks", [[], ["forks"]])
@pytest.mark.parametrize("settings", [{}, {"RUNLORE_CSV": "csv", "RUNLORE_OUTPUT": "1"}])
def test_no_file_of_a_run_is_mistaken_for_another(
    store: Store, tmp_path: Path, forks: list[str], settings: dict[str, str]
) -> None:
    """What was logged got into files of the program's, which had the number of the log, and the run read crashed."""
    command = [sys.executable, "-c", BECOMES_DAEMON, *forks]
    process = subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, **settings}, capture_output=True)
    assert process.returncode == 0
    assert b"Bad file descriptor" not in process.stderr
    assert [(tmp_path / f"own-{number}").read_bytes() for number in range(8)] == [b"own"] * 8
    run = store.run("daemon")
    assert run.metrics["loss"].steps.tolist() == list(range(20))
    assert run.params == {"lr": 0.1}
    assert forks or run.status == "finished"
