"""Requests made of the description of the page's interface: none ends in an error of the server's, none takes long."""

import copy
import os
import random
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests

from runlore import Store
from tests.fuzz import MANY, inputs
from tests.fuzz.queries import FIELDS, query_of
from tests.ui.serving import Served

FEW = 100
MADE = 100  # of each operation by schemathesis, which takes longer than the server; more are these, varied again
MAX_S = 5.0  # of the processor
PARTS = ["only", "\ud83d\ude00", "a" * 3000, "%2e%2e", "0", "..", "\x00", "metrics"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = Store(tmp_path_factory.mktemp("http") / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNLORE_QUIET", "1")
        for number in range(4):
            params = {"lr": number / 10, "model": "a" * 40 + "!", "big": 2**70, "\U0001f600": [1, 2]}
            with store.start_run(f"run-{number}", params=params) as run:
                for step in range(30):
                    run.log_metrics({"loss": step * 1e300, "\U0001f600": float("nan"), "a.b": 1.0}, step=step)
                file = Path(store.root).parent / f"{number}.csv"
                file.write_text("a,b\n1,2\n")
                run.log_artifact(file)
    found = Served(store.root)
    yield found
    found.end()


def vary(case: Any, ids: list[str], luck: random.Random) -> None:
    """Put what the store has, and queries, in the place of some of the texts that the description allows."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = luck.choice([*ids, *PARTS] if name == "run" else ["0", "1", *PARTS])
    query = case.query or {}
    for name in query:
        text = query_of(luck, luck.choice([0, 1, 2]))[:20_000]
        choices: dict[str, list[Any]] = {
            "where": [text],
            "sort": [text, *FIELDS],
            "columns": [[text], FIELDS[:30]],
            "by": [["params.lr"], [text]],
            "metrics": [["loss"], [text]],
            "key": ["loss", "\U0001f600", text[:100]],
            "runs": [ids, ids[:2], [text[:50]]],
            "order": ["", "loss", text],
            "target": [*ids, "0" * 64],
            "sha256": ["abcdef", "0" * 64],
        }
        if name in choices and luck.random() < 0.7:
            query[name] = luck.choice(choices[name])
    if isinstance(case.body, dict) and "runs" in case.body and luck.random() < 0.7:
        case.body["runs"] = ids[:2]


def made(operation: Any, count: int) -> list[list[Any]]:
    """Return so many requests at most of an operation, such as its description allows and such as it does not.

    Each is followed by its parts that are varied.
    """
    if operation.path == "/api/remove":
        return []  # at the end nothing would be left to ask
    found: list[list[Any]] = []
    modes = list(import_module("schemathesis").GenerationMode)
    strategy = hypothesis.strategies.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
    quick = hypothesis.settings(
        max_examples=count, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    quick(
        hypothesis.given(case=strategy)(lambda case: found.append([case, case.path_parameters, case.query, case.body]))
    )()
    return found


@pytest.mark.filterwarnings("ignore")
def test_no_request_ends_in_an_error_of_the_server(served: Served) -> None:
    schemathesis = load_schemathesis()
    schema = schemathesis.openapi.from_dict(served.get("/api/openapi.json"))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15
    session = requests.Session()
    session.trust_env = False  # looking for proxies each time takes longer than many answers
    session.headers.update({"Authorization": f"Bearer {served.token}", "X-Runlore-Token": served.token})
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    statuses: dict[int, int] = {}
    cases = [
        case for operation in operations for case in made(operation, min(MADE, len(inputs(FEW)) // len(operations)))
    ]
    for number in inputs(max(FEW, len(cases))):
        luck = random.Random(number)
        case, *parts = cases[number] if number < len(cases) else luck.choice(cases)
        case.path_parameters, case.query, case.body = copy.deepcopy(parts)
        vary(case, ids, luck)
        began = processor_time(served.process.pid)
        try:
            request = case.as_transport_kwargs(base_url=f"http://127.0.0.1:{served.port}")
            response = session.request(**request, timeout=120)
        except (UnicodeError, requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL):
            continue  # which no client can send
        took = processor_time(served.process.pid) - began
        shown = f"{number}: {case.method} {case.formatted_path} {str(case.query)[:500]} {str(case.body)[:300]}"
        assert response.status_code < 500, f"{response.status_code} {shown} {response.text[:500]} {served.err[-2000:]}"
        assert took < MAX_S, f"{took:.1f} s {shown}"
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
    assert served.request("GET", "/api/store").status == 200
    assert served.token not in served.err
    assert statuses[200] > 10 and statuses[400] > 10, statuses
    if MANY:
        print(statuses)


def processor_time(pid: int) -> float:
    """Return the seconds that a process has used of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load_schemathesis() -> Any:
    if find_spec("schemathesis") is None:
        assert "CI" not in os.environ, "in CI this test must not skip"
        pytest.skip("no schemathesis here: pip install -r tests/requirements.txt")
    return import_module("schemathesis")
