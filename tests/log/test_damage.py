"""Logs that are damaged or hold foreign content cost nothing else."""

import warnings
from collections.abc import Callable

import pytest

from runlore import RunloreWarning, Store
from runlore.log import frames
from tests.process import Process

Python = Callable[..., Process]


def test_a_damaged_last_frame_is_never_thrown_away(store: Store, python: Python) -> None:
    """Sealing once took damage at the end for a frame that was cut short, and left it out."""
    process = python("""
        import os, runlore
        run = runlore.start_run("note")
        run.companions.await_captures()
        run.note("the only copy of this")
        os.kill(os.getpid(), 9)
    """)
    process.wait()
    (log,) = store.root.rglob("*.log")
    data = bytearray(log.read_bytes())
    data[-3] ^= 1
    log.write_bytes(data)
    with pytest.warns(RunloreWarning, match="damaged"):
        run = store.run("note")
    assert run.status == "crashed"
    assert "damaged" in run.missing[0]["why"]
    store.reindex()
    assert log.exists()


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{}", b"no json", b'{"time":1}', b'{"type":"params","time":1}', b'{"type":"end","time":1}',
     b'{"type":"tags","time":1,"values":3}', b'{"type":"artifact","time":1,"size":1e400,"name":[1]}',
     b'{"type":"environment","time":1,"sections":{"x":{}}}'],
)  # fmt: skip
def test_foreign_content_in_one_run_costs_no_other(store: Store, payload: bytes) -> None:
    """A good frame whose content was not ours once made the whole store unreadable."""
    store.start_run("good").finish()
    run = store.start_run("bad")
    (log,) = store.root.rglob("*.log")
    with log.open("ab") as file:
        file.write(frames.frame(frames.EVENT, payload))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert "good" in [found.name for found in store.runs()]
        assert store.run("bad").status == "running"
        run.finish()
        store.reindex()
        assert "good" in [found.name for found in store.runs()]
