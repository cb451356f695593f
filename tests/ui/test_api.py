"""What the page asks of the server, over HTTP, of stores made by real trainings."""

import http.client
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from runlore import Store, open_store
from runlore.artifacts.blobs import hash_file
from tests.ui.serving import Served

QUOTE = 'metrics["val/acc"]'


def ids(served: Served, where: str, **more: Any) -> list[str]:
    return [row["id"] for row in served.get("/api/runs", where=where, **more)["rows"]]


def named(served: Served, name: str) -> str:
    (found,) = ids(served, f"name == {name!r}", all="1")
    return found


# Tables


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


def test_pages_together_are_the_whole(many: Served) -> None:
    """Along an index, where values are missing, and by two fields."""
    for sort in ("params.seed", "-metrics.loss.min", "params.model,-started", ""):
        pages = [ids(many, "params.lr < 0.3", sort=sort, offset=offset, limit=1000) for offset in range(0, 3000, 1000)]
        whole = [run.id for run in Store(many.store).runs("params.lr < 0.3", sort=sort)]
        assert [run_id for page in pages for run_id in page] == whole


def test_children_are_left_out_unless_they_are_asked_for(real: Served) -> None:
    search = real.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    assert search["children"] > 0
    children = ids(real, "", all="1", limit=1000)
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


# Curves


def test_no_peak_is_lost(real: Served) -> None:
    run = named(real, "sweep-0.1-1")
    (curve,) = real.get("/api/curves", runs=run, key="loss", most=50)["curves"]
    assert len(curve["x"]) <= 52
    assert (curve["points"], curve["whole"]) == (3000, False)
    assert max(curve["y"]) > 5
    assert curve["x"][curve["y"].index(max(curve["y"]))] == 1777
    assert (curve["x"][0], curve["x"][-1]) == (0, 2999)


def test_a_closer_look_has_finer_points(real: Served) -> None:
    run = named(real, "sweep-0.1-1")
    (curve,) = real.get("/api/curves", runs=run, key="loss", most=50, begin=1770, end=1790)["curves"]
    assert curve["x"] == list(range(1769, 1792))
    assert curve["whole"]


def test_curves_lie_along_what_is_asked_for(real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-1")
    series = run.metrics["loss"]
    for axis, expected in (
        ("epoch", series.epochs),
        ("time", series.times / 1e6),
        ("relative", series.times / 1e6 - run.started.timestamp()),
    ):
        (curve,) = real.get("/api/curves", runs=run.id, key="loss", x=axis, most=5000)["curves"]
        assert curve["x"] == pytest.approx(expected.tolist())
    assert real.get("/api/curves", runs=run.id, key="unknown")["curves"] == []


def test_bands_are_means_and_deviations_of_groups(real: Served) -> None:
    found = real.get("/api/bands", where='experiment == "sweep"', by="params.lr", key="val/acc", order=QUOTE)
    assert [band["by"] for band in found["bands"]] == [{"params.lr": 0.1}, {"params.lr": 0.01}, {"params.lr": 0.001}]
    runs = Store(real.store).runs("experiment == 'sweep' and params.lr == 0.1")
    table = np.stack([run.metrics["val/acc"].values for run in runs])
    (best, *_) = found["bands"]
    assert best["x"] == runs[0].metrics["val/acc"].steps.tolist()
    assert best["mean"] == pytest.approx(table.mean(axis=0).tolist())
    assert best["deviation"] == pytest.approx(table.std(axis=0, ddof=1).tolist())


# One run


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


def artifact(served: Served, run: str, name: str) -> str:
    found = served.get(f"/api/runs/{run}")
    (position,) = [item["position"] for item in found["artifacts"] if item["name"] == name]
    return f"/api/runs/{found['id']}/artifacts/{position}"


def test_files_are_looked_into(real: Served) -> None:
    matrix = real.get(artifact(real, "sweep-0.1-1", "confusion_matrix.json") + "/look")
    assert (matrix["kind"], len(matrix["rows"]), matrix["labels"]) == ("matrix", 6, list("abcdef"))
    table = real.get(artifact(real, "sweep-0.1-1", "scores.csv") + "/look")
    assert (table["kind"], table["head"], table["rows"]) == (
        "table",
        ["name", "score"],
        [["first", "1"], ["second", "2"]],
    )
    assert real.get(artifact(real, "sweep-0.1-1", "circle.svg") + "/look")["kind"] == "picture"
    assert real.get(artifact(real, "sweep-0.1-1", "model.bin") + "/look")["text"].startswith("weights of ")


def test_files_are_sent_as_something_that_no_browser_runs(real: Served) -> None:
    (evil,) = ids(real, 'like(name, "evil%")')
    artifacts = real.get(f"/api/runs/{evil}")["artifacts"]
    (page,) = [item["name"] for item in artifacts if item["name"].startswith("page")]
    for run, name, kind in (
        ("sweep-0.1-1", "circle.svg", "image/svg+xml"), (evil, page, "application/octet-stream")
    ):  # fmt: skip
        answer = real.request("GET", artifact(real, run, name) + "/content")
        assert answer.status == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    run_id = real.get("/api/runs/sweep-0.1-1")["id"]
    assert (
        real.request("GET", artifact(real, run_id, "model.bin") + "/content").body == b"weights of " + run_id.encode()
    )


@pytest.mark.parametrize("member", ["", "../x", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "a/../../x", "\0"])
def test_no_path_leads_out_of_a_folder(store: Store, serve: Any, tmp_path: Path, member: str) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "inside.txt").write_text("inside")
    (tmp_path / "x").write_text("outside")
    with store.start_run("with folder") as run:
        run.log_artifact(tmp_path / "saved", kind="model")
    served = serve(store.root)
    place = artifact(served, "with folder".replace(" ", "%20"), "saved")
    assert served.request("GET", f"{place}/content?member=inside.txt").body == b"inside"
    for path in (
        f"{place}/content?member={quote(member)}",
        f"{place}/look?member={quote(member)}",
        f"{place}/../../9/content",
        "/api/runs/with%20folder/artifacts/-1/content",
    ):
        answer = served.request("GET", path)
        assert answer.status == 404
        assert b"outside" not in answer.body


