"""The taps on a Trainer's objects, and how a fit ends in every case."""

import contextlib
import copy
import gc
import pickle
import signal
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from runlore import Store, autolog, guest
from runlore_lightning import RunloreCallback, RunloreLogger
from runlore_lightning._options import Options
from runlore_lightning._taps import Taps
from runlore_lightning._wrapping import record_fit
from tests.lightning.models import ROOT, At, Tiny, checkpoint, data, fail, only, pl, trainer
from tests.process import Process

Python = Callable[..., Process]


def test_a_copy_of_the_trainer_saves_its_own_weights(store: Store, tmp_path: Path) -> None:
    """A deep copy took the taps along, and saved the weights of the original."""

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
    """What somebody else had put on the same attribute was gone with our tap."""
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


def test_what_is_not_there_is_not_tapped() -> None:
    connector = type("Connector", (), {})()
    taps = Taps()
    with pytest.raises(AttributeError):
        taps.set(connector, "log_metrics", print)
    assert not taps


def test_where_lightning_lacks_a_method_no_run_is_begun_that_could_not_end(store: Store) -> None:
    class Changed(pl.strategies.SingleDeviceStrategy):  # type: ignore[misc,name-defined]
        @property
        def remove_checkpoint(self) -> Any:
            raise AttributeError("gone")

    made = trainer(strategy=Changed("cpu"))
    with pytest.raises(AttributeError, match="gone"):
        record_fit(made, Options())
    assert len(store.runs()) == 0
    assert "save_checkpoint" not in vars(made)


def test_taps_of_a_shared_profiler_go_in_whatever_order_the_fits_end(store: Store) -> None:
    """The second fit to end put the closed tap of the first one back."""

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


def test_a_finished_fit_leaves_the_trainer_as_it_was(store: Store, tmp_path: Path) -> None:
    made = trainer(RunloreCallback(), checkpoint(tmp_path / "ck"), enable_checkpointing=True)
    made.fit(Tiny(), data(4), data(1))
    for owner in (made, made.strategy, made._logger_connector):
        assert not {"save_checkpoint", "remove_checkpoint", "teardown", "log_metrics"} & set(vars(owner))


def test_what_lightning_shows_of_itself_is_unchanged(store: Store, tmp_path: Any) -> None:
    def shown(*callbacks: Any) -> Any:
        own = pl.loggers.CSVLogger(tmp_path / "csv", version=0)
        keep = pl.callbacks.ModelCheckpoint(monitor="val_loss")
        made = trainer(keep, *callbacks, logger=[own], enable_checkpointing=True, default_root_dir=tmp_path)
        model = Tiny()
        made.fit(model, data(), data(2))
        (tested,) = made.test(model, data(2), ckpt_path="best", verbose=False)
        found = made.loggers == [own], made.checkpoint_callbacks == [keep], keep.dirpath, keep.best_model_path
        return found, tested["test_loss"], sorted(path.name for path in (tmp_path / "csv").rglob("*"))

    pl.seed_everything(0)
    plain = shown()
    for path in (tmp_path / "csv").rglob("*.ckpt"):
        path.unlink()
    pl.seed_everything(0)
    assert shown(RunloreCallback()) == plain
    assert only(store).metrics["test_loss"].last == pytest.approx(plain[1])


@pytest.mark.parametrize("ending", ["finished", "failed"])
def test_a_trainer_and_its_model_can_be_freed_after_the_fit(store: Store, ending: str) -> None:
    class Failing(Tiny):
        def on_train_epoch_end(self) -> None:
            if ending == "failed":
                raise ValueError("in the midst")

    def fit() -> Any:
        model = Failing()
        made = trainer(RunloreCallback(), max_epochs=1)
        with contextlib.suppress(ValueError):
            made.fit(model, data())
        return weakref.ref(model), weakref.ref(made)

    references = fit()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert only(store).status == ending


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
@pytest.mark.parametrize("hook", ["on_fit_end", "teardown", "on_train_end"])
def test_an_exception_behind_the_training_fails_the_run(store: Store, hook: str, error: BaseException) -> None:
    """Hooks behind the last step raised, and the run read finished."""

    def raise_it(trainer: Any) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        trainer(RunloreCallback(), At(hook, raise_it), max_epochs=1).fit(Tiny(), data())
    assert caught.value is error
    assert store.runs()[0].status == "failed"


