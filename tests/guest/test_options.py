"""The options that users give to an integration."""

from typing import Any

import runlore
from runlore import FitSession, Store
from runlore.guest import current, fit_of, is_part
from runlore.guest.captured import Captured
from runlore.guest.options import RunOptions, settings_of
from runlore.guest.wrapping import token_of


class Stopping:
    def __init__(self, patience: int = 3, path: str = "", model: Any = None) -> None:
        self.patience = patience
        self.path = path
        self._model = model
        self.waited = 0


def test_settings_are_the_plain_arguments_that_are_kept() -> None:
    found = settings_of([Stopping(), Stopping(5, model=object()), object()], but=("path",))
    captured, none = Captured(3), Captured(None)
    assert found == {"Stopping": {"patience": captured, "model": none}, "Stopping_1": {"patience": 5}}


def test_options_become_the_request_of_a_session(store: Store) -> None:
    options = RunOptions.checked("named", "digits", {"team": "vision"}, str(store.root))
    with FitSession.begin("mine", options.request(tags={"model": "Net"})):
        pass
    (run,) = store.runs()
    assert (run.name, run.experiment) == ("named", "digits")
    assert run.tags == {"integration": "mine", "model": "Net", "team": "vision"}


def test_where_the_first_callback_says_nothing_the_next_one_counts(store: Store) -> None:
    """What a second one named was lost without a word."""

    class Callback:
        def __init__(self, *given: Any) -> None:
            self.options = RunOptions.checked(*given)

    given = [
        Callback("named", None, {"team": "vision", "n": "1"}),
        object(),
        Callback("other", "digits", {"n": "2", "more": "x"}),
        Callback(None, "letters", None, str(store.root)),
    ]
    options = RunOptions.wanted(given, Callback, autolog=False)
    assert options is not None
    assert (options.name, options.experiment) == ("named", "digits")
    assert options.tags == {"team": "vision", "n": "1", "more": "x"}
    assert options.store is not None
    assert options.store.root == store.root


def test_a_training_with_a_callback_of_its_own_is_a_run_below_the_fit_that_it_is_in(store: Store) -> None:
    """It was a part of another integration's fit: what the callback was told was lost without a word."""
    asked = RunOptions.checked("inner", "digits", {"team": "vision"})
    with FitSession.begin("outer") as outer:
        with FitSession.begin("mine", asked.request()) as inner:
            assert current() is inner
            assert not FitSession.begin("mine", asked.request())
        assert current() is outer
        assert not FitSession.begin("mine", RunOptions().request())
        assert not FitSession.begin("mine", asked.request(visits=True))
        assert not FitSession.begin("outer", asked.request())
        assert is_part("mine", asked=False)
        assert not is_part("mine", asked=True)
    child, parent = store.runs()
    assert (child.name, child.experiment, child.tags["team"]) == ("inner", "digits", "vision")
    assert (child.parent, parent.experiment, "team" in parent.tags) == (parent, "default", False)


def test_options_count_in_the_run_that_another_integration_has_begun_for_the_same_fit(store: Store) -> None:
    model = Stopping()
    with FitSession.begin("outer", RunOptions().request()) as session:
        session.trains = token_of(model)
        found = fit_of(model, "mine")
        assert found is session
        RunOptions.checked("named", "digits", {"team": "vision"}).count_in(found)
    with runlore.start_run("mine", experiment="own", store=store), FitSession.begin("outer") as joined:
        RunOptions.checked("named", "digits", {"team": "vision"}).count_in(joined)
    second, first = store.runs()
    assert (first.name, first.experiment, first.tags["team"]) == ("named", "digits", "vision")
    assert (second.name, second.experiment, second.tags["team"]) == ("mine", "own", "vision")
