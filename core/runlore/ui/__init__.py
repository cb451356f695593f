"""The page that `runlore ui` serves to a browser. Its HTTP interface is described in docs/api.md."""

from runlore.ui.app import create_app

__all__ = ["create_app"]
