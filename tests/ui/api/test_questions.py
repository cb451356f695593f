"""Comparing, finding and lineage over HTTP."""

import re
from pathlib import Path

from runlore import Store
from tests.ui.serving import Serve, Served, ids, named


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


def test_names_of_files_are_no_hashes(real_store: Path, tmp_path: Path, serve: Serve) -> None:
    """The server runs in a folder of the user's: what lies there is not what is asked for."""
    (tmp_path / "decade").write_text("hello")
    (tmp_path / "facade").mkdir()
    served = serve(real_store)
    for name in ("decade", "facade"):
        assert served.get("/api/which-run", sha256=name)["sha256"] == name
        assert served.get("/api/lineage", target=name)["root"] == name


def test_a_record_of_other_types_is_still_compared(store: Store, serve: Serve) -> None:
    """One odd event of a run once made every comparison with it fail."""
    for name in ("a", "b"):
        with store.start_run(name) as run:
            run.run_log.event({"type": "missing", "what": 5, "why": None})
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    assert served.get("/api/compare", runs=ids)["runs"]
