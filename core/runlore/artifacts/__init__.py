"""Artifacts: files and folders of runs, kept by their content."""

from typing import TYPE_CHECKING

from runlore._lazy import lazy

if TYPE_CHECKING:
    from runlore.artifacts.artifact import Artifact

__getattr__, __dir__ = lazy(__name__, {"Artifact": "artifact"})

__all__ = ["Artifact"]
