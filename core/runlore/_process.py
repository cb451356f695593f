"""What the runs of one process share: the plugins, looks at the environment and the code, measurements."""

import threading
from typing import TYPE_CHECKING

from runlore._capture import Captures, look_at_environment, look_at_files
from runlore._sampler import Sampler

if TYPE_CHECKING:
    from runlore._plugins import Plugins


class Process:
    """One for each process; a forked child gets a fresh one, as threads and locks stay with the parent."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a plugin may ask for the plugins while it is loaded
        self._plugins: Plugins | None = None
        self.captures = (
            Captures("environment", look_at_environment, self.plugins),
            Captures("code", look_at_files, self.plugins),
        )
        self.sampler = Sampler(self.plugins)

    def plugins(self) -> "Plugins":
        """The plugins; found and loaded by the first call."""
        from runlore._plugins import Plugins

        with self._lock:
            if self._plugins is None:
                self._plugins = Plugins()
                self._plugins.load()
            return self._plugins

    def forget(self) -> None:
        """Begin anew, in a forked child."""
        self.__init__()  # type: ignore[misc]


process = Process()
