"""What was tried to break it, and must not."""

import copy
import inspect
import os
import pickle
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from runlore import Store, guest
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import ROOT, Tiny, checkpoint, data, pl, trainer
from tests.process import Process

Python = Callable[..., Process]


class At(pl.Callback):  # type: ignore[misc,name-defined]
    """Does something in one hook, once."""

    done: bool

    def __init__(self, hook: str, action: Callable[[Any], object], step: int | None = None) -> None:
        def call(trainer: Any, *_: Any, **__: Any) -> None:
            if (step is None or trainer.global_step == step) and not self.done:
                self.done = True
                action(trainer)

        self.done = False
        setattr(self, hook, call)


def fail(trainer: Any) -> None:
    raise ValueError("mine")


def test_a_copy_of_the_trainer_saves_its_own_weights(store: Store, tmp_path: Path) -> None:
    def copy_and_save(trainer: Any) -> None:
        twin = copy.deepcopy(trainer)
        with torch.no_grad():
            for parameter in twin.lightning_module.parameters():
                parameter.fill_(42.0)
        twin.save_checkpoint(tmp_path / "twin.ckpt")
        again = pickle.loads(pickle.dumps(trainer.strategy))
        assert again.remove_checkpoint.__self__ is again

    trainer(RunloreCallback(), At("on_train_start", copy_and_save), max_epochs=1).fit(Tiny(), data())
    content = torch.load(tmp_path / "twin.ckpt", weights_only=True)
    assert content["state_dict"]["layer.bias"].tolist() == [42.0]
    assert not any(item.name == "twin.ckpt" for item in store.runs()[0].artifacts)


def test_what_others_put_on_the_trainer_stays(store: Store, tmp_path: Path) -> None:
    made = trainer(RunloreCallback(), max_epochs=1)
    seen: list[str] = []
    plain = made.save_checkpoint

    def mine(*args: Any, **kwargs: Any) -> None:
        seen.append("mine")
        plain(*args, **kwargs)

    made.save_checkpoint = mine
    with mock.patch.object(made.strategy, "remove_checkpoint"):
        made.fit(Tiny(), data())
    assert made.save_checkpoint is mine
    held: list[Any] = []
    made.callbacks.append(At("on_train_start", lambda trainer: held.append(trainer.save_checkpoint)))
    made.fit_loop.max_epochs = 2
    made.fit(Tiny(), data())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        held[0](tmp_path / "later.ckpt")  # one who kept our tap calls the original
    assert seen == ["mine"]


@pytest.mark.parametrize("again", ["same", "new"])
def test_a_fit_that_another_callback_leaves_without_a_word_is_failed(store: Store, again: str) -> None:
    first = trainer(At("on_exception", fail), RunloreCallback(), At("on_train_batch_end", fail, 3), max_epochs=1)
    with pytest.raises(ValueError, match="mine"):
        first.fit(Tiny(), data())
    second = first if again == "same" else trainer(RunloreCallback(), max_epochs=1)
    second.fit(Tiny(), data())
    finished, failed = store.runs()
    assert (finished.status, finished.metrics["train_loss_step"].count) == ("finished", 10)
    assert (failed.status, failed.metrics["train_loss_step"].count) == ("failed", 2)
    assert not guest.in_fit()


def test_a_test_that_is_left_without_a_word_adds_nothing_later(store: Store) -> None:
    made = trainer(RunloreCallback(), max_epochs=1)
    model = Tiny()
    made.fit(model, data())
    made.callbacks += [At("on_exception", fail), At("on_test_batch_end", fail)]
    with pytest.raises(ValueError, match="mine"):
        made.test(model, data(2), verbose=False)
    made.fit_loop.max_epochs = 2
    made.fit(model, data())
    second, first = store.runs()
    assert (first.metrics["train_loss_step"].count, second.metrics["train_loss_step"].count) == (10, 10)


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
@pytest.mark.parametrize("hook", ["on_fit_end", "teardown", "on_train_end"])
def test_an_exception_behind_the_training_fails_the_run(store: Store, hook: str, error: BaseException) -> None:
    def raise_it(trainer: Any) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        trainer(RunloreCallback(), At(hook, raise_it), max_epochs=1).fit(Tiny(), data())
    assert caught.value is error
    assert store.runs()[0].status == "failed"


def test_a_strategy_that_fails_to_end_fails_the_run(store: Store) -> None:
    class Failing(pl.strategies.SingleDeviceStrategy):  # type: ignore[misc,name-defined]
        def teardown(self) -> None:
            raise OSError("td")

    with pytest.raises(OSError, match="td"):
        trainer(RunloreCallback(), strategy=Failing("cpu"), max_epochs=1).fit(Tiny(), data())
    assert store.runs()[0].status == "failed"