def test_a_log_that_names_files_elsewhere_sends_none_of_them(store: Store, serve: Any, tmp_path: Path) -> None:
    """A store may come from somebody else: only contents of its own blobs are sent."""
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    with store.start_run("forged") as run:
        for name in ("output.log", "other.txt"):
            run.run_log.event(
                {"type": "artifact", "name": name, "kind": "log", "path": str(secret), "size": 8, "present": True}
            )
        run.run_log.event(
            {
                "type": "artifact",
                "name": "blob",
                "kind": "log",
                "sha256": "../" * 20 + str(secret),
                "size": 8,
                "stored": True,
            }
        )
        link = store.root / "link.out"
        link.symlink_to(secret)
        run.run_log.event({"type": "artifact", "name": "output.log", "kind": "log", "path": str(link), "size": 8})
        (tmp_path / "plain.out").write_text("a secret")
        run.run_log.event(
            {"type": "artifact", "name": "output.log", "kind": "log", "path": str(tmp_path / "plain.out"), "size": 8}
        )
    served = serve(store.root)
    found = served.get("/api/runs/forged")
    for item in found["artifacts"]:
        for way in ("content", "look"):
            answer = served.request("GET", f"/api/runs/forged/artifacts/{item['position']}/{way}")
            assert b"a secret" not in answer.body
    assert "a secret" not in served.request("GET", "/api/runs/forged/output").body.decode()


def test_output_is_read_from_where_it_was_left(real: Served) -> None:
    found = real.get("/api/runs/sweep-0.1-1/output")
    assert found["text"] == "the last line of sweep-0.1-1\n"
    assert real.get("/api/runs/sweep-0.1-1/output", begin=found["end"])["text"] == ""
    assert real.get("/api/runs/sweep-0.1-1/output", begin=-5)["text"] == "0.1-1\n"[-5:]


# Questions


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


# Changes


def test_runs_are_tagged_noted_and_pinned(own: Served) -> None:
    run = Store(own.store).run("sweep-0.1-1")
    assert own.post(f"/api/runs/{run.id}/tags", {"tags": {"good": "yes", "team": None}}).document == {
        "tags": {"good": "yes"}
    }
    assert own.post(f"/api/runs/{run.id}/notes", {"text": "  words \n"}).document == {"notes": ["words"]}
    assert own.post("/api/pin", {"runs": [run.id]}).status == 200
    again = Store(own.store).run(run.id)
    assert again.tags == {"good": "yes", "pinned": "yes"}
    refused = own.post("/api/remove", {"runs": [run.id]})
    assert (refused.status, "is pinned" in refused.message) == (400, True)
    own.post("/api/pin", {"runs": [run.id], "off": True})
    assert Store(own.store).run(run.id).tags == {"good": "yes"}


