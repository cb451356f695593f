"""The built-in plugin that names the GPUs and measures what the process tree uses: CPU, memory, GPU."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runlore.hookspecs import CaptureRequest, hookimpl
from runlore.plugins.git import find_program

DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of NVIDIA's driver on Linux, and on Windows' Linux subsystem


class SystemMetrics:
    """Measures the process tree. CPU load is measured from one call to the next: the first numbers mean nothing."""

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}

    @hookimpl
    def runlore_capture_environment(self, request: CaptureRequest) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the section `hardware` with the GPUs and their driver."""
        found = gpus(request.timeout)
        return {"hardware": found} if found else None

    @hookimpl
    def runlore_capture_metrics(self, request: CaptureRequest) -> dict[str, float]:
        """Measure CPU (percent of one core), resident memory (bytes) and threads; load and memory of the GPUs.

        Raises:
            ModuleNotFoundError: psutil is not installed.
        """
        try:
            import psutil
        except ModuleNotFoundError:
            raise ModuleNotFoundError("psutil is not installed: pip install 'runlore[system]'") from None
        numbers = dict.fromkeys(("cpu_percent", "memory_bytes", "threads", "processes"), 0.0)
        numbers["memory_percent"] = psutil.virtual_memory().percent
        for process in self._tree(psutil):
            try:
                with process.oneshot():
                    used = {"cpu_percent": process.cpu_percent(), "memory_bytes": process.memory_info().rss}
                    used |= {"threads": process.num_threads(), "processes": 1}
            except psutil.Error:  # it has ended
                continue
            for name, value in used.items():
                numbers[name] += value
        return numbers | _gpu_load()

    def _tree(self, psutil: Any) -> list[Any]:
        """Return this process and its descendants, each as the object that has measured it before."""
        here = self._processes.get(os.getpid()) or psutil.Process()
        try:
            now = [here, *here.children(recursive=True)]
        except psutil.Error:
            now = [here]
        before = self._processes
        self._processes = {item.pid: before[item.pid] if before.get(item.pid) == item else item for item in now}
        return list(self._processes.values())


def plugin() -> SystemMetrics:
    """Return the plugin; each process has its own, as its measurements go on from the last ones."""
    return SystemMetrics()


def gpus(timeout: float) -> dict[str, Any]:
    """Return names, memory and driver of NVIDIA's GPUs; empty where there are none. `timeout` is in seconds."""
    with _nvml() as nvml:
        if nvml is not None:
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            names = [_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
            memory = [nvml.nvmlDeviceGetMemoryInfo(handle).total for handle in handles]
            return {"gpus": names, "gpu_memory_bytes": memory, "gpu_driver": _text(nvml.nvmlSystemGetDriverVersion())}
    return _ask_nvidia_smi(timeout)


def _ask_nvidia_smi(timeout: float) -> dict[str, Any]:
    tool = find_program("nvidia-smi")
    if tool is None:
        return {}
    import subprocess

    command = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=timeout, check=False, stdin=subprocess.DEVNULL
    )
    rows = [line.split(", ") for line in done.stdout.splitlines() if line.count(", ") == 2]
    if done.returncode or not rows:
        return {}
    memory = [int(row[1]) << 20 if row[1].isdecimal() else None for row in rows]
    return {"gpus": [row[0] for row in rows], "gpu_memory_bytes": memory, "gpu_driver": rows[0][2]}


def _gpu_load() -> dict[str, float]:
    numbers: dict[str, float] = {}
    with _nvml() as nvml:
        for index in range(nvml.nvmlDeviceGetCount()) if nvml is not None else ():
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            numbers[f"gpu_{index}_percent"] = nvml.nvmlDeviceGetUtilizationRates(handle).gpu
            numbers[f"gpu_{index}_memory_bytes"] = nvml.nvmlDeviceGetMemoryInfo(handle).used
    return numbers


@contextmanager
def _nvml() -> Iterator[Any]:
    """Load NVIDIA's management library by nvidia-ml-py; None where either is missing."""
    if not any(Path(device).exists() for device in DEVICES):  # importing the library takes tens of milliseconds
        yield None
        return
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # not installed, no driver, no permission: each has an exception of its own
        yield None
        return
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise RuntimeError(f"NVML: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
