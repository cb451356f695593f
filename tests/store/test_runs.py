"""Runs as readers see them."""

import pytest

from runlore import Store


def test_a_notebook_shows_runs_with_foreign_text_escaped(filled: Store) -> None:
    for html in (filled.runs()._repr_html_(), filled.runs()[0]._repr_html_(), filled.runs()[1]._repr_html_()):
        assert "<table>" in html
        assert "<script>" not in html
        assert "<b></" not in html


def test_a_notebook_shows_hidden_characters_of_foreign_text(store: Store) -> None:
    hidden = "a\u202eb\x1b[2Jc"
    with store.start_run(hidden, experiment=hidden, params={hidden: hidden}) as run:
        run.log_metrics({hidden: 1.0})
    for html in (store.runs()._repr_html_(), store.runs()[0]._repr_html_()):
        assert "a\\u202eb\\x1b[2Jc" in html
        assert hidden not in html
    assert repr(store.runs()[0].metrics) == "<Metrics a\\u202eb\\x1b[2Jc>"


def test_a_list_of_runs_is_a_sequence(filled: Store) -> None:
    runs = filled.runs()
    assert len(runs[:1]) == 1
    assert runs[0] in runs
    assert runs[-1].name == "one"
    assert repr(runs) == "<RunList of 2>"
    assert "'loss': 1 points, last 1" in repr(filled.run("one").metrics["loss"])


def test_a_series_of_a_resumed_run_is_read_without_the_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt), store.start_run("long") as run:
        for step in range(10):
            run.log_metrics({"loss": float(step), "other": 1.0}, step=step)
        raise KeyboardInterrupt
    with store.start_run(resume=run.id, at_step=5) as again:
        again.log_metrics({"loss": 60.0}, step=6)
    found = store.run("long")
    monkeypatch.setattr("runlore.store.details.build_record", None)
    assert found.metrics["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 60.0]
    assert [content.opening["mode"] for content in found.writers.contents] == ["start", "resume"]
    monkeypatch.undo()
    assert len(found.segments) == 2


def test_a_run_that_was_read_stays_as_it_was(store: Store) -> None:
    run = store.start_run("growing")
    for step in range(3):
        run.log_metrics({"loss": 1.0}, step=step)
    found = store.run("growing")
    assert [content.sealed for content in found.writers.contents] == [False]
    run.finish()
    assert found.metrics["loss"].values.tolist() == [1.0] * 3
    assert found.segments[0].status == "running"
    assert store.run("growing").segments[0].status == "finished"


def test_a_record_tells_of_the_files_as_they_were_read_though_one_is_removed_since(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.start_run("long") as run:
        run.log_metrics({"loss": 1.0}, step=1)
        raise KeyboardInterrupt
    with store.start_run(resume=run.id) as again:
        again.log_metrics({"loss": 2.0}, step=1)
    found = store.run("long")
    first, _ = found.writers.contents
    first.path.unlink()
    assert [segment.status for segment in found.segments] == ["interrupted", "finished"]
