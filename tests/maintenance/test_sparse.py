"""Files of a store that are nothing but holes, 64 GB each: no command reads them byte by byte."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.maintenance.removal import remove
from tests.forged import ForgedStore
from tests.maintenance.files import age
from tests.process import Process

Python = Callable[..., Process]

SIZE = 64 << 30
MEMORY = 2 << 30
ROOT = str(Path(__file__).parents[2])
COMMANDS = """
import resource, sys
import numpy
sys.path.append(sys.argv[1])
from tests.commands import runlore
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
for command in sys.argv[4:]:
    result = runlore(*command.split(), "--store", sys.argv[3])
    assert isinstance(result.exception, SystemExit | None), (command, result.output, result.exception)
    print(command, "->", result.output.strip()[-300:])
"""


@pytest.fixture
def hollow(family: Store, tmp_path: Path) -> Store:
    """A store in which each kind of file has become a hole behind what it held."""
    shutil.copytree(family.root, tmp_path / "hollow")
    store = Store(tmp_path / "hollow")
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(name.encode())
        with store.start_run(name) as run:
            run.log_metrics({"loss": 1.0})
            run.log_artifact(tmp_path / name)
    remove(store, [store.run("first")])
    store.quarantine("second")
    forged = ForgedStore(store.root)
    (log,) = store.root.rglob(f"{forged.run(name='foreign')}*.log")
    log.with_suffix(".out").touch()
    (store.root / "index-v1.sqlite-journal").touch()
    (store.root / "blobs" / ".known").touch()
    (store.root / "blobs" / "ab").mkdir(exist_ok=True)
    (store.root / "blobs" / "ab" / ("ab" * 32)).touch()
    for path in list(store.root.rglob("*")):
        if path.is_file() and path.name != "format":
            path.chmod(0o600)
            os.truncate(path, SIZE)
    age(store.root)
    return store


def test_no_command_reads_a_hole(hollow: Store, python: Python) -> None:
    commands = ["gc --dry-run", "doctor", "ls --all", "show foreign", "quarantine", "reindex", "gc"]
    out = python(COMMANDS, ROOT, str(MEMORY), str(hollow.root), *commands).succeed()
    assert "left alone" in out


@pytest.mark.stress
def test_no_other_command_reads_a_hole(hollow: Store, python: Python, tmp_path: Path) -> None:
    commands = [
        "diff parent foreign", "lineage parent", "which-run 0123456", f"export --to {tmp_path / 'exported'}",
        "tag parent a=b", "rm parent", "undo", "quarantine foreign", "stats -m loss", "undo", "gc",
    ]  # fmt: skip
    python(COMMANDS, ROOT, str(MEMORY), str(hollow.root), *commands).succeed()
