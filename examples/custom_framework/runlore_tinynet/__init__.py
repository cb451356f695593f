"""runlore for tinynet: `Trainer(callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone.

runlore loads the plugins of this package when the first run of any script starts: nothing here imports tinynet then.
"""

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> object:
    if name != "RunloreCallback":
        raise AttributeError(f"module 'runlore_tinynet' has no attribute {name!r}")
    from runlore_tinynet.recording import RunloreCallback

    return RunloreCallback
