"""The block that users put around a loop."""

import os
from collections.abc import Mapping
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, Self

from runlore import Store, guest
from runlore.guest.options import RunOptions
from runlore_torch import _wrapping
from runlore_torch._owners import loops
from runlore_torch._training import Loop


class RunloreCallback(ContextDecorator):
    """Records the loop in a block, or in a function that it decorates: `with RunloreCallback("baseline"):`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The run begins with the first
    step of an optimizer in the block and ends with the block, however that is left. With `grad_norm` the norm of the
    gradients is recorded at each step, which costs computing it. The same object may serve one block after another.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        grad_norm: bool = False,
    ) -> None:
        self._options = RunOptions.checked(name, experiment, tags, store)
        self._grad_norm = grad_norm

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit(error)

    @guest.harmless
    def _enter(self) -> None:
        _wrapping.wrapped().want("callback")
        loop = Loop(self._options, grad_norm=self._grad_norm, closed=_go_on)
        loops().enter(loop)

    @guest.harmless
    def _exit(self, error: BaseException | None) -> None:
        loop = loops().leave()
        if loop is not None:
            if not loops().has_blocks:
                _wrapping.wrapped().unwant("callback")
            loop.end(error)


def _go_on(loop: Loop) -> None:
    """Let the block end the run: it may train another model."""


RunloreCallback.__module__ = "runlore_torch"
