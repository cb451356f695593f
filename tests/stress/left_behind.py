"""Does one thing a thousand times, and prints what of it is left behind; run as a script by `test_left_behind`.

What is bounded, such as the files of the newest additions, is there after the first hundred times.
"""

import atexit
import gc
import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import runlore

CORE = ("run", "resumed", "addition", "received", "fork", "thread", "reading")
KEPT: list[Any] = []  # models that a user keeps


def counted() -> dict[str, Any]:
    """Return what a process has at a time."""
    gc.collect()
    names = [os.path.realpath(f"/proc/self/fd/{item}") for item in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return {
        "files": len(names),
        "sockets": sum("socket:" in name for name in names),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": len(os.listdir("/proc/self/task")),  # noqa: PTH208
        "at exit": atexit._ncallbacks(),
        "filters": len(warnings.filters),
        "finders": len(sys.meta_path),
    }


def run() -> None:
    """Record a run that logs a little."""
    with runlore.start_run("one") as one:
        one.log_metrics({"loss": 1.0})


def resumed() -> None:
    """Record a run without a block, and go on with it."""
    one = runlore.start_run("one", tags={"a": "b"})
    one.finish()
    runlore.start_run("one", resume=one.id).finish()


def addition() -> None:
    """Add to a run that has ended."""
    with runlore.start_run("one") as one:
        pass
    runlore.open_store().run(one.id).note("later")


def received() -> None:
    """Receive a run as a worker does, and log on it."""
    with runlore.start_run("one") as one:
        sent = pickle.dumps(one)
    pickle.loads(sent).log_metrics({"loss": 1.0})


def fork() -> None:
    """Fork while a run is open; the child logs on it."""
    with runlore.start_run("one") as one:
        child = os.fork()
        if not child:
            one.log_metrics({"loss": 1.0})
            os._exit(0)
        os.waitpid(child, 0)


def thread() -> None:
    """Record a run in a thread of the user's."""
    user = threading.Thread(target=run)
    user.start()
    user.join()


def reading() -> None:
    """Ask for the newest run and its series."""
    runlore.open_store().runs(limit=1)[0].metrics["loss"].values  # noqa: B018


def fit() -> None:
    """Fit and score a model."""
    from sklearn.linear_model import LinearRegression

    x, y = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]
    LinearRegression().fit(x, y).score([[4.0], [5.0]], [4.0, 5.5])


def partial_fit() -> None:
    """Fit a model by parts, and keep it."""
    from sklearn.linear_model import SGDRegressor

    KEPT.append(SGDRegressor().partial_fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]))


def evaluation() -> None:
    """Evaluate a model that was read from a file of a run of its own, and keep it."""
    from sklearn.linear_model import Ridge

    x, y = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]
    data = pickle.dumps(Ridge(alpha=len(KEPT) + 1).fit(x, y))
    with open("model.pkl", "wb") as file:  # noqa: PTH123
        file.write(data)
    with open("model.pkl", "rb") as file:  # noqa: PTH123
        model = pickle.load(file)
    model.score([[4.0], [5.0]], [4.0, 5.5])
    KEPT.append(model)


def keras_evaluation() -> None:
    """Evaluate a model of Keras that was read from a file of a run of its own."""
    import keras
    import numpy

    x, y = numpy.ones((4, 1)), numpy.ones((4, 1))
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(x, y, verbose=0)
    model.save("model.keras")
    keras.models.load_model("model.keras").evaluate(x, y, verbose=0)


def lightning_fit() -> None:
    """Fit a model of Lightning, and test it from its checkpoint."""
    import torch
    from pytorch_lightning import Trainer
    from pytorch_lightning.demos.boring_classes import BoringModel

    torch.set_num_threads(1)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    trainer = Trainer(max_steps=1, limit_val_batches=0, limit_test_batches=1, **quiet)
    callbacks = list(trainer.callbacks)
    trainer.fit(BoringModel())
    assert trainer.callbacks == callbacks
    trainer.save_checkpoint("model.ckpt")
    Trainer(limit_test_batches=1, **quiet).test(BoringModel(), ckpt_path="model.ckpt", verbose=False)


def main(name: str, times: int) -> None:
    """Do it some times, count, and do it as often as asked for."""
    action: Callable[[], None] = globals()[name]
    if name not in CORE:
        warnings.simplefilter("ignore")  # of the frameworks
        runlore.autolog()
    if name == "reading":
        run()
    for _ in range(min(100, times // 2)):
        action()
    files = counted()["files"]
    KEPT.clear()
    before = counted()
    for _ in range(times):
        action()
    files_then = counted()["files"]
    KEPT.clear()
    until = time.monotonic() + 20  # for threads that are just ending
    while (after := counted()) != before and time.monotonic() < until:
        time.sleep(0.05)
    told = {**after, "files, all models kept": files_then}
    for what, number in told.items():
        expected = before.get(what, files)
        if number != expected if what == "threads" else number > expected:
            print(f"{what}: {expected} and then {number}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