def test_runs_are_removed_and_brought_back(own: Served) -> None:
    search = own.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    before = own.get("/api/runs", all="1", limit=0)["total"]
    removed = own.post("/api/remove", {"runs": [search["id"]]}).document["removed"]
    assert len(removed) == 1 + search["children"]
    assert len(own.get("/api/runs", all="1", limit=1000)["rows"]) == len(Store(own.store).runs())
    assert own.post("/api/undo", {}).document["back"] == sorted(removed)
    assert own.get("/api/runs", all="1", limit=0)["total"] == before
    assert own.post("/api/undo", {}).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": {"": "x"}}'),
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": {"a": 1}}'),
        ("/api/runs/sweep-0.1-1/tags", b'{"tags": "a"}'),
        ("/api/runs/sweep-0.1-1/tags", b"{}"),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": "  "}'),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": 5}'),
        ("/api/runs/sweep-0.1-1/notes", b'{"text": "%s"}' % (b"x" * 100_000)),
        ("/api/runs/sweep-0.1-1/notes", b"[1]"),
        ("/api/runs/sweep-0.1-1/notes", b"[" * 60_000),
        ("/api/runs/sweep-0.1-1/notes", b"\xff\xfe"),
        ("/api/remove", b'{"runs": []}'),
        ("/api/remove", b'{"runs": [{"a": 1}]}'),
        ("/api/remove", b'{"runs": "x", "more": 1}'),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(real: Served, path: str, body: bytes) -> None:
    before = json.dumps(real.get("/api/runs/sweep-0.1-1"))
    answer = real.request("POST", path, body, x_runlore_token=real.token)
    assert answer.status == 400
    assert answer.message
    assert json.dumps(real.get("/api/runs/sweep-0.1-1")) == before


# Live


def test_what_is_new_is_told_as_it_happens(store: Store, serve: Any) -> None:
    served = serve(store.root)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {served.token}"})
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")

    def event() -> tuple[str, Any]:
        lines: list[str] = []
        while (line := stream.readline().decode().strip()) or not lines:
            lines.append(line)
        fields = dict(line.split(": ", 1) for line in lines if line)
        return fields["event"], json.loads(fields["data"])

    assert event() == ("hello", {"total": 0})
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0})
        name, told = event()
        assert (name, told["runs"], told["new"], told["total"]) == ("changed", [run.id], 1, 1)
        began = time.monotonic()
        run.log_metrics({"loss": 0.5})
        while event()[1]["runs"] != [run.id]:
            pass
        assert time.monotonic() - began < 15
        (curve,) = served.get("/api/curves", runs=run.id, key="loss")["curves"]
        assert curve["y"][-1] == 0.5
    while served.get(f"/api/runs/{run.id}")["status"] != "finished":
        event()
    connection.close()


def test_a_store_that_does_not_exist_yet_is_served_and_appears(tmp_path: Path, serve: Any) -> None:
    served = serve(tmp_path / "new" / ".runlore")
    assert served.get("/api/runs") == {"total": 0, "columns": [], "rows": [], "hints": [], "offset": 0}
    assert served.get("/api/store")["exists"] is False
    assert served.get("/api/columns") == {"columns": []}
    assert not (tmp_path / "new").exists()
    with open_store(tmp_path / "new" / ".runlore").start_run("first"):
        pass
    assert served.get("/api/runs")["total"] == 1


def test_a_read_only_copy_is_served(real_store: Path, tmp_path: Path, serve: Any) -> None:
    shutil.copytree(real_store, tmp_path / "copy")
    for path in sorted((tmp_path / "copy").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    served = serve(tmp_path / "copy")
    assert served.get("/api/runs")["total"] > 12


# Its description


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


def test_the_server_ends_while_pages_listen(store: Store, serve: Any) -> None:
    served = serve(store.root)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {served.token}"})
    connection.getresponse().readline()
    assert served.end(2) == 0
    connection.close()


def test_nothing_of_the_server_is_in_the_store(real: Served) -> None:
    """Its token least of all."""
    for path in (item for item in real.store.rglob("*") if item.is_file()):
        assert real.token.encode() not in path.read_bytes()
    assert hash_file(real.store / "format")
