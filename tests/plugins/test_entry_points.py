"""Entry points are read by hand, and as `importlib.metadata` would read them."""

import os
import platform
import subprocess
import sys
from importlib.metadata import entry_points as all_entry_points
from pathlib import Path

import pytest

import runlore
from runlore import Store
from runlore.plugins.entry_points import EntryPoint, entry_points
from tests.distributions import plugin


def of_others() -> list[EntryPoint]:
    return [point for point in entry_points() if point.distribution != "runlore"]


def test_the_installed_ones_are_found() -> None:
    groups = ("runlore", "runlore.integrations")
    own, waiting = ({(point.name, point.value) for point in all_entry_points(group=group)} for group in groups)
    assert own
    assert waiting
    assert {(point.name, point.value) for point in entry_points() if not point.waits} == own
    assert {(point.name, point.value) for point in entry_points() if point.waits} == waiting


def test_of_two_with_one_name_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (plugin(tmp_path / name, "twice", "", f":{name}") for name in ("first", "second"))
    monkeypatch.setattr(sys, "path", [first, second, str(tmp_path / "nowhere")])
    assert of_others() == [EntryPoint("twice", "twice:first", "twice", "1.0")]


@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts]\nx = y",
        "# [runlore]\n[other]\nx = y",
        "[runlore]\n# x = y\n; x = y\nx\n[other]\nx = y",
        "\xff",
    ],
)
def test_other_groups_and_comments_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    site = Path(plugin(tmp_path, "odd", ""))
    (site / "odd-1.0.dist-info" / "entry_points.txt").write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(sys, "path", [str(site)])
    assert of_others() == []


def test_without_metadata_our_own_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {point.name: point for point in entry_points()}
    core = Path(runlore.__file__).parents[1]
    monkeypatch.setattr(sys, "path", [str(core), str(core.parent / "integrations")])
    assert {point.name: point for point in entry_points()} == installed


def test_a_run_of_an_archive_or_a_source_tree_is_masked_and_described(store: Store) -> None:
    """No plugin was found there: secrets were written as they are, and nothing was captured, for a false reason."""
    script = "import runlore; runlore.start_run('vendored', params={'password': 'hunter2-and-more'}).finish()"
    source = Path(runlore.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    subprocess.run([sys.executable, "-S", "-c", script], env=environment, check=True, capture_output=True)
    run = store.run("vendored")
    assert "hunter2" not in str(run.params)
    assert run.environment["python"]["version"] == platform.python_version()
    assert not {"environment", "code"} & {item["what"] for item in run.missing}
