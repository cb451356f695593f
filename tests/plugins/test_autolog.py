"""`autolog()` with an integration that is no framework's, and what a forked child goes on with."""

from collections.abc import Callable
from pathlib import Path

import pytest

import runlore
from runlore import guest
from runlore.errors import SettingError
from tests.distributions import plugin
from tests.process import Process

FAKE = """
from runlore import hookimpl
from runlore.hookspecs import Integration
told = []
@hookimpl
def runlore_register_integrations():
    return [Integration("fake", "colorsys", lambda: told.append("on"), lambda: told.append("off"))]
"""
WAITING = 'waiting = lambda: [item for item in sys.meta_path if type(item).__module__ == "runlore.plugins.autolog"]'


def test_an_integration_is_enabled_by_the_import_of_its_framework(
    tmp_path: Path, python: Callable[..., Process]
) -> None:
    printed = python(
        f"""
        import sys, runlore, fake
        {WAITING}
        with runlore.autolog("fake") as first:
            print(fake.told, len(waiting()))
            import colorsys
            second = runlore.autolog("fake")
            print(fake.told, len(waiting()), second)
        print(fake.told)
        """,
        PYTHONPATH=plugin(tmp_path, "fake", FAKE),
    ).succeed()
    assert printed == "[] 1\n['on'] 0 <Autolog fake>\n['on', 'off']\n"


def test_an_integration_that_was_disabled_before_the_import_is_never_enabled(
    tmp_path: Path, python: Callable[..., Process]
) -> None:
    printed = python(
        f"""
        import sys, runlore, fake
        {WAITING}
        runlore.autolog("fake").disable()
        print(len(waiting()))
        import colorsys
        print(fake.told)
        """,
        PYTHONPATH=plugin(tmp_path, "fake", FAKE),
    ).succeed()
    assert printed == "0\n[]\n"


def test_a_forked_child_goes_on_with_what_its_parent_switched_on(
    tmp_path: Path, python: Callable[..., Process]
) -> None:
    printed = python(
        f"""
        import os, sys, runlore, fake
        {WAITING}
        on = runlore.autolog("fake")
        child = os.fork()
        if not child:
            import colorsys
            runlore.autolog("fake")
            print(fake.told, len(waiting()))
            on.disable()
            print(fake.told, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(fake.told, len(waiting()))
        """,
        PYTHONPATH=plugin(tmp_path, "fake", FAKE),
    ).succeed()
    assert printed == "['on'] 0\n['on', 'off']\n[] 1\n"


def test_a_process_is_told_what_is_switched_on_for_those_that_it_starts() -> None:
    before = guest.autologged()
    with runlore.autolog("sklearn"):
        assert guest.autologged() == before | {"sklearn"}
        with runlore.autolog("keras", "sklearn"):
            assert guest.autologged() == before | {"keras", "sklearn"}
    assert guest.autologged() == before


def test_a_framework_that_no_plugin_records_is_named() -> None:
    with pytest.raises(SettingError, match="no integration records 'sklern': did you mean 'sklearn'"):
        runlore.autolog("sklern")


WHAT_IS_ON = "import runlore, fake\nimport colorsys\nprint(fake.told)"


@pytest.mark.parametrize(
    ("variable", "project", "told"),
    [
        ("1", "", "['on']"), ("fake", "", "['on']"), ("sklearn", "", "[]"), ("0", "true", "[]"),
        (None, "true", "['on']"), (None, '"fake"', "['on']"), (None, "false", "[]"), (None, "", "[]"),
    ],
)  # fmt: skip
def test_a_setting_switches_it_on_wherever_runlore_is_imported(
    tmp_path: Path, python: Callable[..., Process], variable: str | None, project: str, told: str
) -> None:
    if project:
        (tmp_path / "pyproject.toml").write_text(f"[tool.runlore]\nautolog = {project}\n")
    given = {} if variable is None else {"RUNLORE_AUTOLOG": variable}
    assert python(WHAT_IS_ON, PYTHONPATH=plugin(tmp_path, "fake", FAKE), **given).succeed() == f"{told}\n"


def test_a_call_beside_the_setting_changes_nothing_and_both_can_be_taken_back(
    tmp_path: Path, python: Callable[..., Process]
) -> None:
    printed = python(
        """
        import runlore, fake, colorsys
        with runlore.autolog("fake"):
            print(fake.told)
        print(fake.told)
        runlore.autolog().disable()
        print(fake.told)
        """,
        PYTHONPATH=plugin(tmp_path, "fake", FAKE),
        RUNLORE_AUTOLOG="fake",
    ).succeed()
    assert printed == "['on']\n['on']\n['on', 'off']\n"


def test_a_setting_that_names_nothing_costs_no_import(tmp_path: Path, python: Callable[..., Process]) -> None:
    process = python("import runlore; print(runlore.__version__)", RUNLORE_AUTOLOG="fakr", RUNLORE_QUIET="0")
    assert process.succeed()
    assert "no integration records 'fakr'" in process.err


def test_what_is_left_out_is_not_switched_on(tmp_path: Path, python: Callable[..., Process]) -> None:
    printed = python(
        """
        import runlore, fake, colorsys
        print("fake" in runlore.autolog(without="fake").names, fake.told)
        try:
            runlore.autolog(without=["fakr"])
        except runlore.RunloreError as error:
            print(error)
        """,
        PYTHONPATH=plugin(tmp_path, "fake", FAKE),
    ).succeed()
    assert printed == "False []\nno integration records 'fakr': did you mean 'fake'?\n"
