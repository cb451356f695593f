"""Read how a Trainer, its modules, optimizers, schedulers and callbacks are set."""

from typing import Any

from runlore.guest.options import PLAIN, settings_of

TRAINER = (
    "max_epochs min_epochs max_steps min_steps max_time accumulate_grad_batches gradient_clip_val "
    "gradient_clip_algorithm precision num_devices num_nodes world_size log_every_n_steps check_val_every_n_epoch "
    "val_check_interval limit_train_batches limit_val_batches limit_test_batches overfit_batches num_sanity_val_steps "
    "reload_dataloaders_every_n_epochs fast_dev_run barebones"
).split()
FOLDERS = ("dirpath", "save_dir", "root_dir")  # left out: artifacts have their paths, and no two runs share a folder
OPTIMIZER_FLAGS = ("foreach", "fused", "capturable", "differentiable", "params", "param_names")


def optimizers(trainer: Any) -> dict[str, Any]:
    """Return the settings of the optimizers."""
    return {_numbered("optimizer", place): _optimizer(item) for place, item in enumerate(trainer.optimizers)}


def _hparams(trainer: Any) -> dict[str, Any]:
    """Return hyperparameters under their own names; where module and datamodule share one, the module's counts."""
    found: dict[str, Any] = {}
    for source in (trainer.lightning_module, trainer.datamodule):
        hparams = dict(getattr(source, "hparams_initial", None) or {})
        hparams.pop("_class_path", None)  # LightningCLI's own
        found = {**hparams, **found}
    return found


def _schedulers(trainer: Any) -> dict[str, Any]:
    return {_numbered("scheduler", place): _scheduler(item) for place, item in enumerate(trainer.lr_scheduler_configs)}


def _model(trainer: Any) -> dict[str, Any]:
    module = trainer.lightning_module
    return {"model": {"class": type(module).__name__, **_counts(module)}}


def _callbacks(trainer: Any) -> dict[str, Any]:
    found = settings_of(trainer.callbacks, but=FOLDERS)
    return {"callbacks": found} if found else {}


def _trainer(trainer: Any) -> dict[str, Any]:
    found = {name: getattr(trainer, name, None) for name in TRAINER}
    found["accelerator"] = type(trainer.accelerator).__name__
    found["strategy"] = type(trainer.strategy).__name__
    return {"trainer": {name: value for name, value in found.items() if value is not None}}


PARTS = (_hparams, optimizers, _schedulers, _model, _callbacks, _trainer)  # recorded one by one: one may raise


def _numbered(name: str, place: int) -> str:
    return name if place == 0 else f"{name}_{place}"


def _optimizer(optimizer: Any) -> dict[str, Any]:
    plain = getattr(optimizer, "optimizer", optimizer)  # some strategies wrap it
    groups = plain.param_groups
    settings = {name: value for name, value in groups[0].items() if name not in OPTIMIZER_FLAGS}
    settings.pop("initial_lr", None)
    return {"name": type(plain).__name__, **settings, **({"groups": len(groups)} if len(groups) > 1 else {})}


def _scheduler(config: Any) -> dict[str, Any]:
    scheduler = config.scheduler
    settings = {
        name: value
        for name, value in vars(scheduler).items()
        if not name.startswith("_") and isinstance(value, PLAIN) and name not in ("last_epoch", "verbose")
    }
    how = {name: getattr(config, name, None) for name in ("interval", "frequency", "monitor")}
    return {"name": type(scheduler).__name__, **settings, **{name: value for name, value in how.items() if value}}


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
