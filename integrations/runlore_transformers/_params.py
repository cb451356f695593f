"""Params: how a Trainer, its model, its tokenizer and its callbacks were set."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession
from runlore.guest.options import settings_of
from runlore_transformers._framework import unwrapped

MAX_LABELS = 20  # of a model's classes that are listed
TOKENIZER = "name_or_path vocab_size model_max_length padding_side truncation_side".split()


def record_params(session: FitSession, trainer: Any) -> None:
    """Record how everything was set; what can't be asked costs only itself."""
    for part in PARTS:
        session.params(lambda part=part: part(trainer))  # type: ignore[misc]


def labels(trainer: Any) -> dict[str, str]:
    """Return the tags of a run: the class of the model, if the Trainer has one; in a search it may have none."""
    return {} if trainer.model is None else {"model": type(unwrapped(trainer.model)).__name__}


def _args(trainer: Any) -> dict[str, Any]:
    """Return the arguments under their own names; transformers masks tokens itself, the core other secrets."""
    return _without_none(trainer.args.to_dict())


def _model(trainer: Any) -> dict[str, Any]:
    model = unwrapped(trainer.model)
    sizes = [(int(item.numel()), bool(item.requires_grad)) for item in model.parameters()]
    counts = {
        "parameters": sum(size for size, _ in sizes),
        "trainable_parameters": sum(size for size, trains in sizes if trains),
    }
    return {"model": {"class": type(model).__name__, **counts}}


def _config(trainer: Any) -> dict[str, Any]:
    config = getattr(unwrapped(trainer.model), "config", None)
    if config is None:
        return {}
    found = dict(config) if isinstance(config, Mapping) else config.to_dict()
    quantization = found.pop("quantization_config", None)
    params = {"model": _without_none(_without_labels(found))}
    if quantization is not None:
        settings = quantization if isinstance(quantization, Mapping) else quantization.to_dict()
        params["quantization"] = _without_none(settings)
    return params


def _without_labels(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration, nested ones included, with long lists of labels replaced by their count."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in ("id2label", "label2id") and len(value or ()) > MAX_LABELS:
            value = f"{len(value)} labels"
        found[str(name)] = _without_labels(value) if isinstance(value, Mapping) else value
    return found


def _peft(trainer: Any) -> dict[str, Any]:
    """Return the settings of adapters by name, or of the only one."""
    configs = getattr(unwrapped(trainer.model), "peft_config", None)
    if not isinstance(configs, Mapping):
        return {}
    found = {name: _adapter(config) for name, config in configs.items()}
    return {"peft": next(iter(found.values())) if len(found) == 1 else found}


def _adapter(config: Any) -> dict[str, Any]:
    return _without_none({name: _listed(value) for name, value in config.to_dict().items()})


def _tokenizer(trainer: Any) -> dict[str, Any]:
    tokenizer = trainer.processing_class
    if tokenizer is None:
        return {}
    found = {name: getattr(tokenizer, name, None) for name in TOKENIZER}
    return {"tokenizer": {"class": type(tokenizer).__name__, **_without_none(found)}}


def _optimizer(trainer: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in (("optimizer", trainer.optimizer), ("scheduler", trainer.lr_scheduler)):
        plain = getattr(item, name, item)  # accelerate wraps it
        if plain is not None:
            found[name] = {"name": type(plain).__name__}
    return found


def _callbacks(trainer: Any) -> dict[str, Any]:
    found = settings_of(trainer.callback_handler.callbacks)
    return {"callbacks": found} if found else {}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items() if value is not None}


def _listed(value: Any) -> Any:
    """Return a set as a sorted list, so that equal ones look alike."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else value


PARTS = (_args, _config, _model, _peft, _tokenizer, _optimizer, _callbacks)  # each is recorded for itself
