"""What a user wrote for an argument of a call."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runlore.provenance.call_site import Written

NOISY = [1]
loaders: dict[Any, Any] = {"noisy": NOISY, 0: NOISY, "a": {"x": NOISY}}
self = SimpleNamespace(test_set=NOISY, loaders=loaders)


def words(*_: Any, **__: Any) -> tuple[str, ...]:
    return Written.at(sys._getframe(1), 0, "data", "x").words()


def second(*_: Any, **__: Any) -> tuple[str, ...]:
    return Written.at(sys._getframe(1), 1, "data").words()


class Model:
    def score(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        return Written.at(sys._getframe(1), 0, "data").words()


def test_a_variable_an_attribute_and_an_item_are_names() -> None:
    val_loader = NOISY
    assert words(val_loader) == ("val_loader",)
    assert words(NOISY, val_loader) == ("NOISY",)
    assert second(NOISY, val_loader) == ("val_loader",)
    assert words(data=val_loader) == ("val_loader",)
    assert words(self.test_set) == ("test_set", "self")
    assert words(self.loaders["a"]["x"]) == ("x", "a", "loaders", "self")
    assert words(x=loaders["noisy"]) == ("noisy", "loaders")


def test_an_expression_is_no_name() -> None:
    given = {"data": NOISY}
    found = [words(NOISY[:]), words(sorted(NOISY)), words(loaders[0]), words(NOISY + NOISY), words(*[NOISY]), words(1)]
    found += [words(), words(**given), second(*[NOISY], NOISY), words((lambda: self)().test_set)]
    assert found == [()] * 10


def test_what_is_unpacked_gives_the_name_of_the_first() -> None:
    val, rest = (NOISY, [0]), [NOISY]
    assert (words(*val), second(*val), second(NOISY, *rest)) == (("val",), (), ("rest",))


def test_calls_over_several_lines_and_within_others_are_found() -> None:
    größe, noisy = Model(), NOISY
    assert [größe.score(noisy), Model().score(NOISY)] == [("noisy",), ("NOISY",)]
    assert größe.score(
        noisy,  # the second set
        NOISY,
    ) == ("noisy",)
    assert (
        Model()
        .score(  # as black writes it
            noisy
        )
    ) == ("noisy",)  # fmt: skip
    assert [place.score(data=noisy) for place in [größe]] == [("noisy",)]


def test_a_call_without_a_source_has_no_names() -> None:
    space = {"words": words, "noisy": NOISY}
    exec("found = words(noisy)", space)
    assert space["found"] == ()
    assert Written(None).words() == ()


def test_a_source_that_was_edited_meanwhile_misleads_nobody(tmp_path: Path) -> None:
    path = tmp_path / "edited.py"
    text = "def ask(words, noisy):\n    return words(noisy)\n"
    path.write_text(text)
    space: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), space)
    assert space["ask"](words, NOISY) == ("noisy",)
    for other in (text.replace("words(noisy)", "words(clean)"), text.replace("words(", "((((("), "", "é" * 30):
        path.write_text(other + "#" * len(other))
        assert space["ask"](words, NOISY) == ()


NEITHER_LINES_NOR_COLUMNS = [["-X", "no_debug_ranges"], *([["-c"]] if sys.version_info < (3, 13) else [])]


@pytest.mark.parametrize("flags", NEITHER_LINES_NOR_COLUMNS)
def test_what_knows_no_columns_has_no_names(flags: list[str], tmp_path: Path) -> None:
    text = (
        "import sys\nfrom runlore.provenance.call_site import Written\n"
        "def words(x): return Written.at(sys._getframe(1), 0).words()\n"
        "noisy = 1\nassert words(noisy) == (), words(noisy)\n"
    )
    path = tmp_path / "script.py"
    path.write_text(text)
    subprocess.run([sys.executable, *flags, text if flags == ["-c"] else str(path)], check=True)


class Forwards:
    """Has methods that pass their call on, as those that override a framework's do."""

    def score(self, data: Any = None, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        return Model().score(data, *args, **kwargs)

    def everything(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        return Everything().score(*args, **kwargs)

    def by_keyword(self, eval_dataset: Any = None) -> tuple[str, ...]:
        return ByKeyword().score(eval_dataset=eval_dataset)


class Everything:
    def score(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        return Model().score(*args, **kwargs)


class ByKeyword:
    def score(self, *, eval_dataset: Any = None) -> tuple[str, ...]:
        return Forwards().score(data=eval_dataset)


class Own:
    def score(self, data: Any) -> tuple[str, ...]:
        held_out = data
        return Model().score(held_out)


def test_a_method_that_passes_its_call_on_gives_the_name_that_its_caller_wrote() -> None:
    noisy, clean = NOISY, NOISY
    assert [Forwards().score(noisy), Forwards().score(data=clean)] == [("noisy",), ("clean",)]
    assert [Everything().score(noisy), Everything().score(data=clean)] == [("noisy",), ("clean",)]
    assert ByKeyword().score(eval_dataset=noisy) == ("noisy",)
    assert [Forwards().score(), Forwards().score(NOISY[:])] == [(), ()]
    assert Own().score(noisy) == ("held_out",)


def test_another_method_has_a_name_for_what_it_is_given() -> None:
    noisy = NOISY
    assert Forwards().by_keyword(noisy) == ("eval_dataset",)
    assert Forwards().everything(noisy) == ("args",)
