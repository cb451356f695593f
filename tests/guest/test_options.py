"""The options that users give to an integration."""

from typing import Any

from runlore import FitSession, Store
from runlore.guest.captured import Captured
from runlore.guest.options import RunOptions, settings_of


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
