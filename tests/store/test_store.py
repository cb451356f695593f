"""A store is asked by named questions."""

from runlore import Store
from runlore.index.contents import count_pending, group_stored
from runlore.index.keys import count_keys
from runlore.index.links import count_linked
from runlore.index.select import list_names


def test_a_question_gets_its_arguments_and_the_newest_state(store: Store) -> None:
    with store.start_run("first") as first:
        pass
    assert (store.ask(list_names), store.ask(count_linked, "based_on", first.id)) == (["first"], 0)
    with store.start_run("second") as run:
        run.link("based_on", first.id)
    assert store.ask(count_linked, kind="based_on", target=first.id) == 1


def test_a_store_that_does_not_exist_answers_as_one_without_runs(store: Store) -> None:
    assert (store.ask(list_names), store.ask(count_pending), store.ask(group_stored)) == ([], 0, {})
    assert set(store.ask(count_keys)) == {"params", "metrics", "summary", "tags", "env", "data"}
    assert not store.root.exists()
    store.start_run("first").finish()
    assert store.ask(list_names) == ["first"]
