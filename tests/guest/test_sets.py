"""A set of data that a model is evaluated on has names of its own."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from runlore import Store, guest
from runlore.analysis.comparison import compare
from runlore.guest.additions import Additions
from runlore.guest.wrapping import Wrappers, Written, as_written
from tests.process import Process

X = np.arange(20.0).reshape(10, 2)


class Opaque:
    """A dataset that doesn't tell what it holds."""


def ending(additions: Additions, **parts: Any) -> str:
    return additions.evaluated_on("test", parts).ending


def additions_of(store: Store) -> Additions:
    run = store.start_run("x")
    run.finish()
    return Additions(run)


def test_the_first_set_has_plain_names_and_others_have_numbers(store: Store) -> None:
    added = additions_of(store)
    assert [ending(added, test=X + place) for place in (0, 1, 2, 0, 2)] == ["", "/test_2", "/test_3", "", "/test_3"]
    assert added.evaluated_on("val", {"val": X + 1}).ending == "", "each stage counts for itself"


def test_other_labels_make_another_set(store: Store) -> None:
    added = additions_of(store)
    labels = np.arange(10)
    assert [ending(added, test=X, test_y=y) for y in (labels, labels[::-1], labels)] == ["", "/test_2", ""]


def test_an_array_that_changed_in_place_is_another_set(store: Store) -> None:
    added, data = additions_of(store), X.copy()
    before = ending(added, test=data)
    data[3] = 0
    assert (before, ending(added, test=data), ending(added, test=X)) == ("", "/test_2", "")


def test_what_tells_nothing_is_known_as_the_same_object_only(store: Store) -> None:
    added = additions_of(store)
    first, second = Opaque(), Opaque()
    assert [ending(added, test=data) for data in (first, second, first)] == ["", "/test_2", ""]


def test_nothing_is_no_set(store: Store) -> None:
    added = additions_of(store)
    assert [ending(added), ending(added, test=None), ending(added, test=X)] == ["", "", ""]


def test_beyond_twenty_sets_share_a_name(store: Store) -> None:
    added = additions_of(store)
    found = [ending(added, test=X + place) for place in range(24)]
    assert found[19:] == ["/test_20", *["/test_more"] * 4]
    assert ending(added, test=X + 5) == "/test_6"


def test_a_set_keeps_its_names_in_another_process(store: Store, python: Callable[..., Process]) -> None:
    added = additions_of(store)
    for place in (0, 1):
        named = added.evaluated_on("test", {"test": X + place})
        added.metrics({f"loss{named.ending}": 1.0}, split="test")
    added.close()
    script = """
    import numpy, runlore
    from runlore.guest.additions import Additions
    from runlore.recording.additions import addition
    x = numpy.arange(20.0).reshape(10, 2)
    store = runlore.open_store()
    added = Additions(addition(store.folder, store.run("x").id))
    print([added.evaluated_on("test", {"test": x + place}).ending for place in (1, 7, 0)])
    """
    assert "['/test_2', '/test_3', '']" in python(script).succeed()


def test_a_training_that_goes_on_keeps_the_plain_names(store: Store) -> None:
    """Older runs don't say which data they were validated on."""
    with store.start_run("x") as run:
        run.log_metrics({"loss": 1.0}, split="val")
    with store.start_run(resume="x") as again:
        added = Additions(again)
        assert added.evaluated_on("val", {"val": Opaque()}, fits=True).ending == ""
        assert added.evaluated_on("val", {"val": Opaque()}).ending == "/val_2"


def test_a_training_waits_for_no_index_of_the_store(store: Store) -> None:
    """It reads the files of its own run: to make an index of 10,000 others takes seconds."""
    run = store.start_run("x")
    run.log_metrics({"loss": 1.0}, split="test")
    run.finish("failed")
    with store.start_run(resume="x") as again:
        for path in store.root.glob("index*"):
            path.unlink()
        assert ending(Additions(again), test=X) == "/test_2"
        assert not list(store.root.glob("index*"))


def test_what_identifies_a_set_is_no_difference_between_runs(store: Store) -> None:
    """Older runs lack it."""
    runs = [store.start_run(name) for name in "ab"]
    for run in runs:
        run.log_data("test", X)
    Additions(runs[0]).evaluated_on("test", {"test": X})
    for run in runs:
        run.finish()
    assert not compare(store.run("a"), store.run("b"))


def test_data_is_named_as_its_metrics_are(store: Store) -> None:
    added = additions_of(store)
    ending(added, test=X)
    named = added.evaluated_on("test", {"test": X + 1, "test_y": X})
    assert [named.name_of(part) for part in ("test", "test_y")] == ["test/test_2", "test/test_2_y"]
    assert named.found["test"] is not None
    assert store.run("x").data["test/test_2"]["set"] == named.content


# Names that users know


class Model:
    """Measures itself on a set, in a stage."""

    def score(self, X: Any, stage: str = "test") -> Any:
        return X


