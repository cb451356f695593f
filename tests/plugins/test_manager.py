"""The plugin manager: entry points, plugins that break or are left out, and the chain of rewriters."""

import threading
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import RunloreWarning, Store, hookimpl
from runlore.plugins import manager
from tests.distributions import plugin
from tests.process import Process

Python = Callable[..., Process]
GOOD = """
from runlore import hookimpl
@hookimpl
def runlore_capture_environment(request):
    return {"cluster": {"job": 42, "argv": len(request.argv)}}
"""
SCRIPT = "import runlore; runlore.start_run('x').finish()"


def test_a_plugin_found_by_entry_point_adds_a_section(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", GOOD)).succeed()
    assert store.run("x").environment["cluster"] == {"job": 42, "argv": 1}


def test_a_plugin_that_raises_costs_only_itself_and_the_run_says_so(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    broken = GOOD.replace("return {", "raise ValueError('no cluster')\n    return {")
    python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", broken)).succeed()
    run = store.run("x")
    assert "python" in run.environment
    assert run.missing == [{"what": "environment from cluster", "why": "ValueError: no cluster"}]


def test_a_plugin_that_cannot_be_imported_is_named_and_left_out(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    process = python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", "import nothing_of_this_name"))
    process.succeed()
    assert "plugin 'cluster' can't be loaded" in process.err
    assert store.run("x").status == "finished"


def test_a_plugin_is_switched_off_by_name(store: Store, tmp_path: Path, python: Callable[..., Process]) -> None:
    path = plugin(tmp_path, "cluster", GOOD)
    python(SCRIPT, PYTHONPATH=path, RUNLORE_DISABLED="cluster,other").succeed()
    assert "cluster" not in store.run("x").environment


def test_built_in_and_installed_plugins_are_found_without_importing_a_framework(
    python: Callable[..., Process],
) -> None:
    printed = python("""
        import sys
        from runlore.plugins.manager import Plugins
        names = [item.name for item in Plugins().load().listed if item.state == "loaded"]
        print(names, "sklearn" in sys.modules, "numpy" in sys.modules)
    """).succeed()
    names = "catboost code data environment keras lightgbm lightning optuna ray scripts secrets".split()
    names += "sklearn spark system torch transformers xgboost".split()
    assert printed == f"{names} False False\n"


def test_recording_imports_no_framework_and_no_numpy(python: Callable[..., Process]) -> None:
    printed = python("""
        import sys, runlore
        with runlore.start_run("lean") as run:
            run.log_metrics({"x": 1.0})
        runlore.autolog()
        print([name for name in ("numpy", "sklearn", "click", "rich", "sqlite3", "torch") if name in sys.modules])
    """).succeed()
    assert printed == "[]\n"


def test_a_rewriter_changes_what_is_written_while_the_thread_that_logs_waits(store: Store, plug: Any) -> None:
    contexts = []
    asked: ContextVar[str] = ContextVar("asked")

    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            contexts.append((asked.get(None), runlore.current_run()))
            if event["type"] == "params":
                return {**event, "values": {key: f"<{value}>" for key, value in event["values"].items()}}
            return None

    plug(Rewriter())
    run = store.start_run("x", params={"a": 1})
    run.companions.await_captures()
    contexts.clear()
    asked.set("here")
    before = threading.active_count()
    run.log_params({"b": 2})
    assert contexts == [("here", run)]
    assert threading.active_count() == before
    run.finish()
    assert store.run("x").params == {"a": "<1>", "b": "<2>"}


def test_what_a_failing_rewriter_should_have_masked_is_not_written(store: Store, plug: Any) -> None:
    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            if event["type"] in ("params", "note"):
                raise ValueError("broken masks")

        @hookimpl
        def runlore_rewrite_file(self, file: Any) -> Any:
            raise ValueError("broken masks")

    plug(Rewriter(), "masks")
    with (
        pytest.warns(RunloreWarning, match="without its content"),
        store.start_run("x", params={"pin": "08-15-fish"}) as run,
    ):
        run.note("the pin is 08-15-fish")
        run.run_log.keep_bytes(b"08-15-fish", name="f.txt")
        run.log_metrics({"loss": 1.0})
    found = store.run("x")
    assert found.params == {}
    assert [note.text for note in found.notes] == ["left out: plugin 'masks' raised ValueError"]
    assert found.status == "finished"
    assert found.metrics["loss"].last == 1.0
    assert [item.name for item in found.artifacts] == []
    assert any(item["what"] == "f.txt" and "broken masks" in item["why"] for item in found.missing)
    assert not any(b"08-15-fish" in path.read_bytes() for path in store.root.rglob("*") if path.is_file())


def test_a_rewriter_that_hangs_is_left_out_with_what_it_should_have_masked(
    store: Store, plug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once held a training for ever, without a word."""
    let_go = threading.Event()
    calls = []

    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            if event["type"] == "params":
                calls.append(event)
                let_go.wait()

    plug(Rewriter(), "endless")
    monkeypatch.setattr(manager, "REWRITE_WAIT_S", 0.1)
    with pytest.warns(RunloreWarning) as said, store.start_run("x", params={"pin": "08-15-fish"}) as run:
        run.log_params({"pin": "08-15-fish"})
        run.log_metrics({"loss": 1.0})
    let_go.set()
    assert [str(item.message) for item in said] == [
        "plugin 'endless' is left out: it did not return within 0.1 s. What it should have masked is not recorded."
    ]
    assert len(calls) == 1
    found = store.run("x")
    assert (found.params, found.status) == ({}, "finished")
    assert {item["why"] for item in found.missing} == {"left out: plugin 'endless' did not return within 0.1 s"}
    assert not any(b"08-15-fish" in path.read_bytes() for path in store.root.rglob("*") if path.is_file())


def test_a_rewriter_that_prints_holds_up_no_recorded_output(
    store: Store, plug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called while the thread that printed holds the lock of the output: both waited until it was left out."""

    class Rewriter:
        @hookimpl
        def runlore_rewrite_file(self, file: Any) -> Any:
            print("a rewriter's own word")

    plug(Rewriter(), "talks")
    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with store.start_run("x"):
            print("the script's word")
    printed = store.run("x").artifact("output.log").read_bytes().decode()
    assert "the script's word" in printed
    assert "a rewriter's own word" not in printed


def test_every_event_may_be_left_out_and_the_rest_of_the_run_is_read(store: Store, plug: Any, tmp_path: Path) -> None:
    class Rewriter:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            raise ValueError("broken masks")

    file = tmp_path / "a.txt"
    file.write_text("kept")
    plug(Rewriter(), "masks")
    with pytest.warns(RunloreWarning, match="without its content"), store.start_run("x") as run:
        run.log_artifact(file)
        run.link("resumed_from", "an earlier one")
        run.log_metrics({"loss": 1.0})
    (found,) = store.runs()
    assert (found.status, found.metrics["loss"].last) == ("finished", 1.0)
    assert {"artifact", "link"} <= {item["what"] for item in found.missing}
    assert not [item for item in found.missing if item["what"] == "a file"]


OBJECT = """
from runlore import hookimpl
class P:
    @hookimpl
    def runlore_capture_environment(self):
        return {"made": {"by": "an object"}}
def plugin():
    return P()
def nothing():
    return None
"""


def test_an_entry_point_may_name_a_function_that_makes_the_plugin(store: Store, tmp_path: Path, python: Python) -> None:
    path = plugin(tmp_path, "maker", OBJECT, ":plugin")
    python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=path).succeed()
    assert store.run("x").environment["made"] == {"by": "an object"}


def test_a_hook_of_an_unknown_name_is_reported_and_its_plugin_left_out(tmp_path: Path, python: Python) -> None:
    code = "from runlore import hookimpl\n@hookimpl\ndef runlore_run_finish(run): pass\n"
    process = python(
        """
        from runlore.plugins.manager import Plugins
        info = next(item for item in Plugins().load().listed if item.name == "typo")
        print(info.state, info.error)
        """,
        PYTHONPATH=plugin(tmp_path, "typo", code),
    )
    assert "failed AttributeError: there is no hook 'runlore_run_finish': did you mean 'runlore_run_finished'?" in (
        process.succeed()
    )
    assert "plugin 'typo' can't be loaded" in process.err


def test_built_in_plugins_can_be_left_out_one_by_one(store: Store, python: Python) -> None:
    script = "import runlore; runlore.start_run('x', params={'password': 'hunter2'}).finish()"
    python(script, RUNLORE_DISABLED="secrets,environment").succeed()
    found = store.run("x")
    assert found.params == {"password": "hunter2"}
    assert set(found.environment) == {"seeds"}


def test_what_a_rewriter_lost_is_told_in_the_run(store: Store, plug: Any) -> None:
    class Failing:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> Any:
            if event["type"] in ("params", "tags", "note"):
                raise KeyError("x")

    plug(Failing())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with store.start_run("lossy", params={"a": 1}, tags={"b": "c"}) as run:
            run.note("d")
    found = {item["what"]: item["why"] for item in store.run("lossy").missing}
    assert found.keys() == {"params", "tags", "note"}
    assert "raised KeyError" in found["params"]


@pytest.mark.parametrize("body", ["class plugin:\n    pass", "def something():\n    pass\nplugin = object()"])
def test_a_plugin_that_can_do_nothing_is_reported(tmp_path: Path, python: Python, body: str) -> None:
    site = plugin(tmp_path, "idle", body, attribute=":plugin")
    process = python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=site)
    process.succeed()
    assert "plugin 'idle' can't be loaded and is left out" in process.err
    assert "is a class" in process.err or "it has no hooks" in process.err


WAITING = """
import sys
from runlore.hookspecs import Integration, hookimpl

@hookimpl
def runlore_register_integrations():
    return [Integration("slow", None, print, print)]

@hookimpl
def runlore_capture_seeds():
    return {"slow_seed": 7}
"""


def test_an_integration_is_loaded_when_somebody_asks_for_it(store: Store, tmp_path: Path, python: Python) -> None:
    site = plugin(tmp_path, "slow", WAITING, group="runlore.integrations")
    script = (
        "import sys, runlore\n"
        "run = runlore.start_run(); run.finish()\n"
        "print('slow' in sys.modules, *sorted(name for name in sys.modules if name.startswith('runlore_')))\n"
        "print('slow' in runlore.autolog().names, 'slow' in sys.modules)\n"
        "run = runlore.start_run(); run.finish()\n"
    )
    done = python(script, PYTHONPATH=site)
    done.succeed()
    assert done.out.split() == ["False", "True", "True"]
    seeds = [run.environment["seeds"].get("slow_seed") for run in store.runs(sort="started")]
    assert seeds == [None, 7], "where its module is imported, its seeds are asked for"


def test_what_waits_may_have_no_other_hooks(tmp_path: Path, python: Python) -> None:
    code = "from runlore import hookimpl\n@hookimpl\ndef runlore_run_started(run): pass\n"
    site = plugin(tmp_path, "eager", code, group="runlore.integrations")
    done = python("from runlore.plugins.manager import plugins; plugins().listed", PYTHONPATH=site)
    done.succeed()
    assert "it has the hook runlore_run_started: only plugins of the group 'runlore' may" in done.err
