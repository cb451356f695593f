"""Fits within fits, and within a user's run."""

from runlore import FitSession, Store, guest


def test_a_visit_leaves_the_users_run_to_the_first_fit(store: Store) -> None:
    """An evaluation before the fit once made the run its own, and the fit a child of it."""
    with store.start_run("mine"):
        for name in ("first", "second"):
            with FitSession.begin("mine", guest.FitRequest(visits=True)) as visit:
                visit.metrics({name: 1.0})
        with FitSession.begin("mine") as fit:
            fit.metrics({"loss": 1.0})
    assert sorted(store.run("mine").metrics) == ["first", "loss"]
    assert [child.metrics["second"].count for child in store.run("mine").children] == [1]


def test_children_of_a_session_are_runs_below_it(store: Store) -> None:
    with FitSession.begin("mine", guest.FitRequest(name="search")) as search:
        with search.children():
            for _ in range(2):
                with FitSession.begin("mine") as trial:
                    assert trial
                    trial.metrics({"loss": 1.0}, step=1)
        assert guest.current() is search
        with FitSession.begin("mine") as part:
            assert not part
    parent = store.run("search")
    assert [child.status for child in parent.children] == ["finished", "finished"]
    assert len(store.runs()) == 3


def test_children_of_a_session_that_records_nothing_are_none(store: Store) -> None:
    with (
        FitSession.begin("mine", guest.FitRequest(leader=False)) as search,
        search.children(),
        FitSession.begin("mine") as trial,
    ):
        assert not trial
    assert len(store.runs()) == 0
