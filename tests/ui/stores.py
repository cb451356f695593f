"""The stores that the page is tried on: real trainings, runs made for it, and 10,000 synthetic ones."""

import random
import re
import subprocess
from pathlib import Path

import pytest

from runlore import Store
from tests.stress.growing import grow
from tests.ui.serving import ROOT, run_script

SWEEP = """
import json, math, random
import runlore

for lr in (0.001, 0.01, 0.1):
    for seed in range(4):
        params = {"lr": lr, "seed": seed, "model": "mlp" if seed % 2 else "cnn"}
        name, tags = f"sweep-{lr:g}-{seed}", {"team": "vision"}
        with runlore.start_run(name, experiment="sweep", params=params, tags=tags) as run:
            chance = random.Random(seed)
            for step in range(3000):
                peak = 5.0 if (lr, seed, step) == (0.1, 1, 1777) else 0.0
                loss = math.exp(-step * lr / 30) + 0.05 * chance.random() + peak
                run.log_metrics({"loss": loss, "grad_norm": chance.random()}, step, epoch=step / 300)
                if step % 300 == 299:
                    run.log_metrics({"loss": loss + 0.1 * chance.random(), "acc": 1 - loss / 2}, step, split="val")
            matrix = [[chance.randint(40, 60) if i == j else chance.randint(0, 8) for j in range(6)] for i in range(6)]
            matrix = json.dumps({"labels": list("abcdef"), "matrix": matrix})
            run.run_log.keep_bytes(matrix.encode(), name="confusion_matrix.json", kind="report")
            run.run_log.keep_bytes(b"name,score\\nfirst,1\\nsecond,2\\n", name="scores.csv", kind="table")
            svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='80' height='80' onload='parent.hacked=1'>" \\
                  b"<script>parent.hacked=2</script><circle cx='40' cy='40' r='30' fill='teal'/></svg>"
            run.run_log.keep_bytes(svg, name="circle.svg", kind="image")
            run.run_log.keep_bytes(b"weights of " + run.id.encode(), name="model.bin", kind="model")
            print("the last line of", run.name)
"""
EVIL = """
import runlore

BAD = "<img src=x onerror='window.hacked=1'>"
SCRIPT = "<script>window.hacked=2</script>"
try:
    with runlore.start_run(f"evil {BAD}", params={f"p{BAD}": SCRIPT}, tags={"x": f'"{SCRIPT}', f"k{BAD}": "v"}) as run:
        run.note(f"note {SCRIPT}{BAD}")
        run.log_metrics({f"m{BAD}": 1.0, "__proto__": 2.0})
        run.log_metrics({f"m{BAD}": 2.0})
        run.run_log.keep_bytes(f"<html>{SCRIPT}{BAD}</html>".encode(), name=f"page{BAD}.html", kind="report")
        run.run_log.keep_bytes(f"a,b\\n{BAD},{SCRIPT}\\n".encode(), name="bad.csv", kind="report")
        matrix = b'{"labels": ["<b onclick=1>", "b"], "matrix": [[1, 2], [3, 4]]}'
        run.run_log.keep_bytes(matrix, name="bad.json", kind="report")
        print(f"printed {SCRIPT}{BAD}")
        raise RuntimeError(f"boom {BAD}")
except RuntimeError:
    pass
"""
RESUMED = """
import os, sys
import runlore

again = len(sys.argv) > 1
run = runlore.start_run("resumed", resume="resumed" if again else None, at_step=9 if again else None)
for step in range(10, 20) if again else range(12):
    run.log_metrics({"loss": float(step), "system/cpu_percent": 50.0 + step}, step)
if again:
    run.log_summary({"best_loss": 0.25})
    run.finish()
else:
    os._exit(1)
"""


def make_real(folder: Path) -> Path:
    """Trainings of two frameworks in a repository with an uncommitted change, a sweep, and a run of attacks."""
    work = folder / "work"
    work.mkdir()
    for name in ("sklearn_compare.py", "lightning_digits.py"):
        (work / name).write_text((ROOT / "examples" / name).read_text())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=work, check=True)
    store = folder / "store"
    run_script(store, "sklearn_compare.py", folder=work)
    run_script(store, "lightning_digits.py", folder=work)
    text = (work / "lightning_digits.py").read_text()
    (work / "lightning_digits.py").write_text(text.replace("(1e-3, 1e-2)", "(3e-3, 1e-2)"))
    run_script(store, "lightning_digits.py", folder=work)
    (work / "resumed.py").write_text(RESUMED)
    run_script(store, "resumed.py", folder=work, status=1)
    run_script(store, "resumed.py", "again", folder=work)
    for name, script in (("sweep.py", SWEEP), ("evil.py", EVIL)):
        (work / name).write_text(script)
        run_script(store, name, folder=work, RUNLORE_OUTPUT="1")
    name_models(Store(store))
    return store


def name_models(store: Store) -> None:
    """Give some of the sweep's files names: two models, whose aliases were moved."""
    digits = store.model("digits")
    digits.add("sweep-0.01-2", "model.bin", aliases=["prod"], reason="the first one that is good enough")
    digits.add("sweep-0.1-0", "model.bin", note="larger steps", aliases=["candidate"])
    digits.add("sweep-0.01-0", "model.bin", note="another seed")
    digits.set_alias("prod", "candidate", reason="better on dark images")
    digits.set_alias("candidate", 3)
    digits.add_note("fails on sevens", 1)
    store.model("vision/sevens").add("sweep-0.001-0", "model.bin")


def make_many(folder: Path, count: int = 10_000) -> Path:
    """Many short runs, `run-0000` and on, copied from a hundred; the newest ten are long."""
    with pytest.MonkeyPatch.context() as settings:
        settings.chdir(folder)  # nothing of this repository is captured
        settings.setenv("RUNLORE_QUIET", "1")
        return _made_many(folder, count)


def _made_many(folder: Path, count: int) -> Path:
    chance = random.Random(0)
    store, models = Store(folder / "many"), Store(folder / "models")
    for number in range(100):
        _record_one(models, number, 3, chance)
    short = sorted(models.root.glob("runs/*/*/*.run"))
    times = [[int(found) for found in re.findall(rb'"time":(\d+)', path.read_bytes())] for path in short]

    def varied(number: int, start: int) -> dict[bytes, bytes]:
        model = number % len(short)
        return {
            b'"name":"run-%04d"' % model: b'"name":"run-%04d"' % number,
            b'"seed":%d' % seed_of(model): b'"seed":%d' % seed_of(number),
            **{b"%d" % time: b"%d" % (start + time - times[model][0]) for time in times[model]},
        }

    for number in range(count - 10, count):
        _record_one(store, number, 10_000, chance)
    grow(store.root, short, count - 10, 2, varied)
    store.runs(limit=1)
    return store.root


def seed_of(number: int) -> int:
    """Return the seed of one of many runs: ten runs have each."""
    return 1000 + number // 10


def _record_one(store: Store, number: int, steps: int, chance: random.Random) -> None:
    """Record one of many runs."""
    params = {"lr": number % 10 / 10, "seed": seed_of(number), "model": chance.choice(["mlp", "cnn", "vit"])}
    params |= {f"param_{place}": chance.random() for place in range(6)}
    with store.start_run(f"run-{number:04}", params=params, experiment=f"exp-{number % 5}") as run:
        for step in range(steps):
            run.log_metrics({"loss": chance.random() / (step + 1), "val_acc": chance.random()}, step)
