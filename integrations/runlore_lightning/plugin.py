"""The entry point that names Lightning to runlore without importing it, and the callback for autolog.

Every first run loads this file: what only Lightning's users need is imported where they come by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from runlore import guest
from runlore.hookspecs import Integration, ModelFile, Tensor, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name Lightning, which asks us whenever a Trainer is made: no import has to be waited for."""
    from runlore_lightning._framework import NAME

    return [Integration(NAME, None, _enable, _disable, ("lightning", "pytorch_lightning"))]


@hookimpl
def runlore_describe_weights(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Read what `torch.save` wrote: Lightning's checkpoints, state dicts."""
    from runlore_lightning import _weights

    return _weights.read(file)


def callbacks() -> list[Any]:
    """Return no callback: what is wrapped adds one while a fit lasts. Never raises: that would end `Trainer()`."""
    try:
        from runlore_lightning._framework import NAME
        from runlore_lightning._switch import Switch, Trainers

        guest.part(Trainers).made += 1
        if guest.part(Switch).on or guest.autolog_wanted(NAME):
            _wrap()
    except Exception as error:  # Lightning calls us within Trainer()
        guest.warn(f"Lightning is not recorded: {type(error).__name__}: {error}")
    return []


def _enable() -> None:
    from runlore_lightning._framework import loaded_namespaces
    from runlore_lightning._switch import Switch

    guest.part(Switch).on = True
    if loaded_namespaces():
        _wrap()


def _wrap() -> None:
    from runlore_lightning._callback import RunloreCallback
    from runlore_lightning._entry import entry
    from runlore_lightning._options import Options

    def make() -> RunloreCallback:
        made = RunloreCallback()
        made.options = Options()  # nobody has asked for it
        return made

    entry().make_callback = make
    entry().want("autolog", calls=True)


def _disable() -> None:
    from runlore_lightning._framework import loaded_namespaces
    from runlore_lightning._switch import Switch

    guest.part(Switch).on = False
    if loaded_namespaces():
        from runlore_lightning._entry import entry

        entry().unwant("autolog")
