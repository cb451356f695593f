"""Settings of programs that no argparse parses: what the user's own code is called with, or asks a parser for."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from runlore import guest
from runlore.guest.wrapping import Wrappers

Arguments = tuple[Any, ...]


def follow_click(wrappers: Wrappers) -> None:
    """Hear the parameters that click has parsed for a function of the user's, before it is called."""
    wrappers.wrap(sys.modules["click.core"].Command, "invoke", _invoked)


def follow_typer(wrappers: Wrappers) -> None:
    """Hear those of typer, where it has a click of its own."""
    wrappers.wrap(sys.modules["typer._click.core"].Command, "invoke", _invoked)


def follow_hydra(wrappers: Wrappers) -> None:
    """Hear the composed configuration of a job, before its function is called."""
    wrappers.wrap(sys.modules["hydra._internal.callbacks"].Callbacks, "on_job_start", _job_started)


def follow_absl(wrappers: Wrappers) -> None:
    """Hear the flags that modules of the user's define, before the main function is called."""
    wrappers.wrap(sys.modules["absl.app"], "_run_main", _main_called)


def follow_jsonargparse(wrappers: Wrappers) -> None:
    """Follow the parser of jsonargparse, which does not end in that of argparse."""
    from jsonargparse import ArgumentParser

    wrappers.follow(ArgumentParser, "parse_args", _parsed)


def follow_simple_parsing(wrappers: Wrappers) -> None:
    """Follow `simple_parsing.parse`."""
    wrappers.follow(sys.modules["simple_parsing"], "parse", _parsed)


def follow_tyro(wrappers: Wrappers) -> None:
    """Follow `tyro.cli`, which returns an object of the class that it is given."""
    wrappers.follow(sys.modules["tyro"], "cli", _made_by_tyro)


def follow_pydantic(wrappers: Wrappers) -> None:
    """Follow the settings of pydantic, which the user's own code makes."""
    wrappers.follow(sys.modules["pydantic_settings"].BaseSettings, "__init__", _made)


def _invoked(original: Callable[..., Any], command: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
    if guest.is_users_function(command.callback):
        hidden = {item.name for item in command.params if getattr(item, "hide_input", False)}
        values = {name: value for name, value in context.params.items() if name not in hidden}
        named = {} if context.parent is None else {"command": context.info_name}
        guest.take_settings(named | values)
    return original(command, context, *args, **kwargs)


def _job_started(original: Callable[..., Any], callbacks: Any, config: Any, **kwargs: Any) -> Any:
    if guest.is_users_function(kwargs.get("task_function")):
        from omegaconf import OmegaConf

        values = OmegaConf.to_container(config, resolve=False)
        own = {key: value for key, value in values.items() if key != "hydra"}
        plain = OmegaConf.to_container(OmegaConf.create(own), resolve=True)
        hydra = config.hydra
        is_sweep = OmegaConf.select(hydra, "mode") is not None and str(hydra.mode).endswith("MULTIRUN")
        guest.take_settings({f"job{hydra.job.num}": plain} if is_sweep else plain)
        run = guest.open_run()
        if run is not None:
            folder = f"hydra.job{hydra.job.num}.output_dir" if is_sweep else "hydra.output_dir"
            run.log_params({folder: str(hydra.runtime.output_dir)}, captured=True)
    return original(callbacks, config, **kwargs)


def _main_called(original: Callable[..., Any], main: Any, argv: Any) -> Any:
    flags = sys.modules["absl.flags"].FLAGS.flags_by_module_id_dict()
    own = {id(module) for module in list(sys.modules.values()) if guest.is_users_module(module)}
    guest.take_settings({flag.name: flag.value for module, found in flags.items() if module in own for flag in found})
    return original(main, argv)


def _parsed(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings(result.as_dict() if hasattr(result, "as_dict") else result)


def _made_by_tyro(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    if isinstance(args[0] if args else kwargs.get("f"), type):
        guest.take_settings(result[0] if kwargs.get("return_unknown_args") else result)


def _made(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings(args[0])