def test_tests_leave_no_file_open(store: Store) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    def fit_and_test() -> None:
        made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
        made.fit(model, data(2))
        made.test(model, data(1), verbose=False)

    fit_and_test()
    before = count()
    for _ in range(10):
        fit_and_test()
    assert count() <= before


def test_searches_are_silent_and_leave_no_trace(store: Store) -> None:
    class Again(pl.callbacks.LearningRateFinder):  # type: ignore[misc,name-defined]
        def on_fit_start(self, *_: Any) -> None:
            return

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                self.lr_find(trainer, pl_module)

    trainer(RunloreCallback(), Again(num_training_steps=4), max_epochs=3).fit(Tiny(), data())
    run = store.runs()[0]
    assert run.metrics["train_loss_epoch"].count == 3
    assert run.metrics["train_loss_step"].count == 30
    assert not any(item.kind == "checkpoint" for item in run.artifacts)


def test_one_callback_that_can_not_be_asked_costs_no_other_param(store: Store) -> None:
    class Odd(pl.Callback):  # type: ignore[misc,name-defined]
        def __init__(self, writer: Any = None) -> None:
            pass

        @property
        def writer(self) -> Any:
            raise RuntimeError("not set up")

    trainer(RunloreCallback(), Odd(), max_epochs=1).fit(Tiny(), data())
    run = store.runs()[0]
    assert (run.params["lr"], run.params["trainer.max_epochs"], run.missing) == (0.1, 1, [])


def test_the_best_of_an_earlier_segment_is_kept(store: Store, tmp_path: Path) -> None:
    class Steered(Tiny):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            if not self.trainer.sanity_checking:
                self.log("val_loss", [0.1, 0.5, 0.4, 0.3][self.current_epoch])

    def fit(*callbacks: Any, **settings: Any) -> None:
        keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_last=True, save_top_k=1)
        made = trainer(RunloreCallback(), keep, *callbacks, enable_checkpointing=True, max_epochs=4)
        made.fit(Steered(), data(), data(1), **settings)

    with pytest.raises(ValueError, match="mine"):
        fit(At("on_train_batch_end", fail, 25))
    path = store.runs()[0].artifact("best").path
    assert path is not None
    fit(ckpt_path=tmp_path / "ck" / "last.ckpt")
    (run,) = store.runs()
    best = run.artifact("best")
    assert (best.path, best.stored, len(run.segments)) == (path, True, 2)


def test_going_on_from_a_file_that_another_run_logged_goes_on_with_its_maker(store: Store, tmp_path: Path) -> None:
    def fit(*callbacks: Any, **settings: Any) -> None:
        made = trainer(
            RunloreCallback(), checkpoint(tmp_path / "ck", save_last=True), *callbacks, enable_checkpointing=True
        )
        made.fit(Tiny(), data(), **settings)

    with pytest.raises(ValueError, match="mine"):
        fit(At("on_train_batch_end", fail, 25))
    with store.start_run("reader") as run:
        run.log_artifact(tmp_path / "ck" / "last.ckpt", kind="input-checkpoint")
    (tmp_path / "copy.ckpt").write_bytes((tmp_path / "ck" / "last.ckpt").read_bytes())
    fit(ckpt_path=tmp_path / "copy.ckpt")
    reader, maker = store.runs()
    assert (reader.name, len(maker.segments), maker.status) == ("reader", 2, "finished")


def test_a_logger_alone_records_tests_too(store: Store) -> None:
    made, model = trainer(logger=RunloreLogger(), max_epochs=1), Tiny()
    made.fit(model, data())
    made.test(model, data(2), verbose=False)
    assert store.runs()[0].metrics["test_loss"].steps.tolist() == [10]


