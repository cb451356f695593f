"""The callbacks that a Trainer has: they hear what it logs and saves, and hold the options of the run."""

from typing import Any

from transformers import TrainerCallback

from runlore import guest
from runlore.guest.options import RunOptions, TakesOptions
from runlore_transformers._calls import receiver_for, recorded_call_of, taken
from runlore_transformers._metrics import qualified


class Hooks(TrainerCallback):
    """Passes what a Trainer tells on to what records the call under way."""

    @guest.harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin a training, or begin it again with a smaller batch."""
        call = recorded_call_of(self)
        if call is not None:
            call.begin(state)

    @guest.harmless
    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the rates that the optimizer has in this step."""
        call = recorded_call_of(self)
        if call is not None:
            call.steps()

    @guest.harmless
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Record numbers of training steps, of an evaluation, or of a whole training."""
        receiver = receiver_for(self, state)
        if receiver is not None:
            told = qualified(logs or {})
            receiver.take(told, state)
            names = taken.get()
            if names is not None:
                names.update(told)

    @guest.harmless
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Record numbers of a prediction, which are not logged."""
        receiver = receiver_for(self, state)
        if receiver is not None:
            receiver.take(qualified(metrics or {}), state)

    @guest.harmless
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record a checkpoint; the Trainer has removed older ones before."""
        call = recorded_call_of(self)
        if call is not None:
            call.saved(state)


class RunloreCallback(TakesOptions, Hooks):
    """Records every training of the Trainers that it is given to: `Trainer(…, callbacks=[RunloreCallback()])`.

    `name`, `experiment` and `tags` are those of the run, `store` is the place for it. The Trainers of trl and
    sentence-transformers take it, too. With autolog on, or given twice, a training is still one run.
    """


class AutologCallback(Hooks):
    """The callback of every Trainer that is made while autolog is on; without effect on later calls when it is off."""


def options_of(trainer: Any) -> RunOptions:
    """Return the options of the runs of a Trainer: those of its first callback of ours, completed by the others'."""
    return RunOptions.wanted(trainer.callback_handler.callbacks, RunloreCallback, autolog=True) or RunOptions()


RunloreCallback.__module__ = "runlore_transformers"  # unpickling imports it from there, which wraps Trainer, too
