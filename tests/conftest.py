"""A store of its own for every test; nothing of the machine's settings reaches in.

Tests are marked by the fixtures that they ask for and by their folder, so that a part of them can be chosen with `-m`;
only `stress`, `long` and `quiet` are written by hand. With `-n 2` each worker takes whole files or folders, see
`tests/scheduling.py`.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from runlore import Store
from runlore.recording import companions
from tests.scheduling import place_of

if TYPE_CHECKING:  # at run time pytest has to load the plugin first
    from runlore.testing.processes import Process
    from runlore.testing.warm import WarmParents

pytest_plugins = ["runlore.testing"]
companions.END_S = 5.0  # what one has captured is asked for right behind the run, and the machine may be busy
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
os.environ.setdefault("LC_ALL", "C.UTF-8")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: no test could be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)


ROOT = Path(__file__).parent
FRAMEWORKS = (  # tests train there
    "catboost", "keras", "lightgbm", "lightning", "ray", "sklearn", "spark", "transformers", "xgboost",
)  # fmt: skip
WHOLE_SCRIPTS = ("docs", "examples", "reproduction", "story", "upstream")  # folders whose tests run scripts that train
IMPORTS_FRAMEWORK = re.compile(
    r"^(from|import) (catboost|keras|lightgbm|lightning|pyspark|ray|sklearn|torch|transformers|xgboost|runlore_\w+)\b",
    re.M,
)
FIXTURES = {
    # the last three ask a contract for it
    "process": {"python", "warm_python", "begin", "_in_a_process", "ending", "kind"},
    "server": {"serve", "served", "real", "many", "own"},
    "browser": {"browser", "firefox"},
    "framework": {"real_store", "many_store"},  # trained, or of 10,000 runs: half a minute each
}
HEAVY_CONTRACTS = (  # trainings that take long, or are many
    *(
        f"tests/{name}/test_contract.py"
        for name in ("catboost", "keras", "lightgbm", "optuna", "ray", "transformers", "xgboost")
    ),
    "tests/examples/test_third_party.py",
)
MARKERS = {
    "process": "starts Python processes of its own",
    "server": "asks a server of the page",
    "browser": "looks at the page in a browser",
    "framework": "trains with a framework, or runs whole scripts that do",
    "long": "is a stress test that CI has no time for: `make stress` runs it",
    "shows(framework, *what)": "backs cells of the README's table: `python -m tests.docs.table` writes it",
    "quiet": "measures, and runs when nothing else does: without workers",
}


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folders that import frameworks, where no test of them is asked for: it takes most of the time."""
    unasked = collection_path.parent == ROOT and collection_path.name in (*FRAMEWORKS, *WHOLE_SCRIPTS)
    return True if unasked and "not framework" in config.option.markexpr else None


@cache
def imports_framework(path: Path) -> bool:
    """Return True if a file of tests imports a framework as it is loaded."""
    return IMPORTS_FRAMEWORK.search(path.read_text()) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(ROOT).parts[0]
        if len(list(item.iter_markers("stress"))) > 1:  # one more way of what is one more way itself
            item.add_marker("long")
        if item.nodeid.startswith(HEAVY_CONTRACTS) and "callback" in item.name:  # what autolog adds by itself
            item.add_marker("stress")
        if item.get_closest_marker("long"):
            item.add_marker("stress")
        asked = set(getattr(item, "fixturenames", ()))
        for marker, fixtures in FIXTURES.items():
            if asked & fixtures:
                item.add_marker(marker)
        if folder in (*FRAMEWORKS, *WHOLE_SCRIPTS) or imports_framework(item.path):
            item.add_marker("framework")
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.scheduling import ByFile

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def unmeasured() -> None:
    """Measure no machine in this process: its thread outlives tests, and a point of it would fall into any run."""
    from runlore.recording import sampler

    sampler.FIRST_S = sampler.INTERVAL_S = 1e6


@pytest.fixture(autouse=True)
def own_settings(runlore_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from runlore.plugins import modules

    monkeypatch.chdir(tmp_path)  # nothing of this repository is captured, nor are the tests as modules from elsewhere
    monkeypatch.setattr(modules, "OURS", (*modules.OURS, "tests_", "conftest_", "test_"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / "state"))
    before = dict(os.environ)
    on_interrupt = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, on_interrupt)  # Lightning ignores it once a training was interrupted
    for name in os.environ.keys() - before.keys():  # such as the seed that Lightning leaves there for its workers
        del os.environ[name]


@pytest.fixture
def store(runlore_store: Store) -> Store:
    return runlore_store


@pytest.fixture
def python(tmp_path: Path) -> "Iterator[Callable[..., Process]]":
    """Starts Python on a script in a process of its own; what still runs at the end is killed."""
    from tests.process import scripts

    with scripts(tmp_path) as start:
        yield start


@pytest.fixture
def plug() -> Any:
    """Registers plugins in this process, by a name or without one; they are gone after the test."""
    from runlore._process import process
    from runlore.plugins.manager import plugins
    from runlore.recording.observing import Observers

    loaded = plugins()
    added: list[Any] = []

    def register(item: Any, name: str = "") -> Any:
        loaded.register(item, name or f"test-{len(added)}")
        added.append(item)
        return item

    yield register
    for item in added:
        loaded.unregister(item)
    process.part(Observers).are_slow = False


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    """The modules that processes of `warm_python` have imported; folders name theirs."""
    return ()


@pytest.fixture
def warm_python(
    tmp_path: Path, warm_modules: tuple[str, ...], runlore_warm_parents: "WarmParents"
) -> "Iterator[Callable[..., Process]]":
    """Like `python`, for a script that would import a slow framework first: it is forked from one that has done so."""
    from tests.process import scripts

    with scripts(tmp_path, lambda environment: runlore_warm_parents.parent(warm_modules, environment)) as start:
        yield start
