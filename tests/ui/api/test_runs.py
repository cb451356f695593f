"""One run over HTTP: its record, its files, its output."""

from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from runlore import Store
from tests.media.test_dimensions import bomb
from tests.ui.serving import Serve, Served, artifact, ids


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


def test_params_come_in_the_order_of_show_and_the_table(store: Store, serve: Serve) -> None:
    for number in range(2):
        with store.start_run(f"run-{number}", params={"width": number}) as run:
            run.log_params({"alpha": number, "lr": number}, captured=True)
    served = serve(store.root)
    assert list(served.get("/api/runs/run-0")["params"]) == ["width", "alpha", "lr"]
    assert served.get("/api/columns")["columns"] == ["params.width", "params.alpha", "params.lr"]


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


def test_a_picture_that_is_too_large_to_be_drawn_can_be_saved(store: Store, serve: Serve) -> None:
    with store.start_run("forged") as run:
        run.run_log.keep_bytes(bomb(), name="forged.png", kind="image", facts={"media": "forged"})
    served = serve(store.root)
    content = artifact(served, "forged", "forged.png") + "/content"
    assert served.request("GET", content).body == bomb()
    refused = served.refused(content, drawn="true")
    assert (refused.status, "60,000 × 60,000 pixels is too large" in refused.message) == (400, True)


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


def test_a_table_of_numbers_is_no_matrix_of_classes(store: Store, serve: Serve) -> None:
    """A table whose columns are numbers was once drawn as a confusion matrix."""
    with store.start_run("a") as run:
        run.run_log.keep_bytes(b"epoch,loss,acc\n0,1.0,0.5\n1,0.5,0.6\n2,0.2,0.8\n", name="history.csv", kind="table")
        run.run_log.keep_bytes(b",cat,dog\ncat,5,1\ndog,2,7\n", name="confusion.csv", kind="table")
        run.run_log.keep_bytes(b"a," * 5000 + b"b\n", name="wide.csv", kind="table")
    served = serve(store.root)
    assert served.get(artifact(served, "a", "history.csv") + "/look")["kind"] == "table"
    matrix = served.get(artifact(served, "a", "confusion.csv") + "/look")
    assert (matrix["kind"], matrix["labels"], matrix["rows"]) == ("matrix", ["cat", "dog"], [[5, 1], [2, 7]])
    assert len(served.get(artifact(served, "a", "wide.csv") + "/look")["head"]) == 100


def test_documents_of_any_depth_are_looked_into(store: Store, serve: Serve) -> None:
    """A number that is none, within hundreds of lists, was an error of the server's."""
    expected: dict[str, set[str]] = {}
    with store.start_run("a") as run:
        for depth, inner in product((3, 600, 970, 200_000), ("NaN", "1")):
            deep = "[" * depth + inner + "]" * depth
            documents = {
                "table": f'{{"columns": ["a", {deep}], "rows": [[1, {deep}]]}}',
                "matrix": f'{{"matrix": [[1, 2], [3, 4]], "labels": ["a", {deep}]}}',
                "curve": f'{{"curve": "roc", "classes": [{{"name": {deep}, "x": [0], "y": [1], "area": 1}}]}}',
                "json": deep,
            }
            for kind, text in documents.items():
                name = f"{kind}-{depth}-{inner}.json"
                run.run_log.keep_bytes(text.encode(), name=name, kind="table")
                expected[name] = {kind} if depth == 3 else {"text"} if depth == 200_000 else {kind, "text"}
    served = serve(store.root)
    found = {name: served.get(artifact(served, "a", name) + "/look") for name in expected}
    assert {name: told["kind"] for name, told in found.items() if told["kind"] not in expected[name]} == {}
    assert found["table-3-1.json"]["rows"] == [[1, "[[[1]]]"]]
