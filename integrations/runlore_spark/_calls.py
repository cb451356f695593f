"""The fits and saves that are under way in this context."""

from typing import Any

from runlore.guest.wrapping import Call, Calls


class Unrecorded:
    """A call that goes by a wrapper of ours and makes no run."""

    def returned(self, result: Any) -> None:
        """Leave the result to the user."""

    def end(self, error: BaseException | None) -> None:
        """Leave the end to the user."""


calls: Calls[Call] = Calls("runlore_spark")
