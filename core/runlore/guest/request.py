"""FitRequest: the run that an integration wants for a training call."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore.guest.additions import Additions
    from runlore.guest.launch import Launch
    from runlore.recording.run import Run
    from runlore.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """Describes the run of a training call; None stands for the default.

    `resume_from` is the checkpoint that training starts from: the run that wrote it goes on, or, if that has finished,
    the new one is linked to it. `after` is the run of the model's previous fit; of another model `copy_of` tells which
    run made its weights, and at which step: it is linked where neither of those two is known. `leader` is True in the
    process that records, where the framework knows better than the variables of launchers; `launch` is what the process
    that started this one prepared. A request that only `visits`, as for an evaluation, joins the user's open run and
    leaves it to the first training; a run of its own gets the tag `purpose`. `continues` is the run of an evaluation
    that came before the first training of the same model: it goes on as the run of the training, with the numbers of
    the evaluation at step 0. So does the run of a call that is over, as that of a search that is called again, and one
    that is still open is shared. `shared` names, for every process and for ever, what several processes work on
    together: the first of them begins its run, the others put theirs below it, also the children of multiprocessing,
    and later ones go on in it, unless `is_new` returns True: a run that has ended was of something else of that name.
    `asked` is True where a callback of the user's is there: a training in the fit of another integration is then no
    part of that, but a run below it.
    """

    name: str | None = None
    experiment: str | None = None
    tags: Mapping[str, Any] | None = None
    store: "Store | None" = None
    resume_from: str | os.PathLike[str] | None = None
    after: "Run | None" = None
    copy_of: "Additions | None" = None
    continues: "Run | None" = None
    leader: bool | None = None
    launch: "Launch | None" = None
    visits: bool = False
    shared: str | None = None
    is_new: Callable[[], bool] = bool
    asked: bool = False
