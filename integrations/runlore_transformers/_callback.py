"""The callbacks: they hear what a Trainer logs and saves, and hold what the user said of the run."""

import os
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from runlore import Store, guest
from runlore.guest.options import RunOptions
from runlore_transformers import _seams


class _Hooks(TrainerCallback):
    """What a Trainer tells goes to the call that is under way, if that listens to this very callback."""

    options = RunOptions()

    @guest.harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Training begins, or begins again with a smaller batch."""
        call = _seams.listening(self, state)
        if call is not None and call.trainer is not None:
            call.begin(state)

    @guest.harmless
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Numbers of training steps, of an evaluation, or of the whole training."""
        call = _seams.listening(self, state)
        if call is not None:
            call.take(logs or {}, state)

    @guest.harmless
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Numbers of a prediction, which are not logged."""
        call = _seams.listening(self, state)
        if call is not None:
            call.take(metrics or {}, state)

    @guest.harmless
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint was written, and older ones may have been removed before."""
        call = _seams.listening(self, state)
        if call is not None and call.trainer is not None:
            call.saved(state)


class RunloreCallback(_Hooks):
    """Records every training of the Trainers that it is given to: `Trainer(…, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` the place for it. The Trainers of trl and
    sentence-transformers take it, too. With autolog on, or given twice, a training is still one run.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        self.options = RunOptions.checked(name, experiment, tags, store)


class AutologCallback(_Hooks):
    """The one that every Trainer has that is made while autolog is on; without effect when it is off again."""


RunloreCallback.__module__ = "runlore_transformers"  # a pickle finds it there, too, where Trainers are wrapped for it
