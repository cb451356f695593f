"""The log of a model: writers side by side, kills, damage, and files that somebody else has made."""

import json
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store, open_store
from runlore._ids import new_run_id
from runlore.documents import change_document, version_details
from runlore.errors import ArtifactNotFound, ModelNotFound, StoreRefused
from runlore.log.frames import FORMAT
from runlore.models.journal import MAX_COMPLAINTS
from runlore.store.models import unreadable_models
from tests.forged import MODEL_HEAD, ForgedStore
from tests.maintenance.files import age
from tests.process import Process

Python = Callable[..., Process]
NOW = time.time_ns() // 1000


def files(store: Store) -> list[Path]:
    return sorted((store.root / "models").rglob("*.log"))


def forge(store: Store, *events: dict[str, Any], head: bytes = MODEL_HEAD) -> Path:
    return ForgedStore(store.root).model("digits", events, head)


def version(run: str, **fields: Any) -> dict[str, Any]:
    known = {"type": "version", "version": new_run_id(NOW), "number": 1, "run": run, "artifact": "model.pt"}
    return {**known, "sha256": "ab" * 32, "size": 3, **fields}


def test_writers_side_by_side_lose_nothing(trained: Store, python: Python) -> None:
    script = f"""
        import runlore
        model = runlore.open_store({str(trained.root)!r}).model("digits")
        print("ready", flush=True)
        for number in range(15):
            model.set_alias("prod", 1, reason=f"{{NAME}} {{number}}")
    """
    trained.model("digits").add("run-1")
    writers = [python(script.replace("{NAME}", name).replace("{number}", "{number}")) for name in ("a", "b", "c")]
    for writer in writers:
        assert writer.wait() == 0, writer.err
    model = trained.model("digits")
    assert [change.reason for change in model.history if change.what == "alias"].count("") == 0
    assert len([change for change in model.history if change.what == "alias"]) == 45
    assert len(files(trained)) == 4
    assert model.damage == []


def test_two_people_at_once_both_stay_and_the_later_wins(trained: Store) -> None:
    first, second = trained.model("digits"), open_store(trained.root).model("digits")
    first.add("run-1")
    first.add("run-2")
    assert len(second) == 2
    first.set_alias("prod", 1, reason="ann")
    second.set_alias("prod", 2, reason="bob")
    told = [(change.before, change.version, change.reason) for change in trained.model("digits").history[-2:]]
    assert told == [(None, "1", "ann"), ("1", "2", "bob")]