def test_a_strategy_that_fails_to_end_fails_the_run(store: Store) -> None:
    """Behind a strategy whose teardown raises, Lightning calls nothing that is tapped: the run stayed open."""

    class Failing(pl.strategies.SingleDeviceStrategy):  # type: ignore[misc,name-defined]
        def teardown(self) -> None:
            raise OSError("td")

    with pytest.raises(OSError, match="td"):
        trainer(RunloreCallback(), strategy=Failing("cpu"), max_epochs=1).fit(Tiny(), data())
    assert store.runs()[0].status == "failed"


def test_a_profiler_that_fails_in_the_end_fails_the_run(store: Store) -> None:
    """The last call of all raised, and the run read finished."""

    class Failing(pl.profilers.PassThroughProfiler):  # type: ignore[misc,name-defined]
        def describe(self) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        trainer(RunloreCallback(), profiler=Failing(), max_epochs=1).fit(Tiny(), data())
    assert (store.runs()[0].status, (store.runs()[0].error or {})["message"]) == ("failed", "disk full")


@pytest.mark.parametrize("again", ["same", "new"])
def test_a_fit_that_another_callback_leaves_without_a_word_is_failed(store: Store, again: str) -> None:
    """Another callback's `on_exception` raised: nobody told us of the end, and the run stayed open."""
    first = trainer(At("on_exception", fail), RunloreCallback(), At("on_train_batch_end", fail, 3), max_epochs=1)
    with pytest.raises(ValueError, match="mine"):
        first.fit(Tiny(), data())
    second = first if again == "same" else trainer(RunloreCallback(), max_epochs=1)
    second.fit(Tiny(), data())
    finished, failed = store.runs()
    assert (finished.status, finished.metrics["train_loss_step"].count) == ("finished", 10)
    assert (failed.status, failed.metrics["train_loss_step"].count) == ("failed", 2)
    assert not guest.in_fit()


@pytest.mark.parametrize("how", ["autolog", "logger"])
def test_where_the_call_is_wrapped_such_a_fit_ends_at_once_with_its_error(store: Store, how: str) -> None:
    """It read running until the next one, and then that nobody had told of the exception."""
    settings = {"logger": RunloreLogger()} if how == "logger" else {}
    with autolog("lightning") if how == "autolog" else contextlib.nullcontext():
        made = trainer(At("on_exception", fail), At("on_train_batch_end", fail, 3), max_epochs=1, **settings)
        with pytest.raises(ValueError, match="mine"):
            made.fit(Tiny(), data())
        (run,) = store.runs()
        assert (run.status, run.metrics["train_loss_step"].count) == ("failed", 2)
        assert (run.error or {})["message"] == "mine"
        assert not guest.in_fit()


def test_a_fit_that_was_left_in_a_thread_is_failed_at_the_end(store: Store, warm_python: Python) -> None:
    """Nobody asked any more in the thread that the fit was left in, and its run read finished."""
    process = warm_python(
        """
        import contextlib, threading, warnings
        warnings.simplefilter("ignore")
        from runlore_lightning import RunloreCallback
        from tests.lightning.models import At, Tiny, data, fail, trainer
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


@pytest.mark.parametrize("ending", ["good", pytest.param("failed", marks=pytest.mark.stress)])
def test_sigterm_after_a_fit_within_the_users_run_reads_interrupted(
    store: Store, warm_python: Python, ending: str
) -> None:
    """Lightning put back the handler of SIGTERM that it had found, and the mark for it was gone."""
    process = warm_python(
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
