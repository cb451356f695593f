"""One loop of the user's own: from the first step of an optimizer until nobody holds its optimizers any more."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore.guest.opening import RunHere
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import token_of
from runlore_torch._data import Loaders
from runlore_torch._framework import NAME, leads, users_frames
from runlore_torch._optimizers import named_rates, rates, settings
from runlore_torch._params import models_in, name_of, params_of


class Stepping:
    """An optimizer of a loop: its steps, and the rates that were recorded last."""

    __slots__ = ("_rates", "ending", "loss_key", "rate", "step")

    def __init__(self, ending: str) -> None:
        self.ending = ending
        self.loss_key = f"loss{ending}"
        self.step = 0
        self.rate: Any = self  # the very object that was the first group's at the last look; here none yet
        self._rates: tuple[Any, ...] = ()

    def new_rates(self, optimizer: Any) -> dict[str, Any]:
        """Return the rates by key, if they have changed."""
        now = rates(optimizer)
        self.rate = now[0]
        if now == self._rates:
            return {}
        self._rates = now
        return named_rates(now, self.ending)


class Loop:
    """Records a loop, in the thread that runs it."""

    def __init__(self, options: RunOptions, *, grad_norm: bool = False, closed: Callable[["Loop"], object]) -> None:
        self.thread = threading.get_ident()
        self.place = RunHere()
        self.loaders = Loaders()
        self.loss: Any = None  # of the last backward, for the step that follows
        self._has_losses = False
        self.session: FitSession | None = None
        self.leaving = guest.Leaving()
        self._options = options
        self._grad_norm = grad_norm
        self._closed = closed
        self.known: dict[int, Stepping] = {}  # its optimizers by id, as long as they live
        self._count = 0  # of all that it has had

    @property
    def is_alive(self) -> bool:
        """True while somebody holds one of its optimizers."""
        return bool(self.known)

    def stepped(self, optimizer: Any, known: Stepping) -> None:
        """Record a step of an optimizer that it knows."""
        known.step += 1
        session = self.session
        if session is None or not session.recorded:
            return
        if self.loaders.is_due:
            self._count_epoch(session)
        values: dict[str, Any] = {}
        if self.loss is not None:
            values[known.loss_key] = self.loss
            self.loss = None
            self._has_losses = True
        groups = optimizer.param_groups
        if len(groups) != 1 or groups[0].get("lr") is not known.rate:
            values |= known.new_rates(optimizer)
        if self._grad_norm:
            values[f"grad_norm{known.ending}"] = _norm(optimizer)
        if values:
            session.metrics(values, step=known.step, epoch=self.loaders.epoch)

    def end(self, error: BaseException | None) -> None:
        """End the run: the block around the loop was left."""
        if self.session is None and error is not None:
            self.session = self._begin({})
        if self.session is not None:
            self.tell_missing()
            self.session.end(error)

    def tell_missing(self) -> None:
        """Tell that there is no loss, if optimizers have stepped without one."""
        if self.session and self._count and not self._has_losses:
            self.session.missing("loss", "before no step was backward() called of a single number")

    def add(self, optimizer: Any, frame: Any) -> Stepping:
        """Return what is known of an optimizer from now on; the user's code is found from the frame of the hook."""
        number = self._count
        self._count += 1
        found = Stepping("" if number == 0 else f"/optimizer_{number}")
        self.known[id(optimizer)] = found
        weakref.finalize(optimizer, self._let_go, id(optimizer)).atexit = False
        name = "optimizer" if number == 0 else f"optimizer_{number}"
        if self.session is None:
            models: list[Any] = []
            try:
                with guest.without_trace():
                    models = models_in(users_frames(frame), optimizer)
            except Exception:  # the user's own objects, which may raise anything when they are looked at
                models = []
            self.session = self._begin({"model": name_of(models[0])} if models else {})
            if models:
                self.session.trains = token_of(models[0])
            self.session.params(lambda: params_of(models, optimizer))
        self.session.params(lambda: {name: settings(optimizer)})
        return found

    def _begin(self, tags: dict[str, Any]) -> FitSession:
        session = FitSession.begin(NAME, self._options.request(tags=tags, leader=leads()))
        session.place = self._at
        session.pause()  # what else is trained between its steps has runs of its own
        return session

    def _at(self) -> tuple[int | None, float | None]:
        """Return step and epoch: those of the optimizer that stepped most."""
        steps = [known.step for known in self.known.values()]
        return max(steps, default=None), self.loaders.epoch

    def note_scaler(self) -> None:
        """Record that losses are scaled before they are differentiated."""
        if self.session:
            self.session.params({"grad_scaler": Captured(True)})

    def _count_epoch(self, session: FitSession) -> None:
        loader = self.loaders.stepped()
        if loader is not None:
            session.record(lambda session: session.loader("train", loader))

    def _let_go(self, optimizer: int) -> None:
        del self.known[optimizer]
        if not self.known:
            self._closed(self)


def _norm(optimizer: Any) -> Any:
    """Return the norm of all gradients of an optimizer, on their device."""
    from torch.nn.utils import get_total_norm

    grads = [param.grad for group in optimizer.param_groups for param in group["params"] if param.grad is not None]
    return get_total_norm(grads) if grads else None
