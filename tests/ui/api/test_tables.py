"""Tables of runs over HTTP: pages, sorting, queries, columns, groups."""

import re
from typing import Any

import numpy as np
import pytest

from runlore import Store
from tests.ui.serving import Serve, Served, ids

QUOTE = 'metrics["val/acc"]'


def test_a_page_of_the_table_is_sorted_and_counted(real: Served) -> None:
    found = real.get(
        "/api/runs", where='experiment == "sweep"', columns=["params.lr", QUOTE, "params.model"], sort=f"-{QUOTE}",
        offset=2, limit=3,
    )  # fmt: skip
    assert found["total"] == 12
    assert [column["key"] for column in found["columns"]] == ["lr", "val/acc", "model"]
    runs = Store(real.store).runs('experiment == "sweep"', sort=f"-{QUOTE}")
    assert [row["id"] for row in found["rows"]] == [run.id for run in runs[2:5]]
    for row, run in zip(found["rows"], runs[2:5], strict=True):
        assert row["values"] == [run.params["lr"], run.metrics["val/acc"].last, run.params["model"]]
        assert (row["name"], row["status"], row["tags"]) == (run.name, run.status, run.tags)


def test_a_field_is_a_column_as_often_as_a_chart_has_axes(store: Store, serve: Serve) -> None:
    store.start_run("one", params={"lr": 0.1}).finish()
    served = serve(store.root)
    assert [row["values"] for row in served.get("/api/runs", columns=["params.lr"] * 4)["rows"]] == [[0.1] * 4]
    answer = served.refused("/api/runs", columns=["params.lr"] * 5)
    assert (answer.status, "5 times" in answer.message) == (400, True)


def test_pages_together_are_the_whole(many: Served) -> None:
    """Along an index, where values are missing, and by two fields."""
    for sort in ("params.seed", "-metrics.loss.min", "params.model,-started", ""):
        pages = [ids(many, "params.lr < 0.1", sort=sort, offset=offset, limit=400) for offset in range(0, 1000, 400)]
        whole = [run.id for run in Store(many.store).runs("params.lr < 0.1", sort=sort)]
        assert len(whole) == 1000
        assert [run_id for page in pages for run_id in page] == whole


def test_children_are_left_out_unless_they_are_asked_for(real: Served) -> None:
    search = real.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    assert search["children"] > 0
    children = ids(real, "", all="children", limit=1000)
    assert len(children) > real.get("/api/runs")["total"]
    assert len(ids(real, f"parent == {search['id']!r}")) == search["children"]


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
        ("/api/runs", {"columns": [f"params.{number}" for number in range(50)]}, "at most 40"),
        ("/api/runs", {"columns": "nonsense("}, ""),
        ("/api/runs", {"frobnicate": "1"}, "there is no parameter 'frobnicate' here"),
        ("/api/curves", {"runs": [f"x{number}" for number in range(51)], "key": "loss"}, "at most 50"),
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


def test_the_page_asks_at_once_for_all_modules_that_it_needs(store: Store, serve: Serve) -> None:
    served = serve(store.root)
    needed: set[str] = set()
    waiting = ["app.js"]
    while waiting:
        needed.add(name := waiting.pop())
        text = served.request("GET", f"/static/{name}").body.decode()
        waiting += set(re.findall(r'from "\./([\w.]+)"', text)) - needed
    asked = re.findall(r'rel="modulepreload" href="\./static/([\w.]+)"', served.request("GET", "/").body.decode())
    assert sorted([*asked, "app.js"]) == sorted(needed)


def test_keys_tell_how_a_query_spells_them(real: Served) -> None:
    found = real.get("/api/keys")
    assert {"key": "val/acc", "field": QUOTE, "runs": 12} in found["metrics"]
    assert {"key": "team", "field": "tags.team", "runs": 12} in found["tags"]
    for table in ("params", "metrics", "summary", "tags", "env", "data"):
        for item in found[table][:20]:
            assert '"' in item["key"] or real.get("/api/check", where=f"{item['field']} is None")["error"] is None


def test_the_columns_are_those_that_ls_shows(real: Served) -> None:
    assert {"params.lr", "params.seed", QUOTE} <= set(
        real.get("/api/columns", where='experiment == "sweep"')["columns"]
    )


def test_groups_are_those_of_stats(real: Served) -> None:
    (found,) = real.get("/api/groups", where='experiment == "sweep"', by="params.lr", metrics=QUOTE)
    values = [
        run.metrics["val/acc"].last for run in Store(real.store).runs("params.lr == 0.1 and experiment == 'sweep'")
    ]
    (group,) = [item for item in found["groups"] if item["by"] == {"params.lr": 0.1}]
    assert group["n"] == 4
    assert group["mean"] == pytest.approx(np.mean(values))
    assert group["std"] == pytest.approx(np.std(values, ddof=1))
    assert real.refused("/api/groups", by="params.lr", metrics="nothing").status == 400


def test_groups_over_seeds_are_compared_in_pairs(real: Served) -> None:
    sweep = 'experiment == "sweep"'
    asked = {"where": sweep, "by": "params.lr", "metrics": [QUOTE, "duration"]}
    found, other = real.get("/api/groups", over="params.seed", **asked)
    test = found["test"]
    assert (found["over"], test["pairs"], other["test"]["pairs"]) == (["params.seed"], 4, 4)
    values = [
        [
            run.metrics["val/acc"].last
            for run in Store(real.store).runs(f"{sweep} and params.lr == {lr}", sort="params.seed")
        ]
        for lr in (test["a"]["params.lr"], test["b"]["params.lr"])
    ]
    assert test["difference"] == pytest.approx(np.mean(np.subtract(values[1], values[0])))
    (single,) = real.get(
        "/api/groups", where='name == "sweep-0.1-1"', by="params.lr", metrics=QUOTE, over="params.seed"
    )
    assert "test" not in single
    mixed = real.get("/api/groups", where=sweep, by="params.model", metrics=QUOTE, over="params.seed")[0]
    assert mixed["why_no_test"].startswith("no paired test: the two groups share 0")
    assert mixed["mixed"] == ["params.lr"]


def test_importance_is_of_the_runs_that_finished(real: Served) -> None:
    found = real.get("/api/importance", where='experiment == "sweep"', metric=QUOTE)
    assert (found["runs"], found["of"], found["why"]) == (12, 12, None)
    assert found["params"][0]["field"] == "params.lr"
    assert found["params"][0]["importance"] > 0.5
    assert found["params"][0]["correlation"] > 0.5
    few = real.get("/api/importance", where="params.lr == 0.1", metric=QUOTE)
    assert few["why"].startswith("too few runs")
    every = real.get("/api/importance", metric="duration")
    assert {item["status"] for item in every["left_out"]} == {"failed"}
    assert real.refused("/api/importance", metric="metrics.(").status == 400


def test_groups_leave_out_what_has_not_finished(real: Served) -> None:
    """The page's groups counted runs of every status."""
    (found,) = real.get("/api/groups", by="experiment", metrics="duration")
    others = Store(real.store).runs("status != 'finished' and parent is None")
    assert sorted(item["run"] for item in found["left_out"]) == sorted(run.id for run in others)
    assert not {run.id for run in others} & {run for group in found["groups"] for run in group["runs"]}
    (every,) = real.get("/api/groups", by="status", metrics="duration")
    assert {"finished", "failed"} <= {group["by"]["status"] for group in every["groups"]}
    assert "left_out" not in every
