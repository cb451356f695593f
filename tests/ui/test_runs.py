"""Endpoints for single runs, of stores made by real trainings."""

import re

from runlore import Store
from tests.ui.serving import Served, ids, named


def test_a_run_is_told_as_show_does(real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-1")
    found = real.get(f"/api/runs/{run.id}")
    assert found["params"] == run.params
    assert [item["name"] for item in found["artifacts"]] == [item.name for item in run.artifacts]
    assert found["environment"]["python"] == run.environment["python"]
    assert real.get("/api/runs/sweep-0.1-1")["id"] == run.id
    search = real.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    details = real.get(f"/api/runs/{search['id']}")
    assert details["children_count"] == len(details["children"]) == search["children"]
    child = real.get(f"/api/runs/{details['children'][0]['id']}")
    assert child["parent_name"] == search["name"]


def test_runs_are_compared_as_diff_does(real: Served) -> None:
    lightning = ids(real, 'tags.integration == "lightning" and params.lr < 0.01')
    found = real.get("/api/compare", runs=lightning[:2])
    code = [row for row in found["rows"] if row["group"] == "code" and row["key"] == "lightning_digits.py"]
    assert code
    (change,) = [change for change in found["pairs"][0]["changes"] if change["key"] == "lightning_digits.py"]
    assert re.search(r"^[-+].*3e-3", change["diff"], re.M)
    sweep = [named(real, name) for name in ("sweep-0.1-1", "sweep-0.1-2", "sweep-0.01-1")]
    rows = {row["key"]: row["values"] for row in real.get("/api/compare", runs=sweep)["rows"]}
    assert rows["lr"] == [0.1, 0.1, 0.01]
    assert rows["seed"] == [1, 2, 1]


def test_a_file_leads_to_its_run(real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-1")
    sha256 = run.artifact("model.bin").sha256
    (found,) = real.get("/api/which-run", sha256=sha256)["found"]
    assert (found["run"], found["artifact"], found["relation"]) == (run.id, "model.bin", "wrote")
    nothing = real.get("/api/which-run", sha256="0" * 64)
    assert nothing["found"] == []


def test_lineage_is_told_of_runs_and_contents(real: Served) -> None:
    (run, *_) = ids(real, 'tags.integration == "lightning"')
    graph = real.get("/api/lineage", target=run)
    assert graph["root"] == run
    kinds = {node["kind"] for node in graph["nodes"]}
    assert kinds == {"data", "run", "file"}
    file = next(node["id"] for node in graph["nodes"] if node["kind"] == "file")
    assert real.get("/api/lineage", target=file)["root"] == file
