"""Standard streams that are closed, as in a daemon: nothing of a run takes their numbers."""

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
