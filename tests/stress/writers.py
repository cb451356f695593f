"""Many processes that write a run each until a file is there: `writers.py COUNT STOP`. Prints id and steps of each."""

import os
import sys
import time
import warnings

import runlore


def write(number: int, stop: str) -> None:
    """Log until the file is there, and tell the run's id and how many steps it has."""
    with runlore.start_run(f"writer-{number}", params={"number": number}) as run:
        step = 0
        while not os.path.exists(stop):  # noqa: PTH110  # faster than pathlib
            run.log_metrics({"up": float(step), "down": float(-step), "third": step / 3}, step=step)
            step += 1
            time.sleep(0.02)
    print(f"{run.id} {step}\n", end="", flush=True)


def main(count: int, stop: str) -> int:
    """Fork the writers and wait for all; return how many have failed."""
    warnings.simplefilter("error")
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                write(number, stop)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
