"""Names, tags, notes, removals: the few changes that the page makes."""

import json

import pytest

from runlore import Store
from runlore._startup import user_name
from tests.ui.serving import Served


def test_runs_are_tagged_noted_and_pinned(own: Served) -> None:
    run = Store(own.store).run("sweep-0.1-1")
    assert own.post(f"/api/runs/{run.id}/tags", {"tags": {"good": "yes", "team": None}}).document == {
        "tags": {"good": "yes"}
    }
    (note,) = own.post(f"/api/runs/{run.id}/notes", {"text": "  words \n"}).document["notes"]
    assert (note["text"], note["user"], note["time"][:2]) == ("words", user_name(), "20")
    assert own.post("/api/pin", {"runs": [run.id]}).status == 200
    again = Store(own.store).run(run.id)
    assert again.tags == {"good": "yes", "pinned": "yes"}
    refused = own.post("/api/remove", {"runs": [run.id]})
    assert (refused.status, "is pinned" in refused.message) == (400, True)
    own.post("/api/pin", {"runs": [run.id], "off": True})
    assert Store(own.store).run(run.id).tags == {"good": "yes"}


def test_a_note_is_corrected_and_removed(own: Served) -> None:
    run = Store(own.store).run("sweep-0.1-1")
    path = f"/api/runs/{run.id}/notes"
    for text in ("first", "second"):
        first, *_ = own.post(path, {"text": text}).document["notes"]
    assert (first["edited"], first["editor"]) == (None, None)
    changed, second = own.post(path, {"note": first["time"], "text": "1st "}).document["notes"]
    assert (changed["text"], changed["time"], changed["editor"]) == ("1st", first["time"], user_name())
    assert changed["edited"] > first["time"]
    assert own.post(path, {"note": first["time"]}).document["notes"] == [second]
    assert own.get(f"/api/runs/{run.id}")["notes"] == [second]
    assert own.post(path, {"note": first["time"], "text": "again"}).document["notes"][0]["text"] == "again"
    other = own.post(path, {"note": "2026-01-01", "text": "of none"})
    assert (other.status, "has no note" in other.message) == (404, True)
    for wrong in ({}, {"text": " "}, {"note": second["time"], "text": " "}, {"note": "yesterday", "text": "x"}):
        assert own.post(path, wrong).status == 400
    assert [note.text for note in Store(own.store).run(run.id).notes] == ["again", "second"]


def test_a_run_is_renamed_moved_with_its_children_and_described(own: Served) -> None:
    search = own.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    path = f"/api/runs/{search['id']}/edit"
    told = own.post(path, {"name": " best ", "experiment": "paper", "description": "of table 2"}).document
    assert (told["name"], told["experiment"], told["tags"]["description"]) == ("best", "paper", "of table 2")
    store = Store(own.store)
    assert len(store.runs('experiment == "paper"')) == 1 + search["children"]
    told = own.post(path, {"description": ""}).document
    assert (told["name"], "description" in told["tags"]) == ("best", False)
    empty = own.post(path, {"experiment": "  ", "name": "other"})
    assert (empty.status, "at least one letter" in empty.message) == (400, True)
    assert store.run(search["id"]).name == "best"
    assert own.request("POST", path, b'{"name": "x"}').status in (401, 403)


def test_archived_runs_are_left_out_and_counted(own: Served) -> None:
    search = own.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    before = own.get("/api/runs", limit=0)["total"]
    archived = own.post("/api/archive", {"runs": [search["id"]]}).document["runs"]
    assert len(archived) == 1 + search["children"]
    found = own.get("/api/runs", limit=0)
    assert (found["total"], found["archived"]) == (before - 1, 1)
    found = own.get("/api/runs", limit=0, all=["children", "archived"])
    assert (found["total"], found["archived"]) == (len(Store(own.store).runs()), 0)
    found = own.get("/api/runs", where="archived", limit=0)
    assert (found["total"], found["archived"]) == (1, 0)
    assert own.get(f"/api/runs/{search['id']}")["tags"]["archived"] == "yes"
    assert own.refused("/api/runs", all="1").status == 400
    assert own.post("/api/archive", {"runs": archived, "off": True}).document["runs"] == archived
    assert own.get("/api/runs", limit=0)["total"] == before


def test_runs_are_removed_and_brought_back(own: Served) -> None:
    search = own.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    before = own.get("/api/runs", all="children", limit=0)["total"]
    removed = own.post("/api/remove", {"runs": [search["id"]]}).document["removed"]
    assert len(removed) == 1 + search["children"]
    assert len(own.get("/api/runs", all="children", limit=1000)["rows"]) == len(Store(own.store).runs())
    assert own.post("/api/undo", {}).document["back"] == sorted(removed)
    assert own.get("/api/runs", all="children", limit=0)["total"] == before
    assert own.post("/api/undo", {}).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": {"": "x"}}'),
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": {"a": 1}}'),
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": "a"}'),
        ("/api/runs/sweep-0.1-1/tags", b"{}"),
        ("/api/runs/sweep-0.1-1/edit", b"{}"),
        ("/api/runs/sweep-0.1-1/edit", b'{"name": ""}'),
        ("/api/runs/sweep-0.1-1/edit", b'{"name": 5}'),
        ("/api/runs/sweep-0.1-1/edit", b'{"experiment": "%s"}' % (b"x" * 501)),
        ("/api/runs/sweep-0.1-1/edit", b'{"description": "%s"}' % (b"x" * 10_001)),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": "  "}'),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": 5}'),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": "%s"}' % (b"x" * 100_000)),
        ("/api/runs/sweep-0.1-1/notes", b"[1]"),
        ("/api/runs/sweep-0.1-1/notes", b"[" * 60_000),
        ("/api/runs/sweep-0.1-1/notes", b"\xff\xfe"),
        ("/api/remove", b'{"runs": []}'),
        ("/api/remove", b'{"runs": [{"a": 1}]}'),
        ("/api/remove", b'{"runs": "x", "more": 1}'),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(real: Served, path: str, body: bytes) -> None:
    before = json.dumps(real.get("/api/runs/sweep-0.1-1"))
    answer = real.request("POST", path, body, x_runlore_token=real.token)
    assert answer.status == 400
    assert answer.message
    assert json.dumps(real.get("/api/runs/sweep-0.1-1")) == before


def test_only_what_was_meant_is_brought_back(own: Served) -> None:
    """Undo once brought back the last removal, whatever was asked for."""
    store = Store(own.store)
    first, second = store.run("sweep-0.1-1").id, store.run("sweep-0.1-2").id
    own.post("/api/remove", {"runs": [first]})
    own.post("/api/remove", {"runs": [second]})
    assert "others were removed since" in own.post("/api/undo", {"runs": [first]}).message
    assert own.post("/api/undo", {"runs": [second]}).document == {"back": [second]}
    assert own.post("/api/undo", {"runs": [first]}).document == {"back": [first]}
