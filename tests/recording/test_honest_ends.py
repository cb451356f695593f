"""The status tells how a process ended, whatever handles its signals."""

import signal
from collections.abc import Callable

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_a_handler_that_ends_after_sigterm_reads_interrupted(store: Store, python: Python) -> None:
    """A handler that leaves with status 0 once made the run read finished."""
    for body in ("with run: [time.sleep(0.05) for _ in range(1200)]", "[time.sleep(0.05) for _ in range(1200)]"):
        process = python(f"""
            import signal, sys, time, runlore
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            run = runlore.start_run("handled")
            print("ready", flush=True)
            {body}
        """)
        process.line()
        assert process.kill(signal.SIGTERM) == 0
        assert store.runs()[0].status == "interrupted"
