"""Pythons of a program whose environment was made anew: those that a Python starts join, of others it is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from tests.programs.test_borrowing import both

CHILD = """
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
print(parser.parse_args(), sys.executable, sys.prefix, sys.argv, sys.path[1:], sys.flags)
"""
STARTS = {
    "run": "subprocess.run(words, env=env, check=True)",
    "run with another path": "subprocess.run(words, env={**os.environ, **env}, check=True)",
    "a variable that is changed": "os.environ.update(env); subprocess.run(words, check=True)",
    "check_output": "print(subprocess.check_output(words, env=env, text=True), end='')",
    "a shell": "subprocess.run(' '.join(words), env={**os.environ, **env}, shell=True, check=True)",
    "asyncio": "import asyncio; asyncio.run(main())",
    "posix_spawn": "os.waitpid(os.posix_spawn(words[0], words, env), 0)",
    "exec": "sys.stdout.flush(); os.execve(words[0], words, env)",
    "execvpe": "sys.stdout.flush(); os.execvpe(words[0], words, env)",
    "spawn": "os.spawnve(os.P_WAIT, words[0], words, env)",
    "a script that Python executes": "subprocess.run(['./train', *words[2:]], env=env, check=True)",
}
PARENT = """
import os, subprocess, sys
async def main():
    process = await asyncio.create_subprocess_exec(*words, env=env)
    await process.wait()
words = [sys.executable, "child.py", "--lr", "0.5"]
env = {"PYTHONPATH": "src", "PATH": os.environ["PATH"]}
"""


@pytest.mark.parametrize("start", STARTS)
def test_a_python_that_a_python_starts_joins(store: Store, tmp_path: Path, start: str) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "train").write_text(f"#!{sys.executable}\n{CHILD}")
    (tmp_path / "train").chmod(0o755)
    (tmp_path / "parent.py").write_text(f"{PARENT}{STARTS[start]}\n")
    bare, recorded = both(tmp_path, sys.executable, "parent.py")
    assert "lr=0.5" in bare.stdout
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, bare.returncode)
    (found,) = store.runs()
    assert found.params == {"lr": 0.5}


LOOKS = """
import io, os, subprocess, sys
env = {"A": "1"}
print(subprocess.run(["/usr/bin/env"], env=env, capture_output=True, text=True).stdout, env)
print(subprocess.run("env", env=env, shell=True, capture_output=True, text=True).stdout.count("RUNLORE"))
for call in (lambda: subprocess.run(["none"], env=env), lambda: os.execve("/none", ["none"], env),
             lambda: subprocess.Popen(), lambda: subprocess.run([]), lambda: os.execve("/none", [], 5),
             lambda: subprocess.run(["env"], env={"A=": "1"}), lambda: subprocess.run(["env"], env=5)):
    try:
        call()
    except Exception as error:
        trace, names = error.__traceback__, []
        while trace is not None:
            names.append((trace.tb_frame.f_code.co_name, trace.tb_lineno))
            trace = trace.tb_next
        print(type(error), error, names)
import inspect
print(inspect.signature(subprocess.Popen), subprocess.Popen.__init__.__qualname__, os.execve in os.supports_fd)
print(subprocess.Popen(iter(["true"]), env=env).wait(), subprocess.Popen(["true"], env={b"A": b"1"}).wait())
"""


def test_who_starts_programs_does_not_notice(store: Store, tmp_path: Path) -> None:
    (tmp_path / "looks.py").write_text(LOOKS)
    bare, recorded = both(tmp_path, sys.executable, "looks.py")
    assert "A=1" in bare.stdout
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)


@pytest.mark.parametrize(
    ("words", "what", "why"),
    [
        ("PYTHONPATH=src {python} train.py --token hf_x", "python train.py", "its PYTHONPATH was set anew"),
        ("env -i {python} -m train", "python -m train", "its PYTHONPATH was set anew"),
        ("{python} -W error -Ec 'import train'", "python -c", "it was started by -I, -E or -S"),
    ],
)
def test_a_python_that_can_not_join_is_told(store: Store, tmp_path: Path, words: str, what: str, why: str) -> None:
    (tmp_path / "train.py").write_text("import sys, time; print(len(sys.argv), flush=True); time.sleep(1)")
    command = [sys.executable, "-m", "runlore", "run", "sh", "-c", f"cd .; {words.format(python=sys.executable)}; true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    (found,) = store.runs()
    assert [(item["what"], item["why"]) for item in found.missing] == [(f"what {what} does", why)]
    assert done.stderr.splitlines()[-1].endswith(f"what {what} does is not recorded: {why}")
    assert "hf_x" not in done.stderr
