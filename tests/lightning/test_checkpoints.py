"""Every checkpoint that is written and removed, and getting one back."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import runlore
from runlore import Store
from runlore.cli import main
from runlore.errors import ArtifactNotFound
from runlore_lightning import RunloreCallback
from tests.lightning.models import At, Tiny, checkpoint, data, fail, pl, trainer
from tests.process import Process


class Steered(Tiny):
    """Its val_loss is what the list says."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses = losses

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if not self.trainer.sanity_checking:
            self.log("val_loss", self.losses[self.current_epoch])


def fit(*callbacks: Any, losses: list[float] | None = None, **settings: Any) -> Any:
    chosen = {"enable_checkpointing": True, "num_sanity_val_steps": 0, **settings}
    made = trainer(RunloreCallback(), *callbacks, **chosen)
    made.fit(Steered(losses or [0.5, 0.4, 0.3]), data(4), data(1))
    return made


def records(store: Store) -> list[Any]:
    return [item for item in store.runs()[0].artifacts if item.kind == "checkpoint"]


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_three_epochs_give_three_records_of_which_one_is_removed(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=2)
    fit(keep)
    first, second, third = records(store)
    assert [item.present for item in (first, second, third)] == [False, True, True]
    assert [(item.step, item.epoch, item.monitor, item.value) for item in (first, second, third)] == [
        (4, 0, "val_loss", pytest.approx(0.5)),
        (8, 1, "val_loss", pytest.approx(0.4)),
        (12, 2, "val_loss", pytest.approx(0.3)),
    ]
    assert (third.path, set(third.roles)) == (keep.best_model_path, {"best", "last"})
    assert (first.roles, second.roles) == ((), ())
    assert (third.stored, second.stored) == (True, False)
    for item in (second, third):
        assert item.sha256 == digest(Path(item.path))
        assert item.size == Path(item.path).stat().st_size
    assert first.sha256
    assert sorted(path.name for path in (tmp_path / "ck").iterdir()) == sorted({second.name, third.name})


@pytest.mark.shows("lightning", "checkpoints")
def test_best_stays_with_the_best_when_later_ones_are_worse(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=-1)
    fit(keep, losses=[0.5, 0.2, 0.3])
    assert [set(item.roles) for item in records(store)] == [set(), {"best"}, {"last"}]
    assert [item.stored for item in records(store)] == [False, True, True]


def test_save_last_adds_a_record_for_each_content(store: Store, tmp_path: Path) -> None:
    fit(checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=1, save_last=True))
    last = [item for item in records(store) if item.name == "last.ckpt"]
    assert [(item.step, item.present) for item in last] == [(4, False), (8, False), (12, True)]
    assert len({item.sha256 for item in last} - {None}) >= 1
    assert last[-1].sha256 == digest(tmp_path / "ck" / "last.ckpt")
    assert last[-1].roles == ("last",)
    for item in last[:-1]:
        assert item.sha256 is not None or "before it was hashed" in item.why or "while it was hashed" in item.why


def test_a_link_to_the_last_one_is_recorded(store: Store, tmp_path: Path) -> None:
    fit(checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=-1, save_last="link"))
    links = [item for item in records(store) if item.name == "last.ckpt"]
    assert links[-1].roles == ("last",)
    assert links[-1].step == 12
    assert links[-1].sha256 == digest(tmp_path / "ck" / "last.ckpt")
    assert (tmp_path / "ck" / "last.ckpt").is_symlink()


def test_weights_only_checkpoints_are_recorded(store: Store, tmp_path: Path) -> None:
    fit(checkpoint(tmp_path / "ck", save_weights_only=True))
    assert records(store)[-1].sha256 == digest(Path(records(store)[-1].path))


