"""A training that never ends, until it is killed: `endless.py TRAINING`. It prints how much is recorded for sure."""

import sys
import warnings
from pathlib import Path

from tests.stress import trainings

ENDLESS = 1_000_000


def acknowledge(number: int) -> None:
    """Tell that all before this epoch, step or fit was recorded."""
    print(number, flush=True)


def log() -> None:
    """Log by hand, with a param, a file and a child now and then; each call that has returned is told."""
    import runlore

    kept = Path("kept.txt")
    with runlore.start_run("endless") as run:
        for step in range(ENDLESS):
            run.log_metrics({"loss": float(step), "acc": step / 3}, step=step)
            if step % 50 == 49:
                run.log_params({f"param_{step}": step})
                kept.write_text(str(step))
                run.log_artifact(kept)
                runlore.start_run(f"child-{step}", parent=run).finish()
            acknowledge(step + 1)


def main(name: str) -> None:
    warnings.simplefilter("ignore")
    trainings.EPOCHS = ENDLESS
    if name == "plain":
        log()
    else:
        trainings.train(name, acknowledge, recorded=True)


if __name__ == "__main__":
    main(sys.argv[1])
