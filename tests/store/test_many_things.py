"""Records of many things of one kind: what is asked of them costs so much for each, and no more with their number."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runlore import open_store
from runlore._ids import new_run_id
from runlore.provenance.script import script_of
from runlore.ui.runs import details
from tests.commands import runlore
from tests.forged import ForgedStore, json_frame
from tests.git import git
from tests.plugins.test_code import repository

__all__ = ["repository"]

MANY = 300
SHA = "ab" * 32
FIRST = 1_700_000_000_000_000  # µs; of the ids of runs and versions


def calls(question: Callable[[], object]) -> Counter[str]:
    """Count the calls of functions and methods, by name, that it takes to answer."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            found[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        question()
    finally:
        sys.setprofile(before)
    return found


def kept(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "artifact", "name": name, "kind": "file", "size": 1, "sha256": SHA, "stored": True, **fields}


def test_files_whose_places_collide_are_found_at_one_look(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    forged.run([kept(f"a{number}") for number in range(MANY)])
    arguments = ["restore", "forged", "--all", "--to", str(tmp_path / "to"), "--store", str(forged.root)]
    found = calls(lambda: runlore(*arguments))
    assert found["__eq__"] < MANY * MANY / 10


def test_the_details_of_a_run_are_read_once_and_its_files_cost_a_look_each(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    sha256 = forged.blob(b"content")
    run = forged.run([kept(f"a{number}", sha256=sha256, path=f"/nowhere/{number}") for number in range(MANY)])
    store = open_store(forged.root)
    store.runs()
    found = calls(lambda: details(store, run))
    assert found["read_log"] == 1
    assert MANY <= found["is_regular"] < MANY + 10
    assert found["path"] + found["_blobs"] < MANY / 10, "no paths are made"
    loose = forged.run([kept(f"a{number}", stored=False, path=f"/{number}") for number in range(MANY)], name="b")
    assert calls(lambda: runlore("show", loose, "--store", str(forged.root)))["_state"] < 2 * MANY


def test_a_version_is_made_once_for_all_its_aliases(tmp_path: Path) -> None:
    forged, version = ForgedStore(tmp_path / "s"), new_run_id(FIRST)
    run = forged.run([kept("w")])
    first = {"type": "version", "version": version, "number": 1, "run": run, "artifact": "w", "sha256": SHA}
    forged.model("m", [first, *({"type": "alias", "alias": f"a{at}", "version": version} for at in range(MANY))])
    model = open_store(forged.root).model("m")
    assert calls(lambda: model.aliases)["version_of"] == 1
    assert {named.version for named in model.aliases.values()} == {"1"}
    assert len(model.aliases) == MANY


def test_the_names_of_linked_runs_are_asked_for_at_once(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    source = forged.run(name="source")
    runs = [source, *(new_run_id(FIRST + number) for number in range(MANY))]
    run = forged.run([{"type": "link", "kind": "resumed_from", "run": other} for other in runs])
    store = open_store(forged.root)
    assert details(store, run)["links"][0]["name"] == "source"
    assert calls(lambda: details(store, run))["ask"] < 20


def test_a_long_path_of_a_script_is_read_once(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    files = [[f"f{number}.py", 0, forged.blob(b"")] for number in range(4000)]
    run = forged.run([kept("source", kind="code", files=files)], opening={"script": "/" + "d/" * 30_000 + "f7.py"})
    began = time.process_time()
    found = script_of(open_store(forged.root).run(run))
    assert found is not None
    assert found.path == "f7.py"
    assert time.process_time() - began < 3  # twice that and more where it is read for each


def test_files_that_git_does_not_have_take_no_process_each(tmp_path: Path, repository: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    commit = git(repository, "rev-parse", "HEAD").strip()
    state = {"git": {"sha256": SHA, "values": {"root": str(repository), "commit": commit}}}
    files = [[f"more/f {at}\n.py", 1, forged.blob(str(at % 7).encode())] for at in range(MANY)]
    run = forged.run(
        [{"type": "environment", "sections": state}, kept("untracked", kind="code", files=files)],
        opening={"script": f"{repository}/train.py"},
    )
    found = calls(lambda: script_of(open_store(forged.root).run(run)))
    assert 0 < found["_execute_child"] < 30


def test_a_damaged_log_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runlore.index.changes.YOUNG_NS", 0)
    forged = ForgedStore(tmp_path / "s")
    run = forged.run([kept("a")], frames=[b"\xa5RL" * 1000, json_frame("J", 7)])
    (log,) = forged.root.rglob("*.log")
    os.utime(log, (1, 1))  # its writer, elsewhere, was not heard of for long
    first = open_store(forged.root).run(run)
    told = (first.missing, len(first.artifacts), first.damaged_bytes)
    other = open_store(forged.root)
    found = calls(lambda: (other.run(run).missing, other.run(run).artifacts))
    assert found["read_log"] == 2
    assert found["blocks"] == 0
    assert (other.run(run).missing, len(other.run(run).artifacts), other.run(run).damaged_bytes) == told
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b"\xa5RL" * 1000, json_frame("J", {"type": "note", "time": 1, "text": "came"})))
    os.utime(log, (1, 1))
    assert [note.text for note in other.run(run).notes] == ["came"], "a file that arrives later counts as a whole"
    assert other.run(run).damaged_bytes < 100
    assert open_store(forged.root).reindex() == 1
