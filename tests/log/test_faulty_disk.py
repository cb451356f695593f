"""A disk that fails is told in its own words, and a run that ended well says so wherever a few bytes fit."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define REAL(name) ((ssize_t (*)())dlsym(RTLD_NEXT, name))
static int fails(int file) {
    char link[64], path[4096] = "";
    const char *store = getenv("RUNLORE_STORE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (access("broken", F_OK) || readlink(link, path, sizeof path - 1) < 0) return 0;
    errno = EIO;
    return !strncmp(path, store, strlen(store));
}
ssize_t write(int file, const void *data, size_t size) { return fails(file) ? -1 : REAL("write")(file, data, size); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    return fails(file) ? -1 : REAL("pwrite64")(file, data, size, place);
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library that lets writes below the store fail while there is a file "broken" in the working folder."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    command = ["cc", "-w", "-shared", "-fPIC", "-o", "shim.so", "shim.c", "-ldl"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs a C compiler")
    return str(folder / "shim.so")


def test_a_run_at_the_limit_of_its_files_reads_as_it_ended(store: Store, python: Python) -> None:
    """It was told as a full disk; the end needed a descriptor of its own, and read crashed where there was none."""
    process = python("""
        import os, resource, runlore
        run = runlore.start_run("cut")
        run.companions.await_captures()
        limit = run.run_log.writer.size + 1000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step)
        run.set_tags({"long": "x" * 2000})
        first = os.open(os.devnull, os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        run.finish()
        print("trained")
    """)
    assert process.succeed() == "trained\n"
    assert process.err.count("RunloreWarning") == 1
    assert "can't write to run 'cut'" in process.err
    assert "File too large" in process.err
    found = store.run("cut")
    count = found.metrics["loss"].count
    assert 0 < count < 100
    why = "File too large (the process may not write longer files, see `ulimit -f`)"
    assert (found.status, found.missing) == ("finished", [{"what": f"{101 - count} log calls", "why": why}])


def test_errors_of_the_disk_are_told_as_such_and_what_got_lost_is_counted(
    store: Store, python: Python, shim: str, tmp_path: Path
) -> None:
    """A run read crashed, and nothing was said of that but that the run would tell how many points it lost."""
    (tmp_path / "away").touch()
    process = python(
        """
        import os, runlore
        passing, lasting = runlore.start_run("passing"), runlore.start_run("lasting")
        for run in (passing, lasting):
            run.companions.await_captures()
        for step in range(10):
            if step in (3, 6):
                os.rename(*("away", "broken")[:: 1 if step == 3 else -1])
            passing.log_metrics({"loss": 1.0}, step)
            lasting.log_metrics({"loss": 1.0}, step)
        passing.finish()
        os.rename("away", "broken")
        lasting.log_metrics({"loss": 1.0}, 10)
        lasting.finish()
        print("trained")
        """,
        LD_PRELOAD=shim,
    )
    assert process.succeed() == "trained\n"
    assert process.err.count("Input/output error. Training goes on") == 2
    end = "1 calls of run 'lasting' can't be written: Input/output error, and nor can its end: it will read crashed"
    assert end in process.err
    (tmp_path / "broken").unlink()
    found = store.run("passing")
    assert found.metrics["loss"].steps.tolist() == [0, 1, 2, 6, 7, 8, 9]
    assert (found.status, found.missing) == ("finished", [{"what": "3 log calls", "why": "Input/output error"}])
    assert store.run("lasting").status == "crashed"
