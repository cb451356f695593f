"""Runs that go back to thousands of others, or to themselves: whoever follows them comes to an end, and says where."""

from pathlib import Path
from typing import Any

import pytest

from runlore import open_store
from runlore._ids import new_run_id
from runlore.maintenance.removal import with_descendants
from runlore.provenance.lineage import lineage
from runlore.recording.run import Run
from runlore.reproduction.matching import descendants
from runlore.reproduction.reproduce import _sources, distrust
from runlore.store.store import Store
from tests.commands import runlore
from tests.forged import ForgedStore
from tests.maintenance.files import age

LENGTH = 120
MOST = 50
SHA = "ab" * 32


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Each run is the child of the one before, whose file it went on from; the first is the last one's child."""
    forged = ForgedStore(tmp_path_factory.mktemp("chain"))
    first = before = forged.run(name="first", opening={"parent": None})
    for _ in range(LENGTH - 1):
        link = {"type": "link", "kind": "resumed_from", "run": before, "sha256": SHA, "step": 1}
        before = forged.run([link], name="later", opening={"parent": before})
    forged.run([{"type": "link", "kind": "resumed_from", "run": first}], name="last", opening={"parent": before})
    return open_store(forged.root)


def test_all_descendants_of_a_run_are_found_by_one_question(chain: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ask = Store.ask

    def counted(store: Store, *question: Any) -> Any:
        asked.append(question)
        return ask(store, *question)

    monkeypatch.setattr(Store, "ask", counted)
    first = chain.run("first")
    below = with_descendants([first])
    assert [run.id for run in below] == [run.id for run in descendants(first)]
    assert len(below) == LENGTH + 1
    assert len(asked) < 10


def test_a_lineage_ends_and_says_so(chain: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runlore.provenance.lineage.MAX_NODES", MOST)
    graph = lineage(chain, chain.run("first"))
    assert graph.cut
    assert len(graph.nodes) == MOST + 1
    told = runlore("lineage", "first", "--store", str(chain.root))
    assert (told.exit_code, "There is more" in told.output) == (0, True)


def test_no_more_sources_of_a_run_are_looked_at_than_a_reader_may(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runlore.reproduction.reproduce.MAX_SOURCES", 3)
    parents: list[Run] = []
    for _ in range(4):
        with store.start_run(parent=parents[-1] if parents else None) as run:
            parents.append(run)
    assert distrust(store.run(parents[2])) is None
    assert "goes back to more than 3 runs" in str(distrust(store.run(parents[3])))


def test_an_honest_chain_of_runs_meets_no_limit(store: Store, tmp_path: Path) -> None:
    """Forty trainings, each of which goes on from the checkpoint of the one before, and all below one sweep."""
    parent = store.start_run("sweep")
    before = tmp_path / "weights-0"
    before.write_text("0")
    for number in range(1, 41):
        with store.start_run(f"run-{number}", parent=parent) as run:
            run.log_data("weights", before)
            run.link("started_from", store.run(f"run-{number - 1}").id if number > 1 else parent.id)
            before = tmp_path / f"weights-{number}"
            before.write_text(str(number))
            run.log_artifact(before)
    parent.finish()
    graph = lineage(store, store.run("run-40"))
    assert not graph.cut
    assert len([node for node in graph.nodes.values() if node.kind == "run"]) >= 40
    assert distrust(store.run("run-40")) is None


@pytest.mark.parametrize("length", [1, 3])
def test_runs_that_are_their_own_ancestors_end(tmp_path: Path, length: int) -> None:
    forged = ForgedStore(tmp_path)
    ids = [new_run_id(1_790_000_000_000_000 + number) for number in range(length)]
    for number, run_id in enumerate(ids):
        forged.run(run=run_id, opening={"parent": ids[number - 1]})
    age(tmp_path / "runs")  # another machine's log of a moment ago may still be written
    run = open_store(tmp_path).known(ids[:1])[0]
    assert run.parent is not None
    for found in (with_descendants([run]), descendants(run), list(_sources(run))):
        assert {item.id for item in found} == set(ids)
    told = runlore("rm", ids[0], "--dry-run", "--store", str(tmp_path))
    assert (told.exit_code, told.output.count("would remove ")) == (0, length)


def test_what_a_record_holds_is_made_once_for_all_who_ask(tmp_path: Path) -> None:
    """A comparison asked for the data of a run once for each dataset."""
    forged = ForgedStore(tmp_path)
    forged.run([{"type": "data", "name": f"d{number}", "values": {"rows": number}} for number in range(9)])
    (run,) = open_store(tmp_path).runs()
    assert run.data is run.data
    assert run.environment is run.environment
