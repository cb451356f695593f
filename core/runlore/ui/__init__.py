"""The page: `runlore ui` serves a store to a browser on the same machine. The HTTP interface is in docs/api.md."""

from runlore.ui.app import create_app

__all__ = ["create_app"]
