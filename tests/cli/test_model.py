"""`runlore model`, and addresses of models wherever a command takes a run."""

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from runlore import Store
from runlore.cli import main
from tests.commands import document, runlore
from tests.models.conftest import train


@pytest.fixture
def trained(store: Store, tmp_path: Path) -> Store:
    for number in (1, 2):
        train(store, tmp_path, f"run-{number}", b"weights" * number)
    return store


def said(*arguments: str) -> str:
    result = runlore("model", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def completed(*words: str) -> list[str]:
    found = ShellComplete(main, {}, "runlore", "_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


def refused(*arguments: str) -> str:
    result = runlore(*arguments)
    assert result.exit_code in (1, 2), result.output
    return result.output


def test_a_model_from_its_first_version_to_the_last_change(trained: Store) -> None:
    assert "no models" in said()
    assert said("add", "digits", "run-1", "--alias", "prod", "--reason", "first").startswith(
        "digits version 1: model.pt"
    )
    said("add", "digits", "run-2", "-a", "model.pt", "--alias", "candidate", "--note", "deeper")
    assert "digits@prod is version 2, it was version 1" in said(
        "alias", "digits", "candidate", "prod", "--reason", "better on dark images"
    )
    said("note", "digits@2", "fails", "on", "sevens")
    shown = said("digits")
    for text in ("2 versions", "candidate, prod", "run-2", "prod 1 → 2  — better on dark images", "2: fails on sevens"):
        assert text in shown
    assert "candidate 2, prod 2" in said()
    shown = said("digits@prod")
    for text in ("digits version 2 (candidate, prod)", "run-2", "model.pt of step 3", "deeper", "train "):
        assert text in shown
    assert said("rm", "digits", "candidate").startswith("digits@candidate names nothing now, it was version 2")
    assert said("rm", "digits", "1", "--reason", "old").startswith("version 1 of digits is withdrawn")
    assert "is prod: let the alias name another" in refused("model", "rm", "digits", "2")


def test_data_without_a_fingerprint_stands_by_its_name(store: Store, tmp_path: Path) -> None:
    with store.start_run("run") as run:
        run.log_data("loader", rows=3)
    train(store, tmp_path, "other", b"weights", model="digits")
    (tmp_path / "second.pt").write_bytes(b"more")
    with store.run("run").attach() as run:
        run.log_artifact(tmp_path / "second.pt", kind="model", model="digits")
    assert "  data    loader\n" in said("digits@2")
    assert "  data    train " in said("digits@1")


def test_what_was_prod_on_a_day(trained: Store) -> None:
    said("add", "digits", "run-1", "--alias", "prod")
    assert document("model", "digits", "--at", "2099-03-03", "--json")["aliases"] == {"prod": "1"}
    assert document("model", "digits", "--at", "2099-03-03", "--json")["at"] == "2099-03-03T23:59:59.999999Z"
    assert "had no versions at 2020-03-03 23:59:59 UTC yet" in refused("model", "digits", "--at", "2020-03-03")
    assert document("model", "--at", "2020-03-03", "--json") == []
    assert "write 2026-03-03" in refused("model", "digits", "--at", "yesterday")


def test_every_answer_as_json(trained: Store) -> None:
    added = document("model", "add", "digits", "run-1", "--alias", "prod", "--json")
    assert (added["version"], added["aliases"], added["artifact"]) == ("1", ["prod"], "model.pt")
    assert document("model", "alias", "digits", "prod", "stable", "--json")["aliases"] == ["prod", "stable"]
    assert document("model", "note", "digits", "text", "--json")["text"] == "text"
    assert document("model", "rm", "digits", "stable", "--json")["before"] == "1"
    (listed,) = document("model", "--json")
    assert (listed["name"], listed["versions"], listed["aliases"]) == ("digits", 1, {"prod": "1"})
    whole = document("model", "digits", "--json")
    assert [change["what"] for change in whole["history"]] == ["version", "alias", "alias", "note", "alias"]
    (version,) = whole["versions"]
    assert (version["run"], version["run_name"], version["step"]) == (trained.run("run-1").id, "run-1", 3)
    assert len(version["data"]["train"]) == 64
    assert document("model", "digits@prod", "--json")["sha256"] == version["sha256"]


def test_addresses_stand_for_runs(trained: Store, tmp_path: Path) -> None:
    said("add", "org/digits", "run-1", "--alias", "prod")
    said("add", "org/digits", "run-2", "--alias", "candidate")
    a, b = "model:org/digits@prod", "model:org/digits@candidate"
    found = document("diff", a, b, "--json")
    assert (found["a"], found["b"]) == (trained.run("run-1").id, trained.run("run-2").id)
    assert document("show", b, "--json")["name"] == "run-2"
    restored = document("restore", b, "--to", str(tmp_path / "out"), "--json")
    assert (restored["version"], restored["model"]) == ("2", "org/digits")
    assert (tmp_path / "out" / "model.pt").read_bytes() == b"weights" * 2
    assert "--force" in refused("restore", a, "--to", str(tmp_path / "out"))
    assert runlore("tag", a, "deployed=yes").exit_code == 0
    assert trained.run("run-1").tags == {"deployed": "yes"}


def test_restore_takes_the_file_of_the_version(store: Store, tmp_path: Path) -> None:
    with store.start_run("several") as run:
        for step in (1, 2):
            (tmp_path / "w.pt").write_bytes(b"w" * step)
            run.log_artifact(tmp_path / "w.pt", kind="checkpoint", step=step, model="digits")
    assert [version.step for version in store.model("digits").versions] == [1, 2]
    assert runlore("restore", "model:digits@1", "--to", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out" / "w.pt").read_bytes() == b"w"


def test_two_versions_of_one_run_differ_in_their_files(store: Store, tmp_path: Path) -> None:
    with store.start_run("several") as run:
        for step, content in enumerate((b"w", b"v", b"w")):
            (tmp_path / "w.pt").write_bytes(content)
            run.log_artifact(tmp_path / "w.pt", kind="checkpoint", step=step, model="digits")
    told = runlore("diff", "model:digits@1", "model:digits@2").output
    assert "both are of one run, so only the files differ: digits 1 is w.pt at step 0, sha256 " in told
    assert "have the same content" in runlore("diff", "model:digits@1", "model:digits").output
    assert "do not differ" in runlore("diff", "model:digits@1", "model:digits@1").output


def test_no_alias_is_left_out_of_the_whole_list(trained: Store) -> None:
    names = [f"customer-number-{number}" for number in range(9)]
    said("add", "digits", "run-1", *(part for name in names for part in ("--alias", name)))
    shown, whole = (runlore("model", "digits", *more).output for more in ([], ["--full"]))
    table, listed = (text.partition("history")[0] for text in (shown, whole))
    assert names[-1] not in table
    assert all(name in listed.replace("\n", "") for name in names)


def test_mistakes_are_told_with_the_way_out(trained: Store) -> None:
    said("add", "digits", "run-1", "--alias", "prod")
    assert "did you mean 'digits'?" in refused("model", "digit")
    assert "did you mean 'prod'?" in refused("show", "model:digits@prd")
    assert "no version or alias '9'" in refused("model", "alias", "digits", "9", "x")
    assert "can't be the name of a model" in refused("model", "add", "my model", "run-1")
    assert "can't be an alias" in refused("model", "add", "digits", "run-1", "--alias", "v3")
    assert "no artifact 'best'" in refused("model", "add", "digits", "run-1", "-a", "best")
    assert "the note is empty" in refused("model", "note", "digits", " ")
    assert "there is no model" in refused("model", "note", "unknown", "text")


def test_shells_complete_models_and_their_aliases(trained: Store) -> None:
    said("add", "digits", "run-1", "--alias", "prod")
    assert completed("model", "di") == ["digits"]
    assert completed("show", "model:") == ["model:digits", "model:digits@prod"]
    assert completed("model", "alias", "digits", "p") == ["prod"]


def test_help_lists_the_commands() -> None:
    shown = said("--help")
    for name in ("add", "alias", "note", "rm", "show"):
        assert f"\n  {name} " in shown
    assert json.loads(said("--json")) == []
