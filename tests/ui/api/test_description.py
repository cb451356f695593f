"""The description of the HTTP interface."""

from tests.ui.serving import Served


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
