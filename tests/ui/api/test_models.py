"""Models with names over HTTP."""

from tests.ui.serving import Served, named


def test_models_are_told_as_the_command_does(real: Served) -> None:
    first, second = real.get("/api/models")
    assert (first["name"], first["versions"], first["aliases"]) == ("digits", 3, {"candidate": "3", "prod": "2"})
    assert second["name"] == "vision/sevens"
    model = real.get("/api/model", name="digits")
    assert [version["run"] for version in model["versions"]] == [
        named(real, name) for name in ("sweep-0.01-2", "sweep-0.1-0", "sweep-0.01-0")
    ]
    assert (model["versions"][0]["run_name"], model["versions"][0]["code"]["dirty"]) == ("sweep-0.01-2", True)
    assert (model["count"], model["changes"], len(model["history"])) == (3, 8, 8)


def test_a_model_is_told_as_it_was(real: Served) -> None:
    found = real.get("/api/model", name="digits", at="2026-01-01")
    assert (found["versions"], found["aliases"], found["history"], found["changes"]) == ([], {}, [], 0)
    assert found["at"] == "2026-01-01T23:59:59.999999Z"
    fourth = real.get("/api/model", name="digits")["history"][3]
    then = real.get("/api/model", name="digits", at=fourth["time"])
    assert (then["changes"], then["history"][-1]) == (4, fourth)


def test_what_is_not_there_is_said(real: Served) -> None:
    assert real.request("GET", "/api/model?name=digit").status == 404
    assert real.request("GET", "/api/model?name=a%20b").status == 400
    assert real.request("GET", "/api/model?name=digits&at=yesterday").status == 400
