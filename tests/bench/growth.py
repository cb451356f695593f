"""Measures what questions cost in stores of any size: `python -m tests.bench.growth FOLDER 1000 10000 100000`.

Each question is a process of its own, which tells the CPU that it took and its largest memory. The store's files are
copies of ten recorded runs. What was measured is kept as FOLDER/growth.json, to which another call adds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.stress.growing import grow, make_templates

HITS = 9_600
RUNS_A_DAY = 300
KIB = 1 << 10

# Each script prints "CPU seconds, memory in KiB" of its question alone, where the process' own are not meant.
SCRIPTS = {
    "first index": "store.runs(limit=1)",
    "one new run": """
        folder = max(store.root.glob("runs/*/*"))
        template = min(folder.glob("*.run"))
        store.runs(limit=1)
        found = []
        for number in range(20):
            grow(store.root, [template], 1, 0)
            began = time.process_time()
            store.index.refresh()
            found.append(time.process_time() - began)
        took = statistics.median(found)
        """,
    "nothing changed": """
        store.runs(limit=1)
        began = time.process_time()
        for number in range(100):
            store.index.refresh()
        took = (time.process_time() - began) / 100
        """,
    "top ten": """
        where = "params.lr < 0.5"
        store.runs(where, sort="metrics.metric_0.min", limit=10)
        began = time.process_time()
        for number in range(10):
            store.runs(where, sort="metrics.metric_0.min", limit=10)
        took = (time.process_time() - began) / 10
        """,
    "9,600 hits": f"store.runs(limit={HITS})",
    "page: keys": "tables.keys(store); began = time.process_time(); tables.keys(store)",
    "page: columns": """
        tables.suggested(store, "", [])
        began = time.process_time()
        tables.suggested(store, "", [])
        """,
    "page: hundred rows": """
        ask = lambda: tables.table(store, "", ["params.lr", "metrics.metric_0"], "-metrics.metric_0", 0, 100, [])
        ask()
        began = time.process_time()
        ask()
        """,
}
COMMANDS = {
    "`ls`": ["ls"],
    "`ls --json`, a run": ["ls", "--json"],
    "`stats --by --over`": ["stats", "--metric", "metric_0", "--by", "params.lr", "--over", "params.seed"],
    "`doctor`": ["doctor"],
}
PER_RUN = ("`ls --json`, a run",)
QUESTIONS = [*SCRIPTS, *COMMANDS]
AROUND = """
import os, statistics, sys, time
from pathlib import Path
from runlore import open_store
from runlore.ui import tables
from tests.stress.growing import grow
store = open_store(sys.argv[1])
took = None
began = time.process_time()
{question}
took = time.process_time() - began if took is None else took
print(took)
"""
# ru_maxrss would count what the process was before exec
TELLING = """
import atexit, sys
def tell(note=sys.argv.pop()):
    with open("/proc/self/status") as status, open(note, "w") as file:
        file.write(next(line.split()[1] for line in status if line.startswith("VmHWM")))
atexit.register(tell)
"""
COMMAND = """
from runlore.cli import main
main()
"""


def make(root: Path, runs: int) -> None:
    """Make a store of so many runs that nobody has read."""
    from runlore import open_store

    shutil.rmtree(root, ignore_errors=True)
    templates = make_templates(open_store(root))
    kept = [path.rename(root / path.name) for path in templates]
    shutil.rmtree(root / "runs")
    grow(root, kept, runs, max(10, runs // RUNS_A_DAY))
    for path in kept:
        path.unlink()


def ask(question: str, root: Path) -> tuple[float, float]:
    """Return the CPU seconds and the MiB of memory that a question takes in a process of its own."""
    if question in SCRIPTS:
        program, arguments = AROUND.format(question=dedent(SCRIPTS[question])), [str(root)]
    else:
        program, arguments = COMMAND, [*COMMANDS[question], "--store", str(root)]
    note = root.with_name(f"{root.name}-memory")
    command = [sys.executable, "-c", TELLING + program, *arguments, str(note)]
    environment = {**os.environ, "RUNLORE_QUIET": "1", "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    printed = b""
    with process.stdout:
        while block := process.stdout.read(1 << 20):
            printed = block[-100:]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{question}: {printed.decode()}")
    memory = float(note.read_text()) / KIB
    note.unlink()
    return float(printed) if question in SCRIPTS else used.ru_utime + used.ru_stime, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="+", type=int)
    parser.add_argument("--only", action="append", help="parts of the names of questions to ask")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = options.folder / "growth.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    os.environ["RUNLORE_QUIET"] = "1"
    for runs in options.runs:
        root = options.folder / str(runs)
        if not root.exists():
            make(root, runs)
        for question in QUESTIONS:
            if options.only and not any(part in question for part in options.only):
                continue
            if question == "first index":
                (root / "index-v1.sqlite").unlink(missing_ok=True)
            took, memory = ask(question, root)
            if question in PER_RUN:
                took /= runs
            found.setdefault(question, {})[str(runs)] = [took, memory]
            print(f"{runs:>9,} {question:<24}{took * 1e3:>12.3f} ms {memory:>8.0f} MiB", flush=True)
            kept.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
