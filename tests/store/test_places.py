"""Where a store may be."""

import os
import subprocess
import sys
from pathlib import Path

from runlore import Store


def test_a_store_setting_that_is_a_url_is_understood_or_refused(store: Store, tmp_path: Path) -> None:
    """No folder of that name is made in the working directory."""
    command = [sys.executable, "-m", "runlore", "ls", "--json"]
    for place, status in ((f"file://{store.root}", 0), ("s3://bucket/x", 1)):
        environment = {**os.environ, "RUNLORE_STORE": place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == status, done.stderr
    assert not list(tmp_path.glob("s3*"))
