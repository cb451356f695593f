"""Tags and notes from the command line."""

from runlore import Store
from tests.commands import document, runlore


def test_tags_and_notes_are_added_to_finished_runs(store: Store) -> None:
    store.start_run("else").finish()
    assert runlore("tag", "else", "team=vision", "url=a=b").output == "team=vision\nurl=a=b\n"
    assert document("tag", "else", "--remove", "url", "--json") == {"team": "vision"}
    assert runlore("tag", "else").output == "team=vision\n"
    assert runlore("tag", "else", "novalue").exit_code == 2
    missing = runlore("tag", "else", "--remove", "nothing")
    assert (missing.exit_code, "it has team" in missing.output) == (1, True)
    assert runlore("note", "else", "worse", "than", "it looks").exit_code == 0
    assert runlore("note", "else", " ").exit_code == 2
    found = store.run("else")
    assert (found.notes, found.tags, found.status) == (["worse than it looks"], {"team": "vision"}, "finished")
