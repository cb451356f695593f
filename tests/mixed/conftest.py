"""Every framework takes part here; their own warnings are not what is tested."""

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]
