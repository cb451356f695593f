"""transformers itself: name, tested versions, and what can be had by private names only."""

from typing import Any

NAME = "transformers"
TESTED = ("5.23", "5.24")
PARALLEL = ("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "DeepSpeedEngine")


def check_version() -> None:
    """Warn of a version that runlore is not tested with."""
    import transformers

    from runlore.guest import wrapping

    wrapping.check_version("transformers", transformers.__version__, TESTED)


def unwrapped(model: Any) -> Any:
    """Return the model itself where it is wrapped for several devices."""
    return model.module if type(model).__name__ in PARALLEL else model


def loaded_from(model: Any) -> str | None:
    """Return the path or the name that a model was loaded by, which only its configuration tells."""
    found = getattr(getattr(unwrapped(model), "config", None), "_name_or_path", None)
    return str(found) if found else None


def checkpoint_folder(trainer: Any, trial: Any) -> str:
    """Return the folder that checkpoints go to: in a search, each trial has one of its own."""
    own = getattr(trainer, "_get_output_dir", None)
    return str(trainer.args.output_dir if own is None else own(trial))


def batch_size_of(trainer: Any) -> int | None:
    """Return the batch size of the training, which `auto_find_batch_size` changes and no public attribute tells."""
    size: int | None = getattr(trainer, "_train_batch_size", None)
    return size


def fingerprint_of(dataset: Any) -> Any:
    """Return the fingerprint that the `datasets` library keeps of content and transformations; None for others."""
    return getattr(dataset, "_fingerprint", None)
