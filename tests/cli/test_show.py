"""`runlore show`."""

import re
import shutil
from pathlib import Path

from runlore import Store
from runlore._startup import user_name
from tests.commands import document, runlore
from tests.forged import ForgedStore


def test_show_json_is_what_the_design_pins(filled: Store, tmp_path: Path) -> None:
    found = document("show", "parent", "--json")
    for key in ("environment", "artifacts", "links", "children", "error", "notes"):
        assert key in found
    (note,) = found["notes"]
    assert (note["text"], note["user"], note["time"][:2]) == ("looks good", user_name(), "20")
    shown = runlore("show", "parent").output
    assert re.search(rf"(?m)^notes\n  1: 20..-..-.. ..:.. UTC, {user_name()} *\n  looks good *$", shown)
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


def test_what_somebody_passed_stands_before_what_was_captured(store: Store) -> None:
    for number in range(2):
        with store.start_run(f"run-{number}", params={"width": number}) as run:
            run.log_params({"alpha": number, "adam.eps": 1e-8}, captured=True)
            run.log_metrics({"loss": 1.0})
    shown = runlore("show", "run-1").stdout.partition("\nparams\n")[2].splitlines()
    assert [line.split() for line in shown[:3]] == [["width", "1"], ["alpha", "1"], ["adam.eps", "1e-08"]]
    with store.start_run("parent") as parent:
        for number in range(2):
            with store.start_run(f"part-{number}", params={"width": number}, parent=parent) as run:
                run.log_params({"a": number, "b": number, "c": number}, captured=True)
    children = runlore("show", "parent").stdout.partition("\nchildren\n")[2].splitlines()
    assert children[0].split() == ["name", "status", "width", "a", "b"]
    assert runlore("ls").stdout.splitlines()[0].split()[-3:] == ["loss", "width", "alpha"]


def test_numbers_that_no_float_holds_and_a_fact_that_is_none_are_shown(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path)
    facts = {"mean": {"$float": "NaN"}, "rows": 3}
    forged.run([{"type": "summary", "values": {"large": 10**400}}, {"type": "data", "name": "x", "values": facts}])
    store = str(tmp_path)
    assert "1.0000e+400" in runlore("show", "forged", "--store", store).output
    assert document("show", "forged", "--json", "--store", store)["data"] == {"x": {"mean": "NaN", "rows": 3}}


def test_media_of_many_steps_are_a_line_for_each_key(store: Store) -> None:
    with store.start_run("seen") as run:
        for step in range(0, 60, 10):
            run.log_table("predictions", {"a": [step]}, step=step)
        run.log_histogram("weights", [1.0, 2.0])
    shown = runlore("show", "seen").output
    assert re.search(r"predictions +\w+ +6 +0 to 50 ", shown)
    assert re.search(r"weights +\w+ +1 +", shown)
    assert len(re.findall("predictions", shown)) == 1
    assert len(re.findall("predictions", runlore("show", "seen", "--full").output)) == 6
    assert len(document("show", "seen", "--json")["artifacts"]) >= 7


def test_what_a_store_was_copied_without_is_not_called_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for place in ("m/one", "two"):
        (tmp_path / place).write_text(place)
    with store.start_run("x") as run:
        for name in ("m", "two"):
            run.log_artifact(tmp_path / name, name=f"{name}-file")

    def states() -> list[str]:
        lines = runlore("show", "x").output.splitlines()
        return [line.split()[-1] for line in lines if "-file " in line]

    assert states() == ["kept", "kept"]
    shutil.rmtree(store.root / "blobs")
    assert states() == ["lost", "lost"]


def test_of_many_things_that_are_missing_the_first_are_printed(store: Store) -> None:
    with store.start_run("job") as run:
        for number in range(33):
            run.log_missing(f"part {number}", "not there")
    assert runlore("show", "job").output.count("not there") == 30
    assert "… and 3 more (--full shows all)" in runlore("show", "job").output
    assert runlore("show", "job", "--full").output.count("not there") == 33
