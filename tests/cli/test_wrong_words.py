"""Commands answer words that they do not know."""

from runlore import Store
from tests.commands import runlore


def test_listing_none_and_wrong_words_are_answered_in_a_line(store: Store) -> None:
    with store.start_run("wise-koala"):
        pass
    assert runlore("ls", "-n", "0").exit_code == 0
    assert "did you mean 'wise-koala'" in runlore("show", "wise-kola").output
    assert runlore("rm", "wise-koala", "--where", "params.x == 1").exit_code == 2
