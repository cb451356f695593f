"""Let a Python that `runlore run` has started, however indirectly, join the run; costs one that trains nothing nothing.

This folder stands first in PYTHONPATH, so Python imports this module as it starts. It takes the folder out of
`sys.path` again, and lets another module of its name do what it would have done.
"""

import sys
from importlib import import_module


def give_way() -> None:
    """Execute the `sitecustomize` that would have been imported without this one, if there is any."""
    here = __file__.rpartition("/")[0]
    sys.path[:] = [name for name in sys.path if name != here]
    own = sys.modules.pop(__name__)
    try:
        import_module(__name__)
    except ModuleNotFoundError as error:
        sys.modules[__name__] = own
        if error.name != __name__:
            raise


try:
    import runlore.programs.hearing as hearing
except Exception:  # Python calls us here; it is another one, which has no runlore or is too old for it
    hearing = None  # type: ignore[assignment]
if hearing is not None:
    hearing.begin()
give_way()