def test_the_later_wins_also_where_a_clock_is_behind(trained: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    model.add("run-2")
    past = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr("runlore.models.changes.time.time_ns", lambda: past)
    model.set_alias("prod", 2)
    assert trained.model("digits")["prod"].version == "2"


def test_what_was_said_survives_a_kill(trained: Store, python: Python) -> None:
    process = python(
        f"""
        import os, runlore
        runlore.open_store({str(trained.root)!r}).model("digits").add("run-1", aliases=["prod"])
        os.kill(os.getpid(), 9)
        """
    )
    process.wait()
    assert trained.model("digits")["prod"].run.name == "run-1"


def test_a_log_that_was_cut_is_told_once_nobody_is_writing_it(trained: Store) -> None:
    trained.model("digits").add("run-1", aliases=["prod"])
    (path,) = files(trained)
    path.write_bytes(path.read_bytes()[:-3])
    assert trained.model("digits").damage == [], "it may be being written"
    age(trained.root / "models")
    (told,) = trained.model("digits").damage
    assert "ends within an event" in told
    assert unreadable_models(trained) == [told]
    trained.model("digits").add("run-2")
    assert (len(trained.model("digits").damage), len(trained.model("digits"))) == (1, 2)


def test_a_torn_frame_costs_only_itself(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    (path,) = files(trained)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[-40:-3])
    assert trained.model("digits")["prod"].version == "1"
    path.write_bytes(whole[:-3])
    assert trained.model("digits").aliases == {}
    assert len(trained.model("digits")) == 1
    model.set_alias("prod", 1)
    assert trained.model("digits")["prod"].version == "1", "behind a torn frame, too"
    assert trained.model("digits").damage


def test_a_forked_child_writes_a_file_of_its_own(trained: Store) -> None:
    trained.model("digits").add("run-1")
    child = os.fork()
    if child == 0:
        try:
            trained.model("digits").set_alias("prod", 1)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert len(files(trained)) == 2
    assert trained.model("digits")["prod"].version == "1"


def test_a_removed_file_is_begun_anew(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1")
    files(trained)[0].unlink()
    assert model.add("run-2").version == "1"


BAD: list[dict[str, Any]] = [
    {"number": 0}, {"number": 10**12}, {"number": True}, {"run": "x"}, {"version": "../../x"}, {"order": -1},
    {"order": None}, {"files": [["a", 1]]}, {"sha256": "xyz"}, {"model": "other"}, {"model": "a\x1b[0mb"},
    {"model": None}, {"user": "x" * 70_000}, {"left_out": "plugin", "artifact": None}, {"artifact": None},
]  # fmt: skip


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: json.dumps(fields)[:30])
def test_an_event_that_is_not_as_it_should_be_is_damage(trained: Store, fields: dict[str, Any]) -> None:
    run = trained.run("run-1").id
    good = version(run)
    forge(
        trained, good, version(run, number=2) | fields, {"type": "alias", "alias": "prod", "version": good["version"]}
    )
    model = trained.model("digits")
    assert (model["prod"].id, len(model), len(model.damage)) == (good["version"], 1, 1)
    assert unreadable_models(trained) == model.damage


def test_of_much_damage_a_part_is_told(trained: Store) -> None:
    """A million short events that are none took minutes and gigabytes."""
    path = forge(trained, good := version(trained.run("run-1").id), {"type": "alias"})
    size = forge(trained, good).stat().st_size
    content = path.read_bytes()
    path.write_bytes(content[:size] + content[size:] * 1_000_000)
    model = trained.model("digits")
    assert [item.id for item in model] == [good["version"]]
    assert 0 < len(model.damage) <= MAX_COMPLAINTS


def test_nobody_has_the_last_word_for_ever(trained: Store) -> None:
    run, far = trained.run("run-1").id, 1 << 60
    kept = trained.run("run-1").artifact("model.pt").sha256
    first, second = version(run), version(run, number=2, sha256=kept)
    theirs = {"type": "alias", "alias": "prod", "version": first["version"], "order": far, "time": far}
    forge(trained, first, second, theirs)
    trained.model("digits").set_alias("prod", 2)
    assert trained.model("digits")["prod"].id == second["version"]
    assert "more than a year later" in trained.model("digits").damage[0]


def test_kinds_of_events_that_a_newer_runlore_wrote_are_passed_over(trained: Store) -> None:
    forge(trained, version(trained.run("run-1").id, colour="red"), {"type": "approved", "by": ["ann"]})
    assert (len(trained.model("digits")), trained.model("digits").damage) == (1, [])


def test_a_file_of_a_newer_format_and_one_of_another_kind_are_named(trained: Store) -> None:
    forge(trained, version(trained.run("run-1").id), head=b"RLMOD\0" + struct.pack("<H", FORMAT + 1))
    forge(trained, version(trained.run("run-1").id), head=b"RLLOG\0" + struct.pack("<H", FORMAT))
    damage = "\n".join(trained.model("digits").damage)
    assert "upgrade" in damage
    assert "no file of a model" in damage


def test_links_are_not_followed(trained: Store, tmp_path: Path) -> None:
    path = forge(trained, version(trained.run("run-1").id))
    outside = tmp_path / "outside.log"
    path.rename(outside)
    path.symlink_to(outside)
    assert len(trained.model("digits")) == 0
    assert trained.model("digits").damage
    path.unlink()
    folder = path.parent
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="no regular folder"):
        trained.model("digits").add("run-1")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    folder.unlink()
    (trained.root / "models").rmdir()
    (trained.root / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreRefused, match="no folder but a link"):
        open_store(trained.root)


