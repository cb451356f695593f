"""Every framework takes part here; their own warnings are not what is tested."""

import os

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