@pytest.mark.parametrize("how", ["OnExceptionCheckpoint", "save_on_exception"])
def test_what_is_saved_because_of_an_exception_is_recorded(store: Store, tmp_path: Path, how: str) -> None:
    class Failing(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 6:
                raise ValueError("in the midst")

    folder = tmp_path / "ck"
    saving = (
        pl.callbacks.OnExceptionCheckpoint(folder)
        if how == "OnExceptionCheckpoint"
        else checkpoint(folder, save_on_exception=True, monitor="val_loss")
    )
    with pytest.raises(ValueError, match="in the midst"):
        fit(saving, Failing())
    run = store.runs()[0]
    assert (run.status, run.error and run.error["message"]) == ("failed", "in the midst")
    written = {str(path) for path in folder.iterdir()}
    assert {item.path for item in records(store) if item.present} >= written
    assert records(store)[-1].step == 6
    assert records(store)[-1].sha256 == digest(Path(records(store)[-1].path))


def test_checkpoints_that_a_thread_writes_are_recorded(store: Store, tmp_path: Path) -> None:
    class Slow(pl.plugins.io.TorchCheckpointIO):  # type: ignore[misc,name-defined]
        def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            torch.ones(2000, 2000) @ torch.ones(2000, 2000)
            super().save_checkpoint(*args, **kwargs)

    plugin = pl.plugins.io.AsyncCheckpointIO(Slow())
    fit(checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=-1), plugins=[plugin])
    assert [item.step for item in records(store)] == [4, 8, 12]
    for item in records(store):
        assert (item.sha256, item.size) == (digest(Path(item.path)), Path(item.path).stat().st_size)
    assert records(store)[-1].stored


def test_a_checkpoint_that_the_user_saves_is_recorded(store: Store, tmp_path: Path) -> None:
    class Saving(pl.Callback):  # type: ignore[misc,name-defined]
        def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.current_epoch == 1:
                trainer.save_checkpoint(tmp_path / "mine.ckpt")

    fit(Saving(), enable_checkpointing=False)
    (item,) = records(store)
    assert (item.name, item.step, item.roles, item.stored) == ("mine.ckpt", 8, ("last",), True)


def test_a_checkpoint_that_vanishes_is_recorded_with_the_reason(store: Store, tmp_path: Path) -> None:
    class Vanishing(pl.strategies.SingleDeviceStrategy):  # type: ignore[misc,name-defined]
        def save_checkpoint(self, checkpoint: Any, filepath: Any, storage_options: Any = None) -> None:
            super().save_checkpoint(checkpoint, filepath, storage_options)
            Path(filepath).unlink()

    fit(checkpoint(tmp_path / "ck"), strategy=Vanishing("cpu"), max_epochs=1)
    (item,) = records(store)
    assert (item.sha256, item.stored) == (None, False)
    assert item.why == "it could not be hashed: No such file or directory"


def test_two_monitors_have_a_best_each(store: Store, tmp_path: Path) -> None:
    by_loss = checkpoint(tmp_path / "a", monitor="val_loss", save_top_k=1)
    by_train = checkpoint(tmp_path / "b", monitor="train_loss_epoch", mode="max", save_top_k=1)
    fit(by_loss, by_train)
    found = {item.path: item for item in records(store) if item.present}
    assert {"best", "best_val_loss"} <= set(found[by_loss.best_model_path].roles)
    assert "best_train_loss_epoch" in found[by_train.best_model_path].roles
    assert all(item.stored for item in found.values())


@pytest.mark.parametrize("first", ["each", "ranking"])
def test_one_that_ranks_nothing_takes_no_role_of_the_best(store: Store, tmp_path: Path, first: str) -> None:
    """The last checkpoint of one without a monitor had the role `best`, and the truly best one was not kept."""
    each = checkpoint(tmp_path / "each", filename="each-{epoch}")
    ranking = checkpoint(tmp_path / "best", filename="best-{epoch}", monitor="val_loss")
    fit(*((each, ranking) if first == "each" else (ranking, each)), losses=[0.5, 0.1, 0.3])
    roles = {item.name: (item.roles, item.stored) for item in records(store) if item.roles}
    assert roles == {"best-epoch=1.ckpt": (("best",), True), "each-epoch=2.ckpt": (("last",), True)}


def test_two_that_rank_by_the_same_metric_have_a_role_each(store: Store, tmp_path: Path) -> None:
    lowest, highest = (checkpoint(tmp_path / mode, monitor="val_loss", mode=mode) for mode in ("min", "max"))
    fit(lowest, highest, losses=[0.2, 0.4, 0.3])
    run = store.runs()[0]
    assert run.artifact("best").path == run.artifact("best_val_loss").path == lowest.best_model_path
    assert run.artifact("best_val_loss_2").path == highest.best_model_path
    assert run.artifact("best_val_loss_2").stored


