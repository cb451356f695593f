"""The pages: every snippet runs, every hook, command and setting has its heading, every link leads somewhere."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import runlore
from runlore import hookspecs
from runlore._settings import NAMES
from runlore.cli import COMMANDS
from runlore.log.frames import FORMAT
from tests.docs.api_page import MARK, PAGE, generated
from tests.docs.pages import snippets
from tests.process import Process

ROOT = Path(__file__).parent.parent.parent
SPECS = ROOT / "core" / "runlore" / "hookspecs.py"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


SLOW = ("keras.md", "transformers.md")
ELSEWHERE = ("ray.md", "spark.md")  # run by tests of their frameworks, where these are
RUN = [
    pytest.param(page, marks=[pytest.mark.stress] if page.name in SLOW else [], id=page.name)
    for page in PAGES
    if snippets(page) and page.name not in ELSEWHERE
]


@pytest.mark.parametrize("page", RUN)
def test_the_snippets_of_a_page_run_one_after_the_other(page: Path, python: Callable[..., Process]) -> None:
    for snippet in snippets(page):
        process = python(snippet)
        process.succeed()
        if page.name in ("lightning.md", "optuna.md", "transformers.md"):  # they say a lot on stderr
            assert "runlore" not in process.err.replace("runlore_", ""), process.err
        else:
            assert process.err == "", snippet


def headings(page: str) -> str:
    return "\n".join(line for line in (ROOT / "docs" / page).read_text().splitlines() if line.startswith("#"))


def test_every_hook_has_its_heading_and_signature() -> None:
    hooks = [name for name in dir(hookspecs) if name.startswith("runlore_")]
    assert hooks
    for hook in hooks:
        assert f"`{hook}`" in headings("plugins.md")
        part = section(hook)
        assert f"`{signature(hook)}`" in part, signature(hook)
        for word in ("**Called**", "**May raise**", "**Results**"):
            assert word in part, hook


def signature(hook: str) -> str:
    """As it stands in the source."""
    functions = {node.name: node for node in ast.parse(SPECS.read_text()).body if isinstance(node, ast.FunctionDef)}
    found = functions[hook]
    assert found.returns
    return f"{hook}({ast.unparse(found.args)}) -> {ast.unparse(found.returns)}"


def section(hook: str) -> str:
    return (ROOT / "docs" / "plugins.md").read_text().partition(f"### `{hook}`\n")[2].partition("\n##")[0]


@pytest.mark.parametrize("hook", [name for name in dir(hookspecs) if name.startswith("runlore_")])
def test_the_example_of_a_hook_works_in_a_run(hook: str, store: runlore.Store, runlore_plugins: Any) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", section(hook), re.M | re.S)
    module = ModuleType("example")
    exec(example, vars(module))
    names = vars(module)
    runlore_plugins(names["plugin"]() if "plugin" in names else module)
    with store.start_run("watched", params={"lr": 0.1}) as run:
        run.log_metrics({"loss": float("nan")})
        run.log_data("words", names.get("Sentences", list)(["a", "b"]))
    with runlore.autolog("lightning"):
        assert store.run("watched").missing == []


def test_the_example_of_adding_from_a_hook_works_in_a_run(store: runlore.Store, runlore_plugins: Any) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    (example,) = re.findall(r"^## Adding to a run.*?```python\n(.*?)^```", page, re.M | re.S)
    module = ModuleType("example")
    exec(example, vars(module))
    runlore_plugins(module)
    with store.start_run("watched") as run:
        run.companions.drain()
    assert (store.run("watched").tags, store.run("watched").missing) == ({"team": "vision"}, [])


def test_every_command_and_setting_has_its_heading() -> None:
    for command in COMMANDS:
        assert f"`runlore {command}`" in headings("commands.md")
    for variable in NAMES.values():
        assert f"`{variable}`" in headings("commands.md")


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_format_page_tells_the_current_number() -> None:
    assert f"Format number **{FORMAT}**" in (ROOT / "docs" / "format.md").read_text()


def test_the_public_names_are_exactly_these() -> None:
    assert len(runlore.__all__) <= 20
    assert sorted(runlore.__all__) == sorted(runlore._HOMES)
    for name in runlore.__all__:
        assert getattr(runlore, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = runlore.nothing


def test_no_page_or_module_names_a_place_of_this_machine() -> None:
    for path in [*PAGES, *(ROOT / "core").rglob("*.py"), *(ROOT / "integrations").rglob("*.py")]:
        assert not re.search(r"/home/\w|/work/|/root/", path.read_text()), path


def test_every_framework_extra_installs_what_it_names() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in "sklearn lightning keras transformers xgboost lightgbm catboost ray spark ui all".split():
        assert extras[name]


def test_the_benchmarks_measure_and_tell_their_floors(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.bench",
        "--rounds",
        "1",
        "--json",
        str(tmp_path / "bench.json"),
        "sealed, noisy",
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures = json.loads((tmp_path / "bench.json").read_text())["figures"]
    assert [figure["name"] for figure in figures] == ["sealed, noisy float64", "sealed, noisy float32"]
    for figure in figures:
        assert 1 < figure["median"] < figure["floor"] == 8
        assert figure["name"] in done.stdout
        assert f"| {figure['name']} |" in (ROOT / "docs" / "benchmarks.md").read_text()


def test_the_http_interface_is_told_as_it_is() -> None:
    page = PAGE.read_text()
    assert page.partition(MARK)[1:] == (MARK, generated().removeprefix(MARK)), "python -m tests.docs.api_page writes it"


def test_what_a_page_tells_to_install_can_be_installed_so() -> None:
    """There is no package of this name elsewhere: first of all it is installed from the clone."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        told = re.findall(r"pip install '?(?:runlore|\.)\[([\w,]+)\]", page.read_text())
        assert {name for names in told for name in names.split(",")} <= {*extras}, page.name
        assert "Install with `pip install 'runlore" not in page.read_text(), page.name
