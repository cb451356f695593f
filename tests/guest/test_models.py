"""What integrations of libraries for models share: whose fit is under way, where a model comes from, tables of it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runlore import FitSession, Store, guest
from runlore.guest.additions import Origins, WrittenModels
from runlore.guest.captured import named
from runlore.guest.wrapping import token_of


class Model:
    """Takes weak references, as models do."""


def test_the_fit_of_a_model_is_found_by_the_integration_of_its_library(store: Store) -> None:
    model = Model()
    with FitSession.begin("outer") as session:
        assert guest.fit_of(model, "inner") is None
        session.trains = token_of(model)
        assert guest.fit_of(Model(), "inner") is None
        assert session.told_by is None
        assert guest.fit_of(model, "inner") is session
        assert session.told_by == "inner"
    assert guest.fit_of(model, "inner") is None


def test_one_that_is_switched_off_finds_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    monkeypatch.setenv("RUNLORE_DISABLED", "inner")
    with FitSession.begin("outer") as session:
        session.trains = token_of(model)
        assert guest.fit_of(model, "inner") is None
        assert guest.fit_of(model, "another") is session


def test_a_model_that_has_gone_on_is_of_no_run(store: Store) -> None:
    known, model = Origins(), Model()
    with FitSession.begin("some") as session:
        known.note_made(model, session.run, 3)
        assert known.run_of(model, 3) is session.run
        assert known.run_of(model, 4) is None
        known.drop(model)
        assert known.run_of(model, 3) is None


def test_what_is_made_of_the_bytes_of_a_model_is_of_its_run(store: Store) -> None:
    known, model, copy = guest.part(Origins), Model(), Model()
    written = WrittenModels(bytes, lambda item: 3)
    with FitSession.begin("some") as session:
        known.note_made(model, session.run, 3)
        written.note_written(model, b"weights")
        written.note_loaded(copy, b"weights")
        assert known.run_of(copy, 3) is session.run
        written.note_loaded(copy, "a text, which no model of this kind is written as")
        assert known.run_of(copy, 3) is None
        WrittenModels(bytes, lambda item: 1 // 0).note_written(model, b"raises within")


def test_a_file_that_has_changed_is_no_origin(store: Store, tmp_path: Path) -> None:
    known, model, path = Origins(), Model(), tmp_path / "model.bin"
    path.write_bytes(b"weights")
    known.note_read(model, path, 3)
    assert (known.file_of(model, 3), known.file_of(model, 4)) == (path, None)
    path.write_bytes(b"other weights")
    assert known.file_of(model, 3) is None


def test_a_table_is_kept_as_lines_of_values(store: Store, tmp_path: Path) -> None:
    with FitSession.begin("some") as session:
        session.table("weights", {"feature": ["a", "b, c"], "weight": [1, 0.5]})
        session.table("uneven", {"feature": ["a"], "weight": []})
    run: Any = store.runs()[0]
    (kept,) = [item for item in run.artifacts if item.kind == "table"]
    assert kept.name == "weights.csv"
    assert kept.restore(tmp_path / "out").read_text() == 'feature,weight\na,1\n"b, c",0.5\n'


@pytest.mark.parametrize(
    ("value", "name"), [(0.5, 0.5), (None, None), (len, "len"), (partial(max, 1), "max"), (Model(), "Model")]
)
def test_functions_and_objects_have_names(value: Any, name: Any) -> None:
    assert named(value) == name