@pytest.mark.parametrize(
    ("setting", "stored"), [("none", [False] * 3), ("all", [True] * 3), ("odd", [False, True, True])]
)
def test_what_is_kept_can_be_set(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, stored: list[bool]
) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", setting)
    keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=-1)
    if setting == "odd":
        with pytest.warns(runlore.RunloreWarning, match="RUNLORE_CHECKPOINTS is 'odd': write best, none or all"):
            fit(keep, losses=[0.5, 0.2, 0.3])
    else:
        fit(keep, losses=[0.5, 0.2, 0.3])
    assert [item.stored for item in records(store)] == stored
    assert all(item.sha256 for item in records(store))


def test_restore_writes_the_same_bytes_that_load_without_runlore(
    store: Store, tmp_path: Path, warm_python: Callable[..., Process]
) -> None:
    keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=1)
    fit(keep)
    expected = digest(Path(keep.best_model_path))
    name = store.runs()[0].name
    for path in (tmp_path / "ck").iterdir():
        path.unlink()
    done = CliRunner().invoke(main, ["restore", name, "--artifact", "best", "--to", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    restored = Path(done.output.strip())
    assert (restored.parent, digest(restored)) == (tmp_path / "out", expected)
    loading = f"""
        import sys, torch
        content = torch.load({str(restored)!r}, weights_only=True)
        assert content["state_dict"]["layer.weight"].shape == (1, 3)
        assert not any(name.startswith("runlore") for name in sys.modules)
    """
    warm_python(loading).succeed()


def test_restore_says_what_can_not_be_done(store: Store, tmp_path: Path) -> None:
    keep = checkpoint(tmp_path / "ck", monitor="val_loss", save_top_k=-1)
    fit(keep, losses=[0.3, 0.4, 0.5])
    name = store.runs()[0].name
    to = ["--to", str(tmp_path / "out")]
    invoke = CliRunner().invoke
    done = invoke(main, ["restore", name, "--artifact", "worst", *to])
    assert done.exit_code == 1
    assert "has no artifact 'worst'; it has: best, last, epoch=0" in done.output
    middle = records(store)[1]
    assert not middle.stored
    assert invoke(main, ["restore", name, "-a", middle.name, *to]).exit_code == 0  # from where it still lies
    assert digest(tmp_path / "out" / middle.name) == middle.sha256
    (tmp_path / "out" / middle.name).write_text("mine")
    done = invoke(main, ["restore", name, "-a", middle.name, *to])
    assert (done.exit_code, (tmp_path / "out" / middle.name).read_text()) == (2, "mine")
    assert "--force" in done.output
    Path(middle.path).write_text("another")
    with pytest.raises(ArtifactNotFound, match="was not kept, and .* has changed since"):
        store.runs()[0].artifact(middle.name).restore(tmp_path / "again")
    Path(middle.path).unlink()
    done = invoke(main, ["restore", name, "-a", middle.name, "--to", str(tmp_path / "again")])
    assert (done.exit_code, list((tmp_path / "again").iterdir())) == (1, [])


def test_the_best_of_an_earlier_segment_is_kept(store: Store, tmp_path: Path) -> None:
    """The run was cut off before its best checkpoint was kept, and the segment that went on left it out."""

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


def test_a_checkpoint_callback_without_a_best_does_not_take_the_role(store: Store, tmp_path: Path) -> None:
    """OnExceptionCheckpoint, which ranks nothing, came first and cost the others the role."""
    keep = checkpoint(tmp_path / "ck", monitor="train_loss_epoch")
    odd = pl.callbacks.OnExceptionCheckpoint(tmp_path / "odd")
    trainer(RunloreCallback(), odd, keep, enable_checkpointing=True).fit(Tiny(), data())
    assert store.runs()[0].artifact("best").path == keep.best_model_path


def test_a_folder_of_checkpoints_that_somebody_removes_is_gone(store: Store, tmp_path: Path) -> None:
    """Files that the user removed with their folder read present."""
    import shutil

    keep = checkpoint(tmp_path / "ck", save_top_k=-1)
    remove = At("on_train_epoch_start", lambda trainer: shutil.rmtree(tmp_path / "ck", ignore_errors=True))
    remove.done = True
    made = trainer(RunloreCallback(), keep, remove, At("on_train_end", lambda _: shutil.rmtree(tmp_path / "ck")),
                   enable_checkpointing=True)  # fmt: skip
    made.fit(Tiny(), data())
    found = [item for item in store.runs()[0].artifacts if item.kind == "checkpoint"]
    assert [item.present for item in found] == [False, False, False]
