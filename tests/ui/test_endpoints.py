"""Endpoints: parameters that are checked, the OpenAPI document, many questions at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.ui.serving import Served


def test_a_query_that_can_not_be_understood_tells_where(real: Served) -> None:
    answer = real.refused("/api/runs", where="params.lr << 1")
    assert answer.status == 400
    assert answer.document["error"]["query"] == "params.lr << 1"
    assert real.get("/api/check", where="metrics.x ==")["error"]["message"]
    assert real.get("/api/check", where="params.lr < 1") == {"fields": ["params.lr"], "error": None}
    assert real.get("/api/runs", where="params.lrr < 1")["hints"][0].startswith("no run has params.lrr")


@pytest.mark.parametrize(
    ("path", "parameters", "what"),
    [
        ("/api/runs", {"limit": 100_000}, "limit is 100000: it is from 0 to 1000"),
        ("/api/runs", {"limit": -1}, "limit is -1"),
        ("/api/runs", {"limit": "x"}, "write a whole number"),
        ("/api/runs", {"offset": "9" * 40}, "offset is"),
        ("/api/runs", {"columns": ["name"] * 50}, "at most 40"),
        ("/api/runs", {"columns": "nonsense("}, ""),
        ("/api/runs", {"frobnicate": "1"}, "there is no parameter 'frobnicate' here"),
        ("/api/curves", {"runs": ["x"] * 51, "key": "loss"}, "at most 50"),
        ("/api/curves", {"runs": "a", "key": "loss", "x": "width"}, "it is one of step, epoch, time, relative"),
        ("/api/curves", {"runs": "a", "key": "loss", "most": 10**9}, "most is"),
        ("/api/curves", {"runs": "a", "key": "loss", "begin": "nan"}, "begin is"),
        ("/api/curves", {"runs": "a"}, "key is missing"),
        ("/api/metrics", {}, "runs is missing"),
        ("/api/compare", {"runs": "a"}, ""),
        ("/api/which-run", {"sha256": "../../etc/passwd"}, "no sha256"),
        ("/api/lineage", {"target": "/etc/passwd"}, "neither"),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused(real: Served, path: str, parameters: dict[str, Any], what: str) -> None:
    answer = real.refused(path, **parameters)
    assert answer.status in (400, 404)
    assert what in answer.message


def test_what_is_not_there_is_not_found(real: Served) -> None:
    for path in (
        "/api/runs/nothing",
        "/api/nothing",
        "/static/../_app.py",
        "/static/%2e%2e/_app.py",
        "/api/runs/no-such/output",
        f"/api/runs/sweep-0.1-1/artifacts/{'9' * 5000}/look",
        "/api/runs/sweep-0.1-1/artifacts/99/content",
        "/api/runs/sweep-0.1-1/artifacts/%C2%B2/content",
    ):
        answer = real.request("GET", path)
        assert answer.status == 404
        assert "error" in answer.document


def test_the_openapi_document_names_every_endpoint_and_parameter(real: Served) -> None:
    found = real.get("/api/openapi.json")
    assert found["openapi"].startswith("3.1")
    runs = found["paths"]["/api/runs"]["get"]
    assert {item["name"] for item in runs["parameters"]} == {"where", "columns", "sort", "offset", "limit", "all"}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"]
            if (
                method == "get"
                and "{" not in path
                and not any(item["required"] for item in operation.get("parameters", ()))
            ):
                assert real.request("GET", path).status == 200
            if method == "post":
                assert (
                    real.request("POST", path.replace("{run}", "nothing"), b"[]", x_runlore_token=real.token).status
                    == 400
                )


def test_many_questions_at_once_are_answered(many: Served) -> None:
    def ask(number: int) -> int:
        return int(many.get("/api/runs", where=f"params.seed == {number}", columns="params.lr")["total"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(200))) == [10] * 200
