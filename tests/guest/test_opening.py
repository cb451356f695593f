"""Which run a fit belongs to: the open one of its context, of its process, or none."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import wraps

import pytest

import runlore
from runlore import FitSession, Store, guest
from runlore.guest.launch import Launch


def fit(name: str = "fit") -> None:
    with FitSession.begin("mine", guest.FitRequest(name=name)) as session:
        session.metrics({"loss": 1.0}, step=1)


def in_fresh_context(test: Callable[[Store], None]) -> Callable[[Store], None]:
    """Runs that other tests have left open are no current ones here."""

    @wraps(test)
    def run(store: Store) -> None:
        Context().run(test, store)

    return run


def in_threads(work: Callable[..., object], *arguments: object) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, arguments))


def children(store: Store, name: str) -> list[str]:
    return [child.name for child in store.run(name).children]


@in_fresh_context
def test_a_fit_joins_a_run_without_a_block_and_the_next_is_its_child(store: Store) -> None:
    run = store.start_run("mine")
    fit("first")
    fit("second")
    assert not run.ended
    run.finish()
    fit("third")
    assert list(store.run("mine").metrics) == ["loss"]
    assert children(store, "mine") == ["second"]
    assert store.run("third").parent is None


@pytest.mark.parametrize("block", [True, False])
def test_fits_in_threads_are_children_of_the_open_run(store: Store, block: bool) -> None:
    """They were once runs of their own, while `runlore.log_metrics` in the same thread went to the open run."""

    def work(name: str) -> None:
        fit(name)
        runlore.log_metrics({name: 1.0})

    def sweep() -> None:
        run = store.start_run("sweep", experiment="digits")
        if block:
            run.__enter__()
        in_threads(work, "a", "b")
        run.finish()

    Context().run(sweep)
    sweep_run = store.run("sweep")
    assert sorted(children(store, "sweep")) == ["a", "b"]
    assert sorted(sweep_run.metrics) == ["a", "b"]
    assert {child.experiment for child in sweep_run.children} == {"digits"}


@in_fresh_context
def test_a_thread_belongs_to_the_innermost_of_nested_blocks(store: Store) -> None:
    with store.start_run("outer"), store.start_run("inner"):
        in_threads(fit, "fit")
    assert store.run("fit").parent == store.run("inner")


@in_fresh_context
def test_a_thread_belongs_to_no_run_where_several_are_open(store: Store) -> None:
    one, two = store.start_run("one"), store.start_run("two")
    in_threads(fit, "loose")
    for run in (one, two):
        run.finish()
    assert store.run("loose").parent is None


@in_fresh_context
def test_a_run_of_the_thread_comes_before_the_open_one_of_another(store: Store) -> None:
    def work(name: str) -> None:
        with store.start_run(name):
            fit()
            assert runlore.current_run() is not main

    with store.start_run("main") as main:
        in_threads(work, "a", "b")
    assert [store.run(name).metrics["loss"].count for name in ("a", "b")] == [1, 1]
    assert children(store, "main") == []


@in_fresh_context
def test_fits_in_threads_are_no_children_of_each_other(store: Store) -> None:
    with FitSession.begin("mine", guest.FitRequest(name="outside")):
        in_threads(fit, "beside")
    assert store.run("beside").parent is None


@in_fresh_context
def test_what_threads_log_goes_to_the_users_run_while_others_fit(store: Store) -> None:
    """The run of the fit once made it one of two, so that `log_metrics` raised now and then."""
    run = store.start_run("sweep")
    fit("first")
    with FitSession.begin("mine") as session, ThreadPoolExecutor(1) as pool:
        assert session.run is not run
        assert pool.submit(runlore.current_run).result() is run
    run.finish()


@pytest.mark.parametrize(("launched", "joined"), [(False, False), (True, True)])
def test_fits_in_forked_processes_are_children_unless_a_launcher_made_them(
    store: Store, monkeypatch: pytest.MonkeyPatch, launched: bool, joined: bool
) -> None:
    """Folds that processes of a pool train were once poured into the run that they were forked in."""
    with store.start_run("mine"):
        child = os.fork()
        if not child:
            if launched:
                monkeypatch.setenv("WORLD_SIZE", "2")
                monkeypatch.setenv("RANK", "0")
            fit("of the fork")
            os._exit(0)
        os.waitpid(child, 0)
    assert ("loss" in store.run("mine").metrics) is joined
    assert children(store, "mine") == ([] if joined else ["of the fork"])


# Groups


def test_each_fit_in_a_group_is_a_child_the_first_one_too(store: Store) -> None:
    with runlore.group("cv", experiment="digits", params={"k": 2}):
        with FitSession.begin("mine", guest.FitRequest(name="baseline", visits=True)) as visit:
            visit.metrics({"loss": 2.0}, step=0)
        fit("fold-0")
        fit("fold-1")
        in_threads(fit, "fold-2")
    fit("behind")
    group = store.run("cv")
    assert children(store, "cv") == ["baseline", "fold-0", "fold-1", "fold-2"]
    assert (group.status, group.params, dict(group.metrics)) == ("finished", {"k": 2}, {})
    assert {child.experiment for child in group.children} == {"digits"}
    assert store.run("behind").parent is None


def test_runs_that_are_started_in_a_group_are_below_it(store: Store, tmp_path: os.PathLike[str]) -> None:
    elsewhere = Store(tmp_path / "other")  # type: ignore[operator]
    with store.group("cv") as group:
        for fold in range(2):
            with runlore.start_run(f"fold-{fold}", tags={"fold": fold}):
                fit()
                runlore.start_run("within").finish()
        with elsewhere.start_run("apart"):
            pass
        with store.group("inner"):
            fit("deep")
        with store.start_run("other", parent=store.run("fold-0")):
            pass
    assert [child.name for child in store.run("cv").children] == ["fold-0", "fold-1", "inner"]
    assert store.run("fold-0").metrics["loss"].count == 1
    assert store.run("deep").parent == store.run("inner")
    assert store.run("other").parent == store.run("fold-0")
    assert elsewhere.run("apart").parent_id is None
    assert group.ended


def test_a_group_in_other_processes_is_one_there(store: Store) -> None:
    with store.group("cv"):
        launch = Launch.prepare()
    run = launch.attached()
    assert run is not None
    assert not run.fit.join(visits=False)
    run.finish()


def test_a_group_goes_on_with_its_children(store: Store) -> None:
    for _ in range(2):
        with (
            pytest.raises(RuntimeError, match="goes down"),
            runlore.group("cv", resume="allow"),
            store.start_run("fold", resume="allow"),
        ):
            raise RuntimeError("the node goes down")
    assert len(store.runs()) == 2
    assert children(store, "cv") == ["fold"]
