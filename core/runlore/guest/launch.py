"""Hand a training over to processes that one starts: one of them writes the run, and may not live to end it."""

import time
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from pathlib import Path
from typing import Self

from runlore import _ids
from runlore._warnings import report
from runlore.log.folder import Folder
from runlore.log.search import opened_with
from runlore.recording.current import context_run
from runlore.recording.run import Run, attach, end_from_outside
from runlore.store.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Launch:
    """Handed by a process to those that it starts, so that the leader among them writes into the right run.

    Made by `prepare`, pickled with the work, and given to `FitSession.begin` there. `token` names the launch, `store`
    is the folder of its store, `outer` the user's run that it belongs to.
    """

    token: str
    store: str | None
    outer: str | None

    @classmethod
    def prepare(cls, store: Store | None = None) -> Self:
        """Return the launch of processes that are about to be started. Never raises."""
        token = _ids.new_run_id(time.time_ns() // 1000)
        try:
            outer = context_run()
            root = outer.folder.root if outer is not None else (store or open_store()).root
        except Exception:  # the processes will meet the same trouble, and report it
            return cls(token, None, None)
        return cls(token, str(root), None if outer is None else outer.id)

    def renewed(self) -> Self:
        """Return the same launch with the user's run that is open now."""
        return replace(self.prepare(None if self.store is None else Store(self.store)), token=self.token)

    def handed_over(self) -> Self | None:
        """Return the launch in a process that was started; None in the one that prepared it."""
        return self if parent_process() is not None else None

    def attached(self) -> Run | None:
        """Open the user's run that the launch belongs to for additions from this process; None where there is none."""
        return None if self._folder is None or self.outer is None else attach(self._folder, self.outer)

    def failed(self, error: BaseException) -> None:
        """Write the error that the processes ended with into their run, if it has no end. Never raises."""
        if self._folder is None or self.outer is not None:  # the user's own run ends with its block
            return
        try:
            run_id = next(opened_with(self._folder, "launch", self.token), None)
            if run_id is not None:
                end_from_outside(self._folder, run_id, error)
        except Exception as second:  # a framework calls us here, and must not meet our exceptions
            report(f"the end of a launched training is not recorded: {type(second).__name__}: {second}")

    @property
    def _folder(self) -> Folder | None:
        return None if self.store is None else Folder(Path(self.store))