class Scores:
    """Names the sets of a Model's scores as an integration does."""

    def __init__(self, added: Additions) -> None:
        self.added = added
        self.wrappers = Wrappers()

    def __enter__(self) -> Model:
        self.wrappers.wrap(Model, "score", self.score)
        return Model()

    def __exit__(self, *_: Any) -> None:
        self.wrappers.restore()

    def score(self, score: Any, model: Any, X: Any, stage: str = "test") -> Any:
        return self.name(stage, score(model, X), as_written(0, "X"))

    def name(self, stage: str, data: Any, written: Written) -> str:
        return self.added.evaluated_on(stage, {stage: data}, written=written).ending


guest.unseen(Scores.score)


def test_a_set_has_the_name_of_its_variable_where_another_has_the_plain_names(store: Store) -> None:
    x_test, noisy_loader, scaled, other = X, X + 1, X + 2, {"blurred": X + 3}
    with Scores(additions_of(store)) as model:
        found = [model.score(x_test), model.score(noisy_loader), model.score(X=scaled), model.score(other["blurred"])]
        assert found == ["", "/noisy", "/scaled", "/blurred"]
        assert [model.score(X + 2), model.score(X + 4), model.score(X + 3)] == ["/scaled", "/test_5", "/blurred"]
    data = store.run("x").data
    assert {name: facts.get("called") for name, facts in data.items()} == {
        "test": None, "test/noisy": "noisy", "test/scaled": "scaled", "test/blurred": "blurred", "test/test_5": None,
    }  # fmt: skip


def test_a_name_of_another_stage_leaves_the_plain_names_to_others(store: Store) -> None:
    x_val, x_test, train_set, valid_noisy = X, X + 1, X + 2, X + 3
    with Scores(additions_of(store)) as model:
        assert [model.score(x_val), model.score(x_test), model.score(train_set)] == ["/val", "", "/train"]
        assert [model.score(valid_noisy, "eval"), model.score(x_val, "eval")] == ["", "/val"]
        assert model.score(x_test, stage="eval") == "/test"


def test_words_that_tell_nothing_are_no_names(store: Store) -> None:
    data = loader_2 = dataset = x1 = batch = X
    self = SimpleNamespace(data_loader=X, clean=SimpleNamespace(X=X + 9))
    with Scores(additions_of(store)) as model:
        found = [model.score(data), model.score(loader_2 + 1)]
        loader_2, dataset, x1, batch = X + 2, X + 3, X + 4, X + 5
        found += [model.score(loader_2), model.score(dataset), model.score(x1), model.score(batch)]
        self.data_loader = X + 6
        found += [model.score(self.data_loader), model.score(self.clean.X)]
    assert found == ["", *[f"/test_{place}" for place in range(2, 8)], "/clean"]


def test_a_name_that_another_set_has_gives_a_number(store: Store) -> None:
    with Scores(additions_of(store)) as model:
        found = []
        for place in range(3):
            noisy = X + place
            found.append(model.score(noisy))
        test_2 = X + 7
        assert [*found, model.score(test_2)] == ["", "/test_2", "/test_3", "/test_4"]
    assert store.run("x").data["test"]["called"] == "noisy"


class Table:
    """A dataset that says what it is."""

    def __init__(self, value: int, split: str | None = None, config_name: str | None = None) -> None:
        self.rows = [value]
        self.split = split
        self.config_name = config_name


def test_a_name_that_the_data_carries_wins(store: Store) -> None:
    noisy = [Table(1, "validation", "en"), Table(2, "validation", "fr"), Table(3, "test", "fr"), Table(4, "test")]
    with Scores(additions_of(store)) as model:
        found = []
        for other in noisy:
            found.append(model.score(other, "eval"))
        table = Table(5, "train")  # as all parts of a table that was loaded for training say
        found.append(model.score(table, "eval"))
    assert found == ["", "/fr", "/fr_test", "/test", "/eval_5"]


def test_a_named_set_keeps_its_name_in_another_process(store: Store, python: Callable[..., Process]) -> None:
    x_test, noisy, x_val = X, X + 1, X + 2
    added = additions_of(store)
    with Scores(added) as model:
        for ending in (model.score(x_val), model.score(x_test), model.score(noisy)):
            added.metrics({f"loss{ending}": 1.0}, split="test")
    added.close()
    script = """
    import numpy, runlore
    from runlore.guest.additions import Additions
    from runlore.recording.additions import addition
    x = numpy.arange(20.0).reshape(10, 2)
    store = runlore.open_store()
    added = Additions(addition(store.folder, store.run("x").id))
    print([added.evaluated_on("test", {"test": x + place}).ending for place in (1, 2, 0, 5)])
    """
    assert "['/noisy', '/val', '', '/test_4']" in python(script).succeed()


def test_parts_that_the_framework_names_need_no_other_names(store: Store) -> None:
    """A dict of sets behind another one ended in a number, although each had a name that its user had given."""
    added = additions_of(store)
    first, second, third = list(range(3)), list(range(4)), list(range(5))

    def told(**parts: list[int]) -> str:
        return added.evaluated_on("eval", parts, names_parts=True).ending

    assert [told(eval_a=first, eval_b=second), told(eval_x=first, eval_y=third)] == ["", ""]
    assert [told(eval_x=first, eval_y=third), told(eval_a=third)] == ["", "/eval_3"]
    assert [told(eval=first), told(eval=second), told(eval_z=first)] == ["", "/eval_5", ""]
