"""hydra makes trainer, module, callback and logger of a config: the record is that of a script that calls them."""

from typing import Any

import pytest

from runlore import Store
from tests.lightning.models import Tiny, data, only

hydra = pytest.importorskip("hydra")
from omegaconf import OmegaConf  # noqa: E402  # it comes with hydra

QUIET = {
    "_target_": "pytorch_lightning.Trainer", "max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False,
    "enable_model_summary": False, "enable_checkpointing": False, "logger": False, "log_every_n_steps": 1,
}  # fmt: skip
OWN = {"name": "first", "experiment": "digits", "tags": {"team": "vision"}}


class Configured(Tiny):
    """Takes its optimizer and layers from a config, as templates do."""

    def __init__(self, optimizer: Any, layers: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.optimizer = optimizer

    def configure_optimizers(self) -> Any:
        return self.optimizer(params=self.parameters())


def instantiate(**trainer: Any) -> tuple[Any, Any]:
    """Return the trainer and the module of a config."""
    model = {
        "_target_": f"{__name__}.Configured",
        "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.25},
        "layers": {"widths": [8, 4]},
    }
    config = OmegaConf.create({"trainer": {**QUIET, **trainer}, "model": model})
    return hydra.utils.instantiate(config.trainer), hydra.utils.instantiate(config.model)


@pytest.mark.parametrize(
    "trainer",
    [
        {"callbacks": [{"_target_": "runlore_lightning.RunloreCallback", **OWN}]},
        {"logger": {"_target_": "runlore_lightning.RunloreLogger", **OWN}},
        {"logger": [{"_target_": "runlore_lightning.RunloreLogger", **OWN}]},
    ],
    ids=["callback", "logger", "loggers"],
)
def test_a_target_is_recorded_as_what_a_script_makes(store: Store, trainer: dict[str, Any]) -> None:
    made, model = instantiate(**trainer)
    made.fit(model, data(2), data(1))
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"], run.status) == ("first", "digits", "vision", "finished")
    assert run.metrics["val_loss"].steps.tolist() == [2, 4]
    assert (run.params["optimizer.name"], run.params["optimizer.lr"]) == ("SGD", 0.25)
    assert run.missing == []


def test_params_of_equal_configs_are_equal(store: Store) -> None:
    own = [{"_target_": "runlore_lightning.RunloreCallback"}]
    for _ in range(2):
        made, model = instantiate(callbacks=own, max_epochs=1)
        made.fit(model, data(2))
    one, other = store.runs()
    assert one.params["layers.widths"] == [8, 4] and "SGD" in one.params["optimizer"]
    assert len(store.runs("params['layers.widths'] == '[8, 4]'")) == 2
    assert one.params == other.params and not any(" at 0x" in str(value) for value in one.params.values())
