"""Tests of the measurements of the machine."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from runlore.hookspecs import CaptureRequest
from runlore.plugins.system import SystemMetrics, gpus

REQUEST = CaptureRequest(Path(), (), 5.0)


@pytest.mark.stress
@pytest.mark.quiet
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
    assert found["cpu_percent"] > 50  # of one core
    assert found["memory_bytes"] > 80 << 20
    assert 0 < found["memory_percent"] < 100


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
