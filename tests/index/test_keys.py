"""Keys that no run has, and what may have been meant."""

import pytest

from runlore import RunloreWarning, Store
from runlore.index.keys import varied_params


def test_a_key_that_no_run_has_is_hinted_at(filled: Store) -> None:
    with pytest.warns(RunloreWarning, match=r"(?s)no run has metrics.losss.min: did you mean metrics.loss.min \?.*\^"):
        assert len(filled.runs("metrics.losss.min < 3")) == 0
    assert filled.runs("params.n == 1 or metrics.losss < 3").hints


def test_a_hint_points_to_the_key(filled: Store) -> None:
    (hint,) = filled.runs("'ä' != name or metrics.losss.min < 3").hints
    assert hint.splitlines()[1:] == ["  'ä' != name or metrics.losss.min < 3", "  " + " " * 15 + "^"]
    (hint,) = filled.runs(sort="name, -metrics.losss").hints
    assert hint.splitlines()[1:] == ["  name, -metrics.losss", "  " + " " * 7 + "^"]


def test_a_name_in_place_of_an_id_is_told_which_id_is_meant(store: Store) -> None:
    search = store.start_run("search")
    store.start_run("trial", parent=search.id).finish()
    search.finish()
    for text in ("search", search.id[-6:]):
        with pytest.warns(RunloreWarning, match=f"parent is a whole id: that of {text!r} is {search.id!r}\n"):
            assert len(store.runs(f"status == 'finished' and not id in ['x', ''] and parent == {text!r}")) == 0
    assert store.runs(f"parent == {search.id!r} and parent != 'none such'").hints == ()


def test_a_hint_finds_the_key_in_another_table_and_behind_a_prefix(filled: Store, store: Store) -> None:
    (hint,) = filled.runs("True or params.loss < 3").hints
    assert "no run has params.loss: did you mean metrics.loss ?" in hint
    store.start_run("a", params={"model__lr": 1, "lr_": 2}).finish()
    (hint,) = store.runs("True or params.lr < 3").hints
    assert "did you mean params.model__lr ?" in hint


def test_params_that_differ_come_with_the_fewest_values_first(store: Store) -> None:
    ids = []
    for number in range(4):
        params = {"same": 1, "seed": number, "half": number % 2, "left_out": number}
        with store.start_run("a", params=params | ({"lacking": 1} if number else {})) as run:
            ids.append(run.id)
    found = store.ask(varied_params, ids, ["left_out"])
    assert list(found) == ["lacking", "half", "seed"]
    assert sorted(found["seed"].values()) == ["0", "1", "2", "3"]
