"""Settings of programs that no argparse parses: what the user's own code is called with, or asks a parser for."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

from runlore import guest
from runlore.guest.wrapping import Wrappers, arguments
from runlore_scripts._calls import reads

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


def follow_compose(wrappers: Wrappers) -> None:
    """Follow `hydra.compose`, for programs without `hydra.main`."""
    wrappers.follow(sys.modules["hydra"], "compose", _composed)


def follow_omegaconf(wrappers: Wrappers) -> None:
    """Follow what makes configurations of files and of the command line."""
    from omegaconf import OmegaConf

    for name in ("load", "from_cli", "from_dotlist", "merge", "unsafe_merge"):
        wrappers.follow(OmegaConf, name, _composed)
    wrappers.follow(OmegaConf, "load", reads("OmegaConf.load", 0, "file_"))


def follow_absl(wrappers: Wrappers) -> None:
    """Hear the flags that modules of the user's define, before the main function is called."""
    wrappers.wrap(sys.modules["absl.app"], "_run_main", _main_called)


def follow_flags(wrappers: Wrappers) -> None:
    """Hear those that are parsed without `absl.app`."""
    wrappers.follow(sys.modules["absl.flags"].FlagValues, "__call__", lambda args, kwargs, result: _take_flags(args[0]))


def follow_jsonargparse(wrappers: Wrappers) -> None:
    """Follow the parser of jsonargparse, which does not end in that of argparse, also where it makes one by itself."""
    from jsonargparse import ArgumentParser

    wrappers.follow(ArgumentParser, "parse_args", _parsed, through=("auto_cli", "CLI"))


def follow_docopt(wrappers: Wrappers) -> None:
    """Follow `docopt.docopt`."""
    wrappers.follow(sys.modules["docopt"], "docopt", _told_by_docopt)


def follow_simple_parsing(wrappers: Wrappers) -> None:
    """Follow `simple_parsing.parse`."""
    wrappers.follow(sys.modules["simple_parsing"], "parse", _parsed)


def follow_tyro(wrappers: Wrappers) -> None:
    """Follow `tyro.cli`, which returns an object of a class, and hear what it is about to call a function with."""
    wrappers.follow(sys.modules["tyro"], "cli", _made_by_tyro)
    wrappers.wrap(sys.modules["tyro._calling"], "callable_with_args", _filled_by_tyro)


def follow_fire(wrappers: Wrappers) -> None:
    """Hear what fire has parsed for a function or a class of the user's, before it is called."""
    wrappers.wrap(sys.modules["fire.core"], "_MakeParseFn", _parser_made)
    wrappers.wrap(sys.modules["fire.core"], "_CallAndUpdateTrace", _fired)


def follow_pydantic(wrappers: Wrappers) -> None:
    """Follow the settings of pydantic, which the user's own code makes, or has `CliApp.run` make."""
    wrappers.follow(sys.modules["pydantic_settings"].BaseSettings, "__init__", _made, through=("run",))


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

        plain, hydra = _plain(config), config.hydra
        is_sweep = OmegaConf.select(hydra, "mode") is not None and str(hydra.mode).endswith("MULTIRUN")
        guest.take_settings({f"job{hydra.job.num}": plain} if is_sweep else plain)
        run = guest.open_run()
        if run is not None:
            folder = f"hydra.job{hydra.job.num}.output_dir" if is_sweep else "hydra.output_dir"
            run.log_params({folder: str(hydra.runtime.output_dir)}, captured=True)
    return original(callbacks, config, **kwargs)


def _composed(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings(_plain(result))


def _plain(config: Any) -> dict[str, Any]:
    """Return a configuration but Hydra's own part; a reference that leads nowhere as it is written; {} for lists."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(config, DictConfig):
        return {}
    own = {key: value for key, value in OmegaConf.to_container(config).items() if key != "hydra"}
    try:
        return dict(OmegaConf.to_container(OmegaConf.create(own), resolve=True))
    except Exception:  # of a resolver of the user's, too
        return own


def _main_called(original: Callable[..., Any], main: Any, argv: Any) -> Any:
    _take_flags(sys.modules["absl.flags"].FLAGS)
    return original(main, argv)


def _take_flags(values: Any) -> None:
    """Record the flags that modules of the user's define; a configuration by its parts."""
    own = {id(module) for module in list(sys.modules.values()) if guest.is_users_module(module)}
    found = {
        flag.name: flag.value for id_, flags in values.flags_by_module_id_dict().items() if id_ in own for flag in flags
    }
    guest.take_settings({key: value.to_dict() if hasattr(value, "to_dict") else value for key, value in found.items()})


def _parsed(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings(result.as_dict() if hasattr(result, "as_dict") else result)


def _told_by_docopt(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings({key.lstrip("-").strip("<>"): value for key, value in result.items()})


def _made_by_tyro(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    made_of = args[0] if args else kwargs.get("f")
    made = result[0] if kwargs.get("return_unknown_args") else result
    if isinstance(made_of, type) or type(made) in get_args(made_of):  # a class, or one of several
        guest.take_settings(made)


def _filled_by_tyro(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    found = original(*args, **kwargs)
    call = found[0]
    if isinstance(call, partial) and guest.is_users_function(call.func):
        prefix = kwargs.get("field_name_prefix", "")  # that of a sub-command
        _take_call(call.func, call.args, call.keywords, {"command": call.func.__name__} if prefix else {})
    return found


class _Fired(guest.Part):
    """The program that fire calls, as it was given: whatever else it calls is a command."""

    inherited = True

    def __init__(self) -> None:
        self.given: Any = None


def _fired(original: Callable[..., Any], component: Any, args: Any, trace: Any, *more: Any, **kwargs: Any) -> Any:
    fired = guest.part(_Fired)
    before, fired.given = fired.given, trace.elements[0].component
    try:
        return original(component, args, trace, *more, **kwargs)
    finally:
        fired.given = before


def _parser_made(original: Callable[..., Any], function: Any, *more: Any) -> Any:
    parse = original(function, *more)
    is_class = inspect.isclass(function)
    if not guest.is_users_function(vars(function).get("__init__") if is_class else function):
        return parse
    name, given = function.__name__, guest.part(_Fired).given
    is_given = given is function or (name == "__call__" and given is getattr(function, "__self__", None))

    @guest.unseen
    def parsed(args: Any) -> Any:
        found = parse(args)
        values, others = found[0]
        take(function, values, others, {} if is_given else {"command": name})
        return found

    take = guest.harmless(_take_call)
    return parsed


def _take_call(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], named: Mapping[str, Any]) -> None:
    """Record what a function of the user's is about to be called with, and the name of a command."""
    values = arguments(function, *args, **kwargs)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            values |= values.pop(name, {})
    guest.take_settings({**named, **values})


def _made(args: Arguments, kwargs: Mapping[str, Any], result: Any) -> None:
    guest.take_settings(args[0])
