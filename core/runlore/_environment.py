"""The built-in plugin that describes Python, the machine, the packages and the state of the git repository."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runlore.hookspecs import CaptureRequest, hookimpl

METADATA_SUFFIXES = (".dist-info", ".egg-info")


@hookimpl
def runlore_capture_environment(request: CaptureRequest) -> Mapping[str, Mapping[str, Any]]:
    """Sections: python, os, hardware, packages, git."""
    sections: dict[str, Mapping[str, Any]] = {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "prefix": sys.prefix,
        },
        "os": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "hardware": {"cpus": os.cpu_count(), "memory_bytes": _memory()},
        "packages": installed_packages(sys.path),
    }
    git = git_state(request.cwd, request.timeout)
    if git is not None:
        sections["git"] = git
    return sections


def installed_packages(path: list[str]) -> dict[str, str]:
    """Names and versions of distributions, from the names of their metadata folders: 0.5 ms for 300 of them."""
    found: dict[str, str] = {}
    for folder in path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(METADATA_SUFFIXES):
                project, _, version = name.rpartition(".")[0].partition("-")
                found.setdefault(project.replace("_", "-").lower(), version.partition("-")[0])
    return dict(sorted(found.items()))


def git_state(cwd: Path, timeout: float) -> dict[str, Any] | None:
    """Commit, branch, remote and whether anything is uncommitted; None outside a repository or without git.

    Raises:
        subprocess.TimeoutExpired: git took longer than `timeout` seconds.
    """
    status = _git(cwd, timeout, "status", "--porcelain=v2", "--branch", "--untracked-files=normal")
    if status is None:
        return None
    state: dict[str, Any] = {"commit": None, "branch": None, "dirty": False, "changed_files": 0, "untracked_files": 0}
    for line in status.splitlines():
        kind, _, rest = line.partition(" ")
        if line.startswith("# branch.oid "):
            commit = line.removeprefix("# branch.oid ")
            state["commit"] = None if commit.startswith("(") else commit
        elif line.startswith("# branch.head "):
            state["branch"] = line.removeprefix("# branch.head ")
        elif kind == "?":
            state["untracked_files"] += 1
        elif kind in ("1", "2", "u") and rest:
            state["changed_files"] += 1
    state["dirty"] = bool(state["changed_files"] or state["untracked_files"])
    root = _git(cwd, timeout, "rev-parse", "--show-toplevel")
    state["root"] = root.strip() if root else None
    return state


def _git(cwd: Path, timeout: float, *arguments: str) -> str | None:
    """What git prints; None where it is missing or says no. It takes no lock and asks nobody."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
