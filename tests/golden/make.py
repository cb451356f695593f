"""Makes the golden files of the current format: `python -m tests.golden.make FOLDER`. Old ones are never made again."""

import hashlib
import json
import os
import shutil
import sys
from functools import partial
from itertools import product
from pathlib import Path

import runlore
from runlore import _startup
from runlore.log import liveness
from runlore.log.frames import FORMAT
from runlore.models import changes
from runlore.recording import run
from runlore.store import runs


def main(target: Path) -> None:
    target = target.absolute()
    os.chdir("/")  # no place of this machine goes into the files
    del sys.modules["__main__"].__file__
    sys.argv, sys.executable, sys.prefix = ["train.py"], "python", "/usr"
    told = {"boot_id": "0" * 8, "user_name": "ann", "host_name": "lab"}  # whoever reads the files does so after a boot
    for module, name in product((liveness, _startup, run, runs, changes), told):
        if hasattr(module, name):
            setattr(module, name, partial(told.get, name))
    store = runlore.open_store(target / "store")
    make_finished(store)
    make_asked(store)
    make_model(store)
    make_cut_off(store)
    for name in ("index-v1.sqlite", "index-v1.lock", ".gitignore"):
        (store.root / name).unlink(missing_ok=True)
    shutil.rmtree(store.root / "marks", ignore_errors=True)
    (target / "expected.json").write_text(json.dumps({"format": FORMAT, "runs": 5}) + "\n")


def make_finished(store: runlore.Store) -> None:
    """Make runs that ended well: metrics of all kinds, data, links, files."""
    with store.start_run("sealed", params={"lr": 0.1, "model": {"depth": 3}}, tags={"team": "vision"}) as run:
        for step in range(40):
            run.log_metrics({"loss": 1 / (step + 1), "acc": step / 40}, step=step, epoch=step / 10)
        run.log_metrics({"loss": 9.0}, step=3)
        run.log_metrics({"accuracy": 0.5, "odd": float("nan")}, step=39, split="val")
        run.note("a nte")
        run.note("of another run")
    sealed = store.run("sealed")
    sealed.set_tags({"late": "yes"})
    sealed.edit_note(sealed.notes[0], "a note")
    sealed.edit_note(sealed.notes[1], None)
    with store.start_run("described", params={"password": "hunter2"}) as run:
        run.log_data("X", [[1.0, 2.0], [3.0, float("nan")]])
        run.log_data("y", [0, 1], classes=["no", "yes"])
        run.link("refit_of", store.run("sealed").id)
        run.run_log.keep_bytes(b"model", name="model.pkl", kind="model")
        run.log_table("predictions", [{"id": 1, "true": "cat"}], step=3)
        run.run_log.event(
            {"type": "artifact", "name": "w", "kind": "checkpoint", "path": "/w", "pending": True, "size": 1}
        )
        run.run_log.event({"type": "artifact", "completes": True, "path": "/w", "sha256": "ab" * 32})
    with store.start_run("rewound") as run:
        for step in range(4):
            run.log_metrics({"loss": float(step)}, step=step)
        run.run_log.rewind(1)
        run.log_metrics({"loss": 20.0}, step=2)
        run.log_summary({"train_runtime": 1.5, "best": {"score": float("inf")}})


def make_asked(store: runlore.Store) -> None:
    """Make a run that another one asked for, with weights."""
    os.environ["RUNLORE_REPRODUCTION"] = "1k00000000000000aa"
    with store.start_run("asked") as run:
        run.run_log.keep_bytes(b"weights", name="model.pt", kind="model")
        run.run_log.keep_bytes(b"plot", name="plot.png")
        run.link("resumed_from", store.run("sealed").id, step=3, sha256="cd" * 32)
        sha256 = hashlib.sha256(b"weights").hexdigest()
        run.run_log.event({"type": "weights", "sha256": sha256, "fingerprints": ["ef" * 32], "shapes": ["01" * 32]})
        run.run_log.event({"type": "dropped", "sha256": [hashlib.sha256(b"plot").hexdigest()], "why": "gc"})
    del os.environ["RUNLORE_REPRODUCTION"]


def make_cut_off(store: runlore.Store) -> None:
    """Make a run whose log is torn in the middle of a frame."""
    live = store.start_run("cut off")
    for step in range(5):
        live.log_metrics({"loss": float(step)}, step=step)
    (log,) = (store.root / "runs").rglob("*.log")
    kept = log.read_bytes()
    live.finish()
    for path in store.root.rglob(f"{live.id}*"):
        path.unlink()
    log.write_bytes(kept + b"\xa5RLJ\xff")


def make_model(store: runlore.Store) -> None:
    """Make a model with two versions, an alias that was moved, and notes."""
    model = store.model("digits")
    model.add("described", "model.pkl", aliases=["prod"], note="a note", reason="the first one")
    model.add("asked-again", "model.pt")
    model.set_alias("prod", 2, reason="better on dark images")
    model.add_note("fails on sevens", 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
