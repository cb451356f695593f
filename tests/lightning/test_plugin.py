"""Autolog: no line of the user's, one run; and nothing at all where nobody asked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import RunloreWarning, Store
from runlore_lightning._callback import RunloreCallback  # of which all others are
from tests.lightning.models import At, Tiny, checkpoint, data, only, pl, trainer
from tests.process import Process

Python = Callable[..., Process]


@pytest.fixture(autouse=True)
def switched_off_again(tmp_path: Path) -> Iterator[None]:
    yield
    (tmp_path / "pyproject.toml").unlink(missing_ok=True)
    runlore.autolog().disable()


def seen_by_a_fit() -> list[Any]:
    """Fit, and return the callbacks of ours that the trainer had meanwhile."""
    seen: list[Any] = []
    made = trainer(At("on_train_start", lambda trainer: seen.extend(trainer.callbacks)), max_epochs=1)
    before = list(made.callbacks)
    made.fit(Tiny(), data())
    assert made.callbacks == before
    return [callback for callback in seen if isinstance(callback, RunloreCallback)]


def test_autolog_records_a_fit_without_a_line(store: Store) -> None:
    runlore.autolog("lightning")
    trainer(max_epochs=1).fit(Tiny(), data())
    (run,) = store.runs()
    assert run.metrics["train_loss_step"].count == 10


def test_nothing_is_there_without_autolog_or_after_it(store: Store) -> None:
    fit = vars(pl.Trainer)["fit"]
    assert seen_by_a_fit() == []
    with runlore.autolog("lightning"):
        assert len(seen_by_a_fit()) == 1
    assert seen_by_a_fit() == []
    runlore.autolog("lightning").disable()
    assert seen_by_a_fit() == []
    assert len(store.runs()) == 1
    assert vars(pl.Trainer)["fit"] is fit


def test_a_trainer_has_no_callback_but_while_it_fits(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Each Trainer had one more, and Lightning announced it."""
    earlier = trainer(max_epochs=1)
    runlore.autolog("lightning")
    with caplog.at_level("INFO"):
        made = trainer(max_epochs=1)
        assert (made.callbacks, earlier.callbacks) == ([], [])
        earlier.fit(Tiny(), data(2))
        made.validate(Tiny(), data(2), verbose=False)
        assert (made.callbacks, earlier.callbacks) == ([], [])
    assert "entry point" not in caplog.text
    assert len(store.runs()) == 2


def test_it_stands_before_those_that_save_and_leaves_what_a_module_adds(store: Store, tmp_path: Path) -> None:
    class Adding(Tiny):
        def configure_callbacks(self) -> Any:
            return [At("on_train_end", order.extend)]

    class Order(At):
        pass

    order: list[Any] = []
    runlore.autolog("lightning")
    look = Order("on_train_start", lambda trainer: order.extend(type(item).__name__ for item in trainer.callbacks))
    made = trainer(look, checkpoint(tmp_path), enable_checkpointing=True, max_epochs=1)
    with pytest.raises(TypeError):
        made.fit(Adding(), data(2))
    assert order == ["Order", "RunloreCallback", "At", "ModelCheckpoint"]
    assert [type(item).__name__ for item in made.callbacks] == ["Order", "At", "ModelCheckpoint"]
    assert only(store).status == "failed"


@pytest.mark.parametrize(
    ("value", "count"), [("1", 1), ("lightning", 1), ("sklearn, lightning", 1), ("sklearn", 0), ("0", 0)]
)
def test_the_setting_switches_it_on(store: Store, monkeypatch: pytest.MonkeyPatch, value: str, count: int) -> None:
    monkeypatch.setenv("RUNLORE_AUTOLOG", value)
    trainer(max_epochs=1).fit(Tiny(), data())
    assert len(store.runs()) == count


def test_the_setting_may_stand_in_the_project(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.runlore]\nautolog = true\n")
    trainer(max_epochs=1).fit(Tiny(), data())
    assert len(store.runs()) == 1


def test_callback_and_autolog_and_a_second_callback_make_one_run(store: Store) -> None:
    runlore.autolog("lightning")
    trainer(RunloreCallback(), RunloreCallback(), max_epochs=1).fit(Tiny(), data())
    (run,) = store.runs()
    assert run.metrics["train_loss_step"].count == 10
    assert run.missing == []


def test_it_can_be_switched_off_by_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "lightning")
    runlore.autolog()
    trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data())
    assert len(store.runs()) == 0


def test_a_factory_that_fails_does_not_break_the_trainer(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.runlore\nautolog = 1")
    with pytest.warns(RunloreWarning, match="Lightning is not recorded: SettingError: .*can't be read"):
        trainer(max_epochs=1).fit(Tiny(), data())
    assert len(store.runs()) == 0


def test_importing_us_imports_no_framework(python: Python) -> None:
    python("""
        import sys
        import runlore, runlore_lightning, runlore_lightning.plugin
        runlore.autolog()
        assert not {"torch", "lightning", "pytorch_lightning"} & set(sys.modules)
    """).succeed()


def test_a_trainer_where_nobody_asked_imports_nothing_of_ours(python: Python) -> None:
    python("""
        import sys, warnings
        warnings.simplefilter("ignore")
        import pytorch_lightning
        pytorch_lightning.Trainer(logger=False, enable_checkpointing=False)
        ours = {name for name in sys.modules if name.startswith("runlore")}
        assert ours == {"runlore_lightning", "runlore_lightning.factory"}, ours
    """).succeed()