def test_a_hostile_version_reads_no_file_outside_the_store(trained: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    gone = new_run_id(NOW)
    forge(
        trained, version(gone, file="/etc/passwd", artifact=str(tmp_path / "secret"), stored=False, path="/etc/passwd")
    )
    model = trained.model("digits")
    with pytest.raises(ArtifactNotFound, match="is not in this store"):
        model["1"].restore(tmp_path / "out")
    assert not list((tmp_path).rglob("passwd"))


def test_an_alias_of_a_version_that_is_not_here_is_told(trained: Store) -> None:
    run = trained.run("run-1")
    kept = version(run.id, sha256=run.artifact("model.pt").sha256)
    forge(trained, kept, {"type": "alias", "alias": "prod", "version": new_run_id(NOW + 1)})
    model = trained.model("digits")
    assert model.aliases == {}
    assert model.damage == ["'prod' names a version whose file is not here"]
    with pytest.raises(ModelNotFound):
        model["prod"]
    model.set_alias("prod", 1)
    assert (model["prod"].version, model.damage) == ("1", [])


def test_an_alias_that_was_lost_is_set_again_whatever_its_order(trained: Store) -> None:
    run = trained.run("run-1")
    kept = version(run.id, sha256=run.artifact("model.pt").sha256)
    later = NOW + 300 * 86_400_000_000
    lost = {"type": "alias", "alias": "prod", "version": new_run_id(NOW + 1), "order": later}
    forge(trained, kept, lost)
    assert trained.model("digits").set_alias("prod", 1).aliases == ("prod",)
    assert trained.model("digits")["prod"].version == "1"


def test_files_are_for_whom_the_store_is(trained: Store) -> None:
    trained.model("digits").add("run-1")
    (path,) = files(trained)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    trained.root.chmod(0o2770)
    trained.model("shared").add("run-1")
    path = next(path for path in files(trained) if path.parent.name.startswith("shared"))
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700, "made before the store was shared"


def test_no_byte_of_a_file_ends_a_reader(trained: Store, tmp_path: Path) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"], note="a note")
    model.add("run-2")
    model.set_alias("prod", 2)
    model.add_note("text", 1)
    (path,) = files(trained)
    whole = path.read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.randint(0, len(data))] if chance.random() < 0.3 else data))
        found = trained.model("digits")
        assert all(version.run_id and version.title for version in found.versions)
        assert len(found.history) <= 6
        assert [item.name for item in trained.models()] in ([], ["digits"])


FIELDS: dict[str, list[Any]] = {
    "version": ["x", None, 3, new_run_id(NOW)], "number": [1, 2, -1, 10**20, None, "1"],
    "order": [0, 1 << 61, 1 << 62, None], "run": [new_run_id(NOW), "", None, []], "alias": ["prod", "", None, {}, "v1"],
    "time": [0, -(1 << 61), 1 << 61, "x"], "text": ["x", None, 1], "user": ["x", 1], "artifact": ["", "a", None],
    "files": [[], [["a", 1, "ab" * 32]], None, "x"], "step": [1, None, 1 << 63, 0.5], "epoch": [1.5, None, "x"],
    "sha256": ["ab" * 32, "", None], "size": [-1, 1 << 62],
}  # fmt: skip


def test_no_value_of_an_event_ends_a_reader_or_a_writer(trained: Store) -> None:
    chance = random.Random(1)
    for _ in range(150):
        events = []
        for _ in range(chance.randint(1, 6)):
            kind = chance.choice(["version", "alias", "note", "withdrawn", "other"])
            event = version(trained.run("run-1").id) if kind == "version" else {"text": "x", "alias": "prod"}
            changed = chance.sample(sorted(FIELDS), chance.randint(0, 3))
            events.append({**event, "type": kind} | {name: chance.choice(FIELDS[name]) for name in changed})
        forge(trained, *events)
    model = trained.model("digits")
    assert json.dumps([version_details(item) for item in model.versions])
    assert json.dumps([change_document(item) for item in model.history])
    added = model.add("run-2", aliases=["prod"])
    assert trained.model("digits")["prod"].id == added.id
    assert trained.model("digits").history[-1].alias == "prod"
