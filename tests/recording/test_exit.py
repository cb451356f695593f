"""Tests of the order in which a process ends what it keeps, and of what a forked child takes over."""

from collections.abc import Callable

import pytest

from runlore import Store, current_run
from tests.process import Process

Python = Callable[..., Process]

# A fit that never reports its end, the user's run, an addition to an ended run, and the mark for SIGTERM are open.
OPEN = """
    import atexit, os, sys
    import runlore
    from runlore import FitSession, guest
    from runlore._process import Part, process
    from runlore.guest.additions import Additions
    from runlore.recording.additions import addition_to

    store = runlore.open_store()
    with store.start_run("ended") as ended:
        pass
    session = FitSession.begin("mine", guest.FitRequest(name="fit"))
    session.metrics({"loss": 1.0}, step=1)
    session.look = lambda: None
    own = store.start_run("own")
    Additions(ended).metrics({"score": 0.5})
    added = addition_to(ended)
"""

PROBES = """
    def state():
        marks = list((store.root / "marks").glob(f"*-{os.getpid()}-*"))
        return [not session.run.ended, not own.ended, not added.ended, bool(marks)]

    def probe(place):
        class Probe(Part):
            rank = place

            def end(self):
                print(*map(int, state()), flush=True)

        process.part(Probe)

    for place in (0.5, 1.5, 2.5, 3.5, 4.5):
        probe(place)
    session.look = session.end
"""

IN_ORDER = ["1 1 1 1", "0 1 1 1", "0 0 1 1", "0 0 0 1", "0 0 0 0"]


def test_a_process_ends_its_fits_then_its_runs_then_its_additions_then_its_mark(store: Store, python: Python) -> None:
    printed = python(OPEN + PROBES).succeed()
    assert printed.splitlines() == IN_ORDER
    assert {run.name: run.status for run in store.runs()} == {"ended": "finished", "own": "finished", "fit": "finished"}
    assert store.run("ended").metrics["score"].last == 0.5


def test_an_exception_ends_the_parts_of_a_process_in_the_same_order(store: Store, python: Python) -> None:
    process = python(OPEN + PROBES + "\n    session.look = lambda: session.end(sys.last_value)\n    1 / 0")
    assert process.wait() == 1
    assert process.out.splitlines() == IN_ORDER
    assert {run.name: run.status for run in store.runs()} == {"ended": "finished", "own": "failed", "fit": "failed"}


def test_what_is_called_at_exit_may_still_log(store: Store, python: Python) -> None:
    python("""
        import atexit
        from runlore import start_run
        atexit.register(lambda: run.log_metrics({"last": 1.0}))
        run = start_run("x")
    """).succeed()
    assert store.run("x").metrics["last"].last == 1.0
    assert store.run("x").status == "finished"


def test_what_is_called_behind_the_end_of_all_runs_goes_on(store: Store, python: Python) -> None:
    """`runlore.log_metrics` raised there, and what a script had still to do at exit was not done."""
    process = python("""
        import atexit

        def late():
            import runlore
            runlore.log_metrics({"last": 1.0})
            runlore.log_params({"late": True})
            runlore.set_tags({"late": "yes"})
            print("saved")

        atexit.register(late)
        import runlore
        run = runlore.start_run("x")
        run.log_metrics({"loss": 1.0})
    """)
    assert process.succeed().splitlines() == ["saved"]
    assert process.err.count("is closed: what is logged now is not recorded") == 1
    assert (list(store.run("x").metrics), store.run("x").params) == (["loss"], {})


def test_a_fit_that_can_not_look_keeps_no_run_from_its_end(store: Store, python: Python) -> None:
    process = python(OPEN + "\n    session.look = lambda: 1 / 0")
    process.succeed()
    assert "the end of a training is not recorded: ZeroDivisionError" in process.err
    assert {run.name: run.status for run in store.runs()}["own"] == "finished"


@pytest.mark.parametrize("leave", ["sys.exit()", "os._exit(0)"])
def test_a_forked_child_ends_nothing_of_its_parents(store: Store, python: Python, leave: str) -> None:
    printed = python(f"""{OPEN}
    if not os.fork():
        session.look = lambda: print("looked")
        print(guest.in_fit(), bool(FitSession.begin("inner")), runlore.current_run() is own)
        own.log_metrics({{"of_child": 1.0}}, step=1)
        Additions(ended).metrics({{"of_child": 1.0}}, step=1)
        session.look = lambda: print("looked at exit")
        sys.stdout.flush()
        {leave}
    os.wait()
    print(*(not run.ended for run in (own, session.run, added)), guest.in_fit())
    own.log_metrics({{"after": 1.0}}, step=2)
    session.metrics({{"loss": 0.5}}, step=2)
    session.end()
    """).succeed()
    assert printed.splitlines() == ["looked", "looked", "True False True", "True True True True"]
    runs = {run.name: run for run in store.runs()}
    assert {name: run.status for name, run in runs.items()} == {
        "ended": "finished", "own": "finished", "fit": "finished"
    }  # fmt: skip
    assert runs["fit"].metrics["loss"].values.tolist() == [1.0, 0.5]
    assert runs["own"].metrics.keys() == {"of_child", "after"}
    assert runs["ended"].metrics["of_child"].last == 1.0


def test_a_child_that_c_code_has_forked_ends_nothing_of_its_parents(store: Store, python: Python) -> None:
    python(f"""{OPEN}
    import ctypes
    session.look = session.end
    if not ctypes.CDLL(None).fork():
        sys.exit()
    os.wait()
    session.metrics({{"loss": 0.5}}, step=2)
    own.log_metrics({{"after": 1.0}}, step=2)
    """).succeed()
    runs = {run.name: run for run in store.runs()}
    assert runs["fit"].metrics["loss"].values.tolist() == [1.0, 0.5]
    assert runs["own"].metrics.keys() == {"after"}
    assert not [path.name for path in store.root.rglob("*.log")]


def test_a_child_of_multiprocessing_ends_what_it_began(store: Store, python: Python) -> None:
    printed = python(f"""{OPEN}
    import multiprocessing

    def work():
        session.end()  # inherited: what follows is no part of it
        mine = FitSession.begin("mine", guest.FitRequest(name="of_child", leader=True))
        mine.look = lambda: (print("looked", flush=True), mine.end())
        Additions(ended).metrics({{"of_child": 1.0}}, step=1)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    session.end()
    """).succeed()
    assert printed == "looked\n"
    assert {run.name: run.status for run in store.runs()} == {
        "ended": "finished", "own": "finished", "fit": "finished", "of_child": "finished"
    }  # fmt: skip
    assert not [path.name for path in store.root.rglob("*.log")]


def test_a_run_that_is_attached_to_stays_the_current_one(store: Store) -> None:
    run = store.start_run("open")
    store.run("open").note("added meanwhile")
    assert current_run() is run
    run.finish()
    assert [note.text for note in store.run("open").notes] == ["added meanwhile"]
