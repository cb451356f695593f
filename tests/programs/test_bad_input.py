"""Programs that a record gets wrong easily: its disk is full, or what it hears is secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from tests.log.test_file import small_disk as small_disk  # a fixture

NOISE = """
import random, sys
random.seed(1)
for number in range(9000):
    print(number, random.getrandbits(256))
sys.exit(3)
"""
SECRETS = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--api-key")
parser.add_argument("--lr", type=float)
options = parser.parse_args()
print("password=hunter2-of-the-output")
print("-----BEGIN PRIVATE KEY-----\\nhunter2bytes\\n-----END PRIVATE KEY-----")
"""


def test_a_store_that_fills_up_costs_the_record_alone(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = [sys.executable, "-c", NOISE]
    bare = subprocess.run(program, capture_output=True, check=False)
    monkeypatch.setenv("RUNLORE_STORE", str(small_disk / "store"))
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    recorded = subprocess.run(
        [sys.executable, "-m", "runlore", "run", *program], cwd=tmp_path, capture_output=True, check=False
    )
    assert (recorded.returncode, recorded.stdout) == (bare.returncode, bare.stdout)
    (line,) = recorded.stderr.decode().splitlines()
    assert line.startswith("runlore: ")
    assert "No space left on device" in line
    (found,) = Store(small_disk / "store").runs()
    assert found.status == "failed"
    assert found.error is not None
    assert found.error["message"] == "exit status 3"


def test_secrets_that_a_program_takes_and_prints_are_masked(store: Store, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SECRETS)
    command = [sys.executable, "-m", "runlore", "run", "train.py", "--api-key", "hunter2-of-a-line", "--lr", "0.5"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.count("hunter2") == 2
    (found,) = store.runs()
    assert found.params["lr"] == 0.5
    assert "api_key" in found.params
    output = found.artifact("output.log").read_bytes().decode()
    assert "password" in output
    assert "hunter2" not in str([found.params, found.command, output])


@pytest.mark.parametrize(
    "command",
    [
        "MY_TOKEN=hunter2ofashell python print.py $MY_TOKEN hunter2ofashell",
        "python print.py --api-key hunter2ofashell",
        "export DB_PASSWORD='hunter2ofashell'; python print.py hunter2ofashell",
    ],
)
def test_what_a_command_line_tells_to_be_secret_is_masked_where_it_is_printed(
    store: Store, tmp_path: Path, command: str
) -> None:
    (tmp_path / "print.py").write_text("import sys; print('begins', sys.argv[-1], 'ends')")
    words = ["sh", "-c", command.replace("python", sys.executable)]
    done = subprocess.run(
        [sys.executable, "-m", "runlore", "run", *words], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == b"begins hunter2ofashell ends\n"
    (found,) = store.runs()
    assert found.artifact("output.log").read_bytes() == b"begins [masked] ends\n"
    assert "hunter2" not in str(found.command)
