"""Hand a training over to processes that one starts: one of them writes the run, and may not live to end it."""

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from runlore import _ids
from runlore._warnings import report
from runlore.log.folder import Folder
from runlore.recording.current import users_run
from runlore.recording.run import Run, attach, end_from_outside
from runlore.recording.run_log import segment_of
from runlore.store.search import opened_with
from runlore.store.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Launch:
    """Handed by a process to those that it starts, so that the leader among them writes into the right run.

    Made by `prepare`, pickled with the work, and given to `FitSession.begin` there. `token` names the launch, `store`
    is the folder of its store, `outer` the user's run that it belongs to, which may be a group, and whose file is
    `segment`, and `pid` the process that has prepared it. `joined` tells that a training has joined that run before.
    """

    token: str
    store: str | None
    outer: str | None
    in_group: bool = False
    segment: str | None = None
    joined: bool = False
    pid: int = field(default_factory=os.getpid)

    @classmethod
    def prepare(cls, store: Store | None = None) -> Self:
        """Return the launch of processes that are about to be started. Never raises."""
        token = _ids.new_run_id(time.time_ns() // 1000)
        try:
            outer = users_run()
            root = outer.folder.root if outer is not None else (store or open_store()).root
        except Exception:  # the processes will meet the same trouble, and report it
            return cls(token, None, None)
        if outer is None:
            return cls(token, str(root), None)
        return cls(token, str(root), outer.id, outer.fit.is_group, segment_of(outer.run_log), outer.fit.joined)

    def renewed(self) -> Self:
        """Return the same launch with the user's run that is open now."""
        return replace(self.prepare(None if self.store is None else Store(self.store)), token=self.token)

    def handed_over(self) -> Self | None:
        """Return the launch in a process that was started; None in the one that prepared it."""
        return None if self.pid == os.getpid() else self

    def attached(self) -> Run | None:
        """Open the user's run that the launch belongs to for additions from this process; None where there is none."""
        if self._folder is None or self.outer is None:
            return None
        run = attach(self._folder, self.outer)
        run.fit.is_group, run.fit.joined = self.in_group, self.joined
        return run

    def failed(self, error: BaseException) -> bool:
        """Write the error that the processes ended with into their run, if it has no end. Never raises.

        Return False if they had begun none.
        """
        if self._folder is None or self.outer is not None:  # the user's own run ends with its block
            return True
        try:
            run_id = next(opened_with(self._folder, "launch", self.token), None)
            if run_id is not None:
                end_from_outside(self._folder, run_id, error)
            return run_id is not None
        except Exception as second:  # a framework calls us here, and must not meet our exceptions
            report(f"the end of a launched training is not recorded: {type(second).__name__}: {second}")
            return True

    @property
    def _folder(self) -> Folder | None:
        return None if self.store is None else Folder(Path(self.store))
