"""Params: how a Trainer, its model, its tokenizer and its callbacks were set."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from runlore import FitSession
from runlore.guest.captured import Captured, defaults_of, marked, named
from runlore.guest.options import settings_of
from runlore_transformers._framework import loaded_from, unwrapped

MAX_LABELS = 20  # of a model's classes that are listed
FOLLOWS = (  # arguments that the libraries fill in from others, and from what is installed
    "accelerator_config dataloader_pin_memory disable_tqdm do_eval greater_is_better hub_token "
    "include_num_input_tokens_seen local_rank push_to_hub_token report_to "  # of TrainingArguments
    "architectures dtype id2label label2id transformers_version use_cache "  # of a model's configuration
    "base_model_name_or_path peft_type peft_version"  # of an adapter
).split()
SETTLED = {"gradient_checkpointing": False, "debug": [], "metric_for_best_model": "loss"}  # of empty ones
MAX_GROUPS = 20  # of an optimizer's parameters
OPTIMIZER_FLAGS = "params param_names name initial_lr foreach fused capturable differentiable maximize".split()
NO_PROJECT = "huggingface"  # the default of TrainingArguments
OBJECTS = ("loss", "evaluator")  # of sentence-transformers
TOKENIZER = "name_or_path vocab_size model_max_length padding_side truncation_side".split()


def record_params(session: FitSession, trainer: Any) -> None:
    """Record how everything was set; what can't be asked costs only itself."""
    for part in PARTS:
        session.params(lambda part=part: part(trainer))  # type: ignore[misc]


def labels(trainer: Any) -> dict[str, str]:
    """Return the tags of a run: the class of the model, if the Trainer has one; in a search it may have none."""
    return {} if trainer.model is None else {"model": type(unwrapped(trainer.model)).__name__}


def carried(trainer: Any) -> dict[str, str | None]:
    """Return the name and the experiment that TrainingArguments carry."""
    run_name, project = (getattr(trainer.args, name, None) for name in ("run_name", "project"))
    return {
        "name": str(run_name) if run_name and run_name != trainer.args.output_dir else None,
        "experiment": str(project) if project and project != NO_PROJECT else None,
    }


def _args(trainer: Any) -> dict[str, Any]:
    """Return the arguments under their own names; transformers masks tokens itself, the core other secrets."""
    args = trainer.args
    told = {name: value for name, value in args.to_dict().items() if getattr(args, name, value) is not None}
    steps = args.logging_steps
    return _marked(_without_none(told), args, {"eval_steps": steps} if args.eval_steps == steps else {})


def _model(trainer: Any) -> dict[str, Any]:
    model = unwrapped(trainer.model)
    sizes = [(int(item.numel()), bool(item.requires_grad)) for item in model.parameters()]
    counts = {
        "parameters": sum(size for size, _ in sizes),
        "trainable_parameters": sum(size for size, trains in sizes if trains),
    }
    return {"model": Captured({"class": type(model).__name__, **counts})}


def _config(trainer: Any) -> dict[str, Any]:
    """Return the configuration of the model; as captured where the model was loaded with it."""
    config = getattr(unwrapped(trainer.model), "config", None)
    if config is None:
        return {}
    found = dict(config) if isinstance(config, Mapping) else config.to_dict()
    quantization = found.pop("quantization_config", None)
    told = _without_none(_without_labels(found))
    was_loaded = loaded_from(trainer.model) is not None
    params: dict[str, Any] = {"model": Captured(told) if was_loaded else _marked(told, config)}
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
    found = _without_none({name: _listed(value) for name, value in config.to_dict().items()})
    return _marked(found, config)


def _tokenizer(trainer: Any) -> dict[str, Any]:
    tokenizer = trainer.processing_class
    if tokenizer is None:
        return {}
    found = {name: getattr(tokenizer, name, None) for name in TOKENIZER}
    return {"tokenizer": Captured({"class": type(tokenizer).__name__, **_without_none(found)})}


def _optimizer(trainer: Any) -> dict[str, Any]:
    """Return what steps the weights: the settings that all groups of parameters share, and those of each group."""
    found: dict[str, Any] = {}
    for name, item in (("optimizer", trainer.optimizer), ("scheduler", trainer.lr_scheduler)):
        plain = getattr(item, name, item)  # accelerate wraps it
        if plain is not None:
            found[name] = {"name": type(plain).__name__}
    groups = groups_of(trainer.optimizer)
    if groups:
        settings = [_settings(group) for group in groups.values()]
        shared = {key: value for key, value in settings[0].items() if all(item.get(key) == value for item in settings)}
        own = [{key: value for key, value in item.items() if key not in shared} for item in settings]
        apart = {name: item for name, item in zip(groups, own, strict=True) if item}
        found["optimizer"] |= {**shared, "groups": apart or len(groups)} if len(groups) > 1 else shared
    return {name: Captured(values) for name, values in found.items()}


def groups_of(optimizer: Any) -> dict[str, Mapping[str, Any]]:
    """Return the groups of parameters of an optimizer, by their names or else their numbers."""
    groups = list(getattr(optimizer, "param_groups", ()))[:MAX_GROUPS]
    names = [str(group.get("name", place)) for place, group in enumerate(groups)]
    names = names if len(set(names)) == len(names) else [str(place) for place in range(len(groups))]
    return dict(zip(names, groups, strict=True))


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group of parameters; its rate is the one that the scheduler begins with."""
    rate = {"lr": group["initial_lr"]} if "initial_lr" in group else {}
    told = {**group, **rate}
    return {name: value for name, value in told.items() if name not in OPTIMIZER_FLAGS}


def _callbacks(trainer: Any) -> dict[str, Any]:
    found = settings_of(trainer.callback_handler.callbacks)
    return {"callbacks": found} if found else {}


def _objects(trainer: Any) -> dict[str, Any]:
    """Return the objects that Trainers of other libraries are given, by name: a loss, an evaluator, rewards."""
    found: dict[str, Any] = {}
    for name in OBJECTS:
        value = getattr(trainer, name, None)
        parts = dict(value) if isinstance(value, Mapping) else {"": value}
        told = {str(key): named(part) for key, part in parts.items() if callable(part)}
        if told:
            found[name] = told.get("", told)
    rewards = getattr(trainer, "reward_func_names", None)
    return {**found, "reward_funcs": list(rewards)} if isinstance(rewards, list) and rewards else found


def _marked(found: Mapping[str, Any], made: Any, settled: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return what an object tells of itself, with those values marked that nobody passed."""
    own = {field.name: _default_of(field) for field in fields(made)} if is_dataclass(made) else {}
    defaults = {**defaults_of(type(made)), **own, **settled}
    defaults |= {name: value for name, value in SETTLED.items() if not defaults.get(name)}
    if "gradient_checkpointing" in defaults:  # which has another name since transformers 5, for the same
        defaults["activation_checkpointing"] = defaults["gradient_checkpointing"]
    return marked(found, {name: value for name, value in defaults.items() if name not in FOLLOWS})


def _default_of(field: "Field[Any]") -> Any:
    """Return the default of an argument as `to_dict` tells it."""
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default.value if isinstance(default, Enum) else default


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items() if value is not None}


def _listed(value: Any) -> Any:
    """Return a set as a sorted list, so that equal ones look alike."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else value


PARTS = (_args, _config, _model, _peft, _tokenizer, _optimizer, _callbacks, _objects)  # each is recorded for itself
