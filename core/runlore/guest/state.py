"""The door to what an integration keeps for the process: see `Part`, and `part(SomePart)` for this process's own."""

from runlore._process import Part, process

__all__ = ["Part", "part"]

part = process.part
