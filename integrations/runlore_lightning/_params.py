"""Read how a Trainer, its modules, optimizers, schedulers and callbacks are set."""

import re
from typing import Any

from runlore.guest.captured import PLAIN, Captured, defaults_of, marked
from runlore.guest.options import settings_of
from runlore_lightning._optimizers import numbered, optimizers

TRAINER = (
    "max_epochs min_epochs max_steps min_steps max_time accumulate_grad_batches gradient_clip_val "
    "gradient_clip_algorithm precision num_devices num_nodes world_size log_every_n_steps check_val_every_n_epoch "
    "val_check_interval limit_train_batches limit_val_batches limit_test_batches overfit_batches num_sanity_val_steps "
    "reload_dataloaders_every_n_epochs fast_dev_run barebones"
).split()
DEFAULTS = {  # which the Trainer works out where an argument is None; the others stand in its signature
    "max_epochs": 1000, "min_epochs": 0, "precision": "32-true", "log_every_n_steps": 50, "val_check_interval": 1.0,
    "limit_train_batches": 1.0, "limit_val_batches": 1.0, "limit_test_batches": 1.0, "num_sanity_val_steps": 2,
}  # fmt: skip
FOLLOWS = ("num_devices", "world_size", "accelerator", "strategy")  # from the machine and other arguments
WORKED_OUT = {  # arguments of callbacks that are None by default, and what they become
    "check_on_train_epoch_end": (True, False), "save_on_train_epoch_end": (True, False), "every_n_train_steps": (0,),
    "every_n_epochs": (0, 1),
}  # fmt: skip
FOLDERS = ("dirpath", "save_dir", "root_dir")  # left out: artifacts have their paths, and no two runs share a folder
HOW = {"interval": "epoch", "frequency": 1, "monitor": None}  # a scheduler is called, with the defaults
NAMED = {"TensorBoardLogger", "CSVLogger"}  # their `version` may be a name that the user chose
PROJECTS = {"WandbLogger", "CometLogger"}  # their `version` is an id
UNNAMED = re.compile(r"version_\d+$")
INTERNAL = ("_class_path", "_instantiator")  # which LightningCLI puts among the hyperparameters


def carried(trainer: Any) -> dict[str, str | None]:
    """Return the name and the experiment that the user gave to another logger: its `version`, its `name` or project."""
    found: dict[str, str | None] = {}
    for logger in trainer.loggers:
        kinds = {cls.__name__ for cls in type(logger).__mro__}
        if kinds & NAMED and isinstance(logger.version, str) and not UNNAMED.match(logger.version):
            found.setdefault("name", logger.version)
        if kinds & (NAMED | PROJECTS) and isinstance(logger.name, str) and logger.name not in ("", "lightning_logs"):
            found.setdefault("experiment", logger.name)
    return found


def hparams(trainer: Any) -> dict[str, Any]:
    """Return hyperparameters as they are now, by their own names; those of the module before the datamodule's."""
    module, datamodule = trainer.lightning_module, trainer.datamodule
    found: dict[str, Any] = {}
    for source in (module, datamodule):
        if source is module or getattr(source, "hparams_initial", None):  # else asking would make an empty one
            own = dict(getattr(source, "hparams", None) or {})
            found = {**{name: value for name, value in own.items() if name not in INTERNAL}, **found}
    return found


def is_hparams_of(trainer: Any, params: Any) -> bool:
    """Return True for what Lightning itself hands to a logger: the hyperparameters as they were initially."""
    module, data = (
        set(getattr(source, "hparams_initial", None) or ()) - {"_class_path"}
        for source in (trainer.lightning_module, trainer.datamodule)
    )
    return isinstance(params, dict) and bool(params) and set(params) in (module, data, module | data)


def _schedulers(trainer: Any) -> dict[str, Any]:
    return {numbered("scheduler", place): _scheduler(item) for place, item in enumerate(trainer.lr_scheduler_configs)}


def _model(trainer: Any) -> dict[str, Any]:
    module = trainer.lightning_module
    return {"model": Captured({"class": type(module).__name__, **_counts(module)})}


def _callbacks(trainer: Any) -> dict[str, Any]:
    found = settings_of(trainer.callbacks, but=FOLDERS)
    told = {cls: {name: _worked_out(name, value) for name, value in own.items()} for cls, own in found.items()}
    return {"callbacks": told} if told else {}


def _worked_out(name: str, value: Any) -> Any:
    """Return a setting, as captured where a callback of Lightning worked it out because the argument was None."""
    return Captured(value) if not isinstance(value, Captured) and value in WORKED_OUT.get(name, ()) else value


def _trainer(trainer: Any) -> dict[str, Any]:
    found = {name: getattr(trainer, name, None) for name in TRAINER}
    scheduled = next((item for item in trainer.callbacks if hasattr(item, "get_accumulate_grad_batches")), None)
    if scheduled is not None:  # it sets the number as each epoch begins
        found["accumulate_grad_batches"] = scheduled.get_accumulate_grad_batches(trainer.current_epoch)
    found["accelerator"] = type(trainer.accelerator).__name__
    found["strategy"] = type(trainer.strategy).__name__
    told = {name: value for name, value in found.items() if value is not None}
    defaults = {**defaults_of(type(trainer)), **DEFAULTS}
    if told.get("max_epochs") == -1:  # as some other limit was passed
        defaults["max_epochs"] = -1
    return {"trainer": marked(told, {name: value for name, value in defaults.items() if name not in FOLLOWS})}


PARTS = (hparams, optimizers, _schedulers, _model, _callbacks, _trainer)  # recorded one by one: one may raise
EVALUATED = (hparams, _model)  # of what is only evaluated


def _scheduler(config: Any) -> dict[str, Any]:
    scheduler = config.scheduler
    settings = {
        name: value
        for name, value in vars(scheduler).items()
        if not name.startswith("_") and isinstance(value, PLAIN) and name not in ("last_epoch", "verbose")
    }
    how = {name: getattr(config, name, None) for name in HOW}
    told = {**settings, **{name: value for name, value in how.items() if value}}
    return {"name": type(scheduler).__name__, **marked(told, {**defaults_of(type(scheduler)), **HOW})}


def _counts(module: Any) -> dict[str, int]:
    sizes = [(_size(parameter), bool(parameter.requires_grad)) for parameter in module.parameters()]
    return {
        "parameters": sum(size for size, _ in sizes),
        "trainable_parameters": sum(size for size, trainable in sizes if trainable),
    }


def _size(parameter: Any) -> int:
    try:
        return int(parameter.numel())
    except (ValueError, RuntimeError):  # one that gets its shape from the first batch
        return 0