def test_tests_on_other_data_or_of_other_models_are_told_apart(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    made, model = trainer(RunloreCallback(), keep, enable_checkpointing=True), Tiny()
    made.fit(model, data())
    first, second = data(2), data(3)
    for loader in (first, second, first):
        made.test(model, loader, verbose=False)
    made.test(Tiny(lr=9.0), first, verbose=False)
    made.test(model, first, ckpt_path=tmp_path / "ck" / "epoch=0-step=10.ckpt", verbose=False)
    run = store.runs()[0]
    assert run.metrics["test_loss"].steps.tolist() == [10, 30]
    assert run.metrics["test_loss/test_2"].steps.tolist() == [30]


def test_a_checkpoint_callback_without_a_best_does_not_take_the_role(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", monitor="train_loss_epoch")
    odd = pl.callbacks.OnExceptionCheckpoint(tmp_path / "odd")
    trainer(RunloreCallback(), odd, keep, enable_checkpointing=True).fit(Tiny(), data())
    assert store.runs()[0].artifact("best").path == keep.best_model_path


def test_a_folder_of_checkpoints_that_somebody_removes_is_gone(store: Store, tmp_path: Path) -> None:
    import shutil

    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    remove = At("on_train_epoch_start", lambda trainer: shutil.rmtree(tmp_path / "ck", ignore_errors=True))
    remove.done = True
    made = trainer(RunloreCallback(), keep, remove, At("on_train_end", lambda _: shutil.rmtree(tmp_path / "ck")),
                   enable_checkpointing=True)  # fmt: skip
    made.fit(Tiny(), data())
    found = [item for item in store.runs()[0].artifacts if item.kind == "checkpoint"]
    assert [item.present for item in found] == [False, False, False]


@pytest.mark.parametrize("ending", ["good", "failed"])
def test_sigterm_after_a_fit_within_the_users_run_reads_interrupted(store: Store, python: Python, ending: str) -> None:
    process = python(
        """
        import contextlib, os, sys, warnings
        warnings.simplefilter("ignore")
        import runlore
        from runlore_lightning import RunloreLogger
        from tests.lightning.models import Tiny, data, trainer
        class Failing(Tiny):
            def on_train_end(self):
                if sys.argv[1] == "failed":
                    raise ValueError("mine")
        with runlore.start_run("mine"), contextlib.suppress(ValueError):
            try:
                trainer(logger=RunloreLogger(), max_epochs=1).fit(Failing(), data())
            finally:
                os.kill(os.getpid(), 15)
        """,
        ending,
        PYTHONPATH=ROOT,
    )
    assert process.wait() == -signal.SIGTERM
    assert store.run("mine").status == "interrupted"


def test_params_of_the_optimizer_are_those_that_the_checkpoint_brought(store: Store, tmp_path: Path) -> None:
    def fit(lr: float, epochs: int, **settings: Any) -> Any:
        keep = checkpoint(tmp_path / "ck", save_last=True)
        made = trainer(RunloreCallback(), keep, enable_checkpointing=True, max_epochs=epochs)
        made.fit(Tiny(lr=lr), data(), **settings)
        return store.runs()[0]

    fit(0.5, 1)
    run = fit(0.1, 2, ckpt_path=tmp_path / "ck" / "last.ckpt")
    assert (run.params["lr"], run.params["optimizer.lr"], run.metrics["lr-SGD"].last) == (0.1, 0.5, 0.5)


def test_a_fit_that_is_too_short_to_log_says_so(store: Store) -> None:
    class ByStep(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = self.loss(batch)
            self.log("loss", loss)
            return loss

    trainer(RunloreCallback(), max_epochs=1, log_every_n_steps=50).fit(ByStep(), data())
    (missing,) = store.runs()[0].missing
    assert missing == {
        "what": "metrics loss",
        "why": "Lightning gives them to no logger: log_every_n_steps is 50, the fit had 10 steps",
    }


def test_a_test_without_a_fit_is_added_to_the_run_of_its_checkpoint(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    trainer(RunloreCallback(), keep, enable_checkpointing=True).fit(Tiny(), data())
    path = tmp_path / "ck" / "epoch=1-step=20.ckpt"
    path = path.rename(tmp_path / "moved.ckpt")
    for _ in range(2):
        made = trainer(RunloreCallback(), RunloreCallback())
        made.test(Tiny(), data(2), ckpt_path=path, verbose=False)
        assert "teardown" not in vars(made.strategy)
    trainer(RunloreCallback()).test(Tiny(), data(2), verbose=False)
    (run,) = store.runs()
    assert run.metrics["test_loss"].steps.tolist() == [20]
    assert run.status == "finished"


def test_a_store_may_be_named_by_its_path_and_wrong_arguments_are_told_at_once(store: Store, tmp_path: Path) -> None:
    trainer(RunloreCallback(store=str(tmp_path / "other")), max_epochs=1).fit(Tiny(), data())
    assert len(Store(tmp_path / "other").runs()) == 1
    with pytest.raises(TypeError, match="tags is 'x': write a mapping"):
        RunloreCallback(tags="x")  # type: ignore[arg-type]
    for cls in (RunloreCallback, RunloreLogger):
        assert list(inspect.signature(cls).parameters) == ["name", "experiment", "tags", "store", "dry_runs"]


def test_a_graph_that_the_user_asks_for_begins_nothing(store: Store) -> None:
    class Graphed(Tiny):
        def on_train_start(self) -> None:
            self.logger.log_graph(self)

    made = trainer(logger=RunloreLogger(), max_epochs=1)
    made.fit(Graphed(), data())
    (run,) = store.runs()
    assert (run.status, run.metrics["train_loss_step"].count) == ("finished", 10)


def test_a_profiler_that_fails_in_the_end_fails_the_run(store: Store) -> None:
    class Failing(pl.profilers.PassThroughProfiler):  # type: ignore[misc,name-defined]
        def describe(self) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        trainer(RunloreCallback(), profiler=Failing(), max_epochs=1).fit(Tiny(), data())
    assert (store.runs()[0].status, (store.runs()[0].error or {})["message"]) == ("failed", "disk full")


def test_tests_of_checkpoints_go_to_the_runs_that_wrote_them(store: Store, tmp_path: Path) -> None:
    def fit(name: str) -> tuple[Any, Any, str]:
        keep = checkpoint(tmp_path / name, save_last="link")
        made, model = trainer(RunloreCallback(name), keep, enable_checkpointing=True, max_epochs=1), Tiny()
        made.fit(model, data())
        return made, model, keep.last_model_path

    first, model, _ = fit("first")
    _, _, other = fit("second")
    first.test(model, data(2), ckpt_path=other, verbose=False)
    assert "test_loss" not in store.run("first").metrics
    assert store.run("second").metrics["test_loss"].steps.tolist() == [10]
    trainer(logger=RunloreLogger()).test(Tiny(), data(2), ckpt_path=other, verbose=False)
    trainer(RunloreCallback()).test(model, data(2), verbose=False)  # another trainer, the module that was fitted
    assert store.run("first").metrics["test_loss"].steps.tolist() == [0]
    assert len(store.runs()) == 2


def test_a_lone_test_that_was_left_does_not_take_the_next_one_s_points(store: Store, tmp_path: Path) -> None:
    paths = []
    for name in ("first", "second"):
        keep = checkpoint(tmp_path / name)
        trainer(RunloreCallback(name), keep, enable_checkpointing=True, max_epochs=1).fit(Tiny(), data())
        paths.append(keep.best_model_path)
    made = trainer(At("on_exception", fail), RunloreCallback(), At("on_test_end", fail))
    with pytest.raises(ValueError, match="mine"):
        made.test(Tiny(), data(2), ckpt_path=paths[0], verbose=False)
    made.test(Tiny(), data(2), ckpt_path=paths[1], verbose=False)
    assert [store.run(name).metrics["test_loss"].count for name in ("first", "second")] == [1, 1]


def test_the_same_data_made_anew_has_the_same_names(store: Store) -> None:
    class Data(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            return data(2)

        def test_dataloader(self) -> Any:
            return data(3)

    made, model = trainer(RunloreCallback(), max_epochs=1), Tiny()
    made.fit(model, datamodule=Data())
    for _ in range(3):
        made.test(model, datamodule=Data(), verbose=False)
    assert [key for key in store.runs()[0].metrics if key.startswith("test_loss")] == ["test_loss"]


def test_a_fit_that_was_left_in_a_thread_is_failed_at_the_end(store: Store, python: Python) -> None:
    process = python(
        """
        import contextlib, threading, warnings
        warnings.simplefilter("ignore")
        from runlore_lightning import RunloreCallback
        from tests.lightning.test_attacks import At, fail
        from tests.lightning.models import Tiny, data, trainer
        def work():
            made = trainer(At("on_exception", fail), RunloreCallback(), At("on_train_batch_end", fail, 3), max_epochs=1)
            with contextlib.suppress(ValueError):
                made.fit(Tiny(), data())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
        PYTHONPATH=ROOT,
    )
    process.succeed()
    assert store.runs()[0].status == "failed"


def test_taps_of_a_shared_profiler_go_in_whatever_order_the_fits_end(store: Store) -> None:
    from runlore_lightning._wrapping import Taps

    class Owner:
        def method(self) -> str:
            return "own"

    def call(original: Any) -> str:
        return "tapped " + original()  # type: ignore[no-any-return]

    owner, first, second = Owner(), Taps(), Taps()
    first.set(owner, "method", call)
    second.set(owner, "method", call)
    assert owner.method() == "tapped tapped own"
    first.close()
    assert owner.method() == "tapped own"
    second.close()
    assert (owner.method(), vars(owner)) == ("own", {})
