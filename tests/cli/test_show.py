"""`runlore show`."""

from pathlib import Path

from runlore import Store
from tests.commands import document


def test_show_json_is_what_the_design_pins(filled: Store, tmp_path: Path) -> None:
    found = document("show", "parent", "--json")
    for key in ("environment", "artifacts", "links", "children", "error", "notes"):
        assert key in found
    assert found["notes"] == ["looks good"]
    assert found["children"] == [filled.run("child").id]
    assert document("show", "broken", "--json")["error"]["type"] == "ZeroDivisionError"
    (tmp_path / "w.bin").write_bytes(b"abc")
    with filled.start_run("files") as run:
        run.log_artifact(tmp_path / "w.bin", kind="model", step=1)
    (artifact,) = document("show", "files", "--json")["artifacts"]
    assert list(artifact) == [
        "name", "kind", "path", "size", "sha256", "stored", "step", "epoch", "roles", "present",
        "monitor", "value", "why",
    ]  # fmt: skip
