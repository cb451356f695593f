"""Questions about links."""

from runlore import Store
from runlore.index.contents import Link, count_linked, find_links, find_links_to_content


def test_links_are_found_by_run_and_by_content(store: Store) -> None:
    base = store.start_run("base")
    base.finish()
    ids = []
    for step, sha256 in ((None, None), (5, None), (5, "a" * 64), (6, "b" * 64)):
        with store.start_run("next") as run:
            run.link("started_from", base.id, step=step, sha256=sha256)
        ids.append(run.id)
    links = store.ask(find_links, base.id)
    assert [link.run for link in links] == ids
    assert links[3] == Link(ids[3], "started_from", 6, "b" * 64)
    found = store.ask(find_links_to_content, base.id, 5, "b" * 64)
    assert [link.run for link in found] == [ids[3], ids[1]], "by its hash; else by its step, if the link has no hash"
    assert store.ask(count_linked, "started_from", base.id) == 4
    assert store.ask(count_linked, "reproduces", base.id) == 0
