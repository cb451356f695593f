"""Let a Python that `runlore run` has started, however indirectly, join the run; costs one that trains nothing nothing.

This folder stands first in PYTHONPATH, so Python imports this module as it starts. It takes the folder out of
`sys.path` again, and lets another module of its name do what it would have done. A Python that has no runlore of its
own borrows that of `runlore run`, behind all that it has itself.
"""

import os
import sys

OLDEST = (3, 11)  # that runs our code
LENT = "RUNLORE_LENT"


class Borrowed:
    """Finds the packages that are lent, for each other and for nobody else: code of the user's is not to see them."""

    def __init__(self, lent: "list[str]") -> None:
        self._folders = dict(item.partition("=")[::2] for item in lent if not item.startswith("="))
        self._files = (__file__, *(f"{folder}{os.sep}{name}{os.sep}" for name, folder in self._folders.items()))

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Find one of the packages, where another one of them imports it."""
        if name not in self._folders:
            return None
        frame = sys._getframe().f_back
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is None or not frame.f_code.co_filename.startswith(self._files):
            return None
        return sys.modules["_frozen_importlib_external"].PathFinder.find_spec(name, [self._folders[name]])


def hear() -> None:
    """Begin to hear, with the runlore of this Python, or with the one that is lent."""
    lent = os.environ.get(LENT, "")
    if lent and sys.version_info >= OLDEST:
        sys.meta_path.append(Borrowed(lent.split(os.pathsep)))  # type: ignore[arg-type]  # `typing` would take milliseconds
    __import__("runlore.programs.hearing")  # importlib would be one more import
    sys.modules["runlore.programs.hearing"].begin()


def give_way() -> None:
    """Execute the `sitecustomize` that would have been imported without this one, if there is any."""
    here = __file__.rpartition("/")[0]
    sys.path[:] = [name for name in sys.path if name != here]
    own = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ModuleNotFoundError as error:
        sys.modules[__name__] = own
        if error.name != __name__:
            raise


try:  # noqa: SIM105  # contextlib takes longer to import than all of this
    hear()
except Exception:  # noqa: S110  # Python calls us here; it is another one, for which no runlore is to be had
    pass
give_way()
