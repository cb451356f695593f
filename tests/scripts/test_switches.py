"""Each library is a switch: on by its name, off again without a trace, and never on by a bare autolog()."""

from collections.abc import Callable

import pytest

from runlore.plugins.autolog import wanted_by_setting
from runlore_scripts._switches import SWITCHES
from tests.process import Process


def test_a_bare_autolog_leaves_scripts_alone(python: Callable[..., Process]) -> None:
    printed = python("import runlore; print(*runlore.autolog().names)").succeed()
    assert set(printed.split()) & set(SWITCHES) == {"torch-files"}  # which a loop of torch brings
    assert "sklearn" in printed


def test_the_setting_takes_all_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_AUTOLOG", "1")
    monkeypatch.setenv("RUNLORE_DISABLED", "matplotlib")
    assert set(SWITCHES) - wanted_by_setting() == {"matplotlib"}


@pytest.mark.parametrize("first", ["import matplotlib.pyplot as plt", "on = runlore.autolog('matplotlib')"])
def test_a_switch_works_in_any_order_and_leaves_no_trace(python: Callable[..., Process], first: str) -> None:
    printed = python(
        f"""
        import sys, runlore
        {first}
        on = runlore.autolog("matplotlib")
        before = list(sys.meta_path)
        import matplotlib.pyplot as plt
        from matplotlib.figure import Figure
        again = runlore.autolog("matplotlib")
        print(plt.show.__wrapped__.__module__, Figure.savefig.__wrapped__.__module__)
        print(hasattr(plt.show.__wrapped__, "__wrapped__"), plt.show.__doc__ == plt.show.__wrapped__.__doc__)
        originals = plt.show.__wrapped__, Figure.savefig.__wrapped__
        on.disable()
        print(plt.show is originals[0], Figure.savefig is originals[1])
        print([item for item in sys.meta_path if "runlore" in type(item).__module__])
        """
    ).succeed()
    assert printed == "matplotlib.pyplot matplotlib.figure\nFalse True\nTrue True\n[]\n"


def test_a_module_of_a_switch_that_is_off_is_left_alone(python: Callable[..., Process]) -> None:
    printed = python(
        """
        import runlore
        on = runlore.autolog("matplotlib")
        from matplotlib.figure import Figure
        on.disable()
        import matplotlib.pyplot as plt
        print(hasattr(plt.show, "__wrapped__"), hasattr(Figure.savefig, "__wrapped__"))
        """
    ).succeed()
    assert printed == "False False\n"


@pytest.mark.parametrize("library", ["torch", "matplotlib.pyplot", "h5py, PIL.Image, yaml, dill", "safetensors.torch"])
def test_a_library_that_imports_its_parts_before_it_is_whole_is_followed(
    python: Callable[..., Process], library: str
) -> None:
    """`torch` has no attribute `export` yet as `torch.export` is imported."""
    process = python(f"import runlore; runlore.autolog(*{sorted(SWITCHES)}); import {library}")
    process.succeed()
    assert process.err == ""
