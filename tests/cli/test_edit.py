"""Names, experiments, tags, notes and the archive from the command line."""

import os
import pty
import re
import subprocess
from datetime import UTC, datetime

import pytest

from runlore import Store
from runlore._startup import user_name
from runlore.errors import NoteNotFound
from runlore.store.details import Note
from tests.commands import command, document, runlore


def test_tags_and_notes_are_added_to_finished_runs(store: Store) -> None:
    store.start_run("else").finish()
    assert runlore("tag", "else", "team=vision", "url=a=b").output == "team=vision\nurl=a=b\n"
    assert document("tag", "else", "--remove", "url", "--json") == {"team": "vision"}
    assert runlore("tag", "else").output == "team=vision\n"
    assert runlore("tag", "else", "novalue").exit_code == 2
    missing = runlore("tag", "else", "--remove", "nothing")
    assert (missing.exit_code, "it has team" in missing.output) == (1, True)
    assert runlore("note", "else", "worse", "than", "it looks").exit_code == 0
    assert runlore("note", "else", " ").exit_code == 2
    found = store.run("else")
    assert [(note.text, note.user) for note in found.notes] == [("worse than it looks", user_name())]
    assert (found.tags, found.status) == ({"team": "vision"}, "finished")


def test_a_run_is_renamed_moved_and_described(store: Store) -> None:
    with store.start_run("first", experiment="tries") as parent:
        parent.log_metrics({"loss": 1.0})
        store.start_run("candidate", experiment="tries", parent=parent).finish()
    done = runlore("edit", "first", "--name", "best", "--experiment", "paper", "--description", "of table 2")
    assert done.output == f"best ({parent.id}) in paper\n"
    found = store.run("best")
    assert (found.experiment, found.tags, found.status) == ("paper", {"description": "of table 2"}, "finished")
    assert [run.name for run in store.runs('experiment == "paper"')] == ["candidate", "best"]
    assert len(store.runs('name == "first" or experiment == "tries"')) == 0
    store.reindex()
    assert store.run("best").id == parent.id
    runlore("edit", "best", "--description", "")
    assert store.run("best").tags == {}


def test_a_renamed_run_keeps_its_name_when_it_goes_on(store: Store) -> None:
    store.start_run("first").finish("failed")
    store.run("first").edit(name="second", experiment="paper")
    with store.start_run(resume="second") as again:
        assert again.name == "second"
    found = store.run("second")
    assert (found.experiment, len(found.segments)) == ("paper", 2)


def test_an_edit_of_nothing_or_to_nothing_is_refused(store: Store) -> None:
    store.start_run("first").finish()
    assert runlore("edit", "first").exit_code == 2
    empty = runlore("edit", "first", "--name", " ")
    assert (empty.exit_code, "at least one letter" in empty.output) == (2, True)
    assert store.run("first").name == "first"


def test_archived_runs_leave_every_table_and_lose_nothing(store: Store) -> None:
    with store.start_run("old", params={"lr": 1}) as parent:
        parent.log_metrics({"loss": 1.0})
        store.start_run("child", parent=parent).finish()
    with store.start_run("new", params={"lr": 1}) as other:
        other.log_metrics({"loss": 3.0})
    done = runlore("archive", "old")
    assert [line.split(" (")[0] for line in done.output.splitlines()] == ["archived old", "archived child"]
    listed = runlore("ls")
    assert ("new" in listed.output, "old" in listed.output) == (True, False)
    assert "Archived runs are not listed: --archived shows them." in listed.output
    assert "old" in runlore("ls", "--archived").output
    assert (
        runlore("ls", 'name == "old"').output
        == "No run fulfils this query, but archived runs do: --archived lists them.\n"
    )
    assert "old" in runlore("ls", "archived").output
    assert "archived=yes" in runlore("show", "old").output
    assert [group["n"] for group in document("stats", "--metric", "loss", "--json")["groups"]] == [1]
    assert [group["n"] for group in document("stats", "--metric", "loss", "--archived", "--json")["groups"]] == [2]
    assert runlore("archive", "old").output == "there is nothing to change\n"
    assert len(document("archive", "--where", "archived", "--off", "--json")) == 2
    assert "old" in runlore("ls").output
    assert store.run("old").tags == {}


def test_what_is_to_be_archived_has_to_be_named(store: Store) -> None:
    store.start_run("only").finish()
    assert runlore("archive", "--where", "").exit_code == 2, "that would be all of them"
    assert runlore("archive").exit_code == runlore("archive", "only", "--where", "name == 'only'").exit_code == 2
    assert runlore("archive", "--where", "name == 'none'").output == "no run fulfils this\n"
    assert runlore("ls", "archived == 1").exit_code == 2
    assert store.run("only").tags == {}


def test_an_archived_run_may_go_on_be_removed_and_be_gone_on_with(store: Store) -> None:
    store.start_run("first").finish("failed")
    store.run("first").archive()
    with store.start_run("first", resume="allow") as again:
        assert again.id == store.run("first").id
    assert store.run("first").tags == {"archived": "yes"}
    assert runlore("rm", "first").exit_code == 0
    assert runlore("undo").exit_code == 0
    assert store.run("first").tags == {"archived": "yes"}


def test_a_note_is_read_from_stdin_or_written_in_an_editor(store: Store) -> None:
    store.start_run("only").finish()
    subprocess.run([command(), "note", "only", "-"], input=b"# From a pipe\n\n* one\n", check=True)
    assert runlore("note", "only").exit_code == 2, "there is no terminal for an editor"
    leader, follower = pty.openpty()
    editor = {**os.environ, "VISUAL": "", "EDITOR": "sh -c 'echo from an editor > $0'"}
    subprocess.run([command(), "note", "only"], stdin=follower, env=editor, check=True)
    left = subprocess.run([command(), "note", "only"], stdin=follower, env={**editor, "EDITOR": "true"}, check=False)
    os.close(follower)
    os.close(leader)
    assert left.returncode == 2, "nothing was written"
    assert [note.text for note in store.run("only").notes] == ["# From a pipe\n\n* one", "from an editor"]


def test_a_note_is_corrected_and_removed_by_its_number(store: Store) -> None:
    store.start_run("only").finish()
    for text in ("first", "secnd", "third"):
        store.run("only").note(text)
    assert runlore("note", "only", "--edit", "2", "second", "one").exit_code == 0
    assert runlore("note", "only", "--remove", "1").output == "removed a note of only\n"
    found = store.run("only")
    assert [(note.text, note.editor) for note in found.notes] == [("second one", user_name()), ("third", None)]
    shown = runlore("show", "only").output
    assert re.search(r"(?m)^  1: .* UTC, (\S+), edited .* UTC, \1 *\n  second one *\n  2: .* UTC, \1 *\n  third", shown)
    assert [run.name for run in store.runs("like(notes, 'second%')")] == ["only"]
    assert not store.runs("like(notes, '%first%') or like(notes, '%secnd%')")
    missing = runlore("note", "only", "--remove", "3")
    assert (missing.exit_code, "has 2 notes: there is no 3" in missing.output) == (1, True)
    for wrong in (
        ("--edit", "1", " "),
        ("--remove", "1", "text"),
        ("--remove", "1", "--edit", "1"),
        ("--edit", "0", "x"),
    ):
        assert runlore("note", "only", *wrong).exit_code == 2
    with pytest.raises(NoteNotFound):
        found.edit_note(Note("of another run", datetime(2026, 1, 1, tzinfo=UTC), None), "x")
    with pytest.raises(ValueError, match="None removes it"):
        found.edit_note(found.notes[0], " ")
    store.reindex()
    assert store.run("only").notes == found.notes
    assert [run.name for run in store.runs("notes == 'second one\\n\\nthird'")] == ["only"]


def test_a_note_is_corrected_in_the_editor(store: Store) -> None:
    store.start_run("only").finish()
    store.run("only").note("one\ntow")
    leader, follower = pty.openpty()
    editor = {**os.environ, "VISUAL": "", "EDITOR": "sed -i s/tow/two/"}
    subprocess.run([command(), "note", "only", "--edit", "1"], stdin=follower, env=editor, check=True)
    os.close(follower)
    os.close(leader)
    assert [note.text for note in store.run("only").notes] == ["one\ntwo"]


def test_a_correction_counts_wherever_its_writer_stands(store: Store) -> None:
    """A run that is open adds to its first file; what others write meanwhile lies in later ones."""
    with store.start_run("live") as run:
        with store.run("live").attach() as other:
            store.run("live").note("late")
            time = int(store.run("live").notes[0].time.timestamp() * 1e6)
            run.run_log.event({"type": "corrected", "note": time, "text": "earlier"})
            other.run_log.event({"type": "corrected", "note": time, "text": "later"})
        assert [note.text for note in store.run("live").notes] == ["later"]
    assert [note.text for note in store.run("live").notes] == ["later"]


def test_secrets_are_masked_in_corrections(store: Store) -> None:
    store.start_run("only").finish()
    store.run("only").note("ok")
    found = store.run("only")
    found.edit_note(found.notes[0], "password=hunter2hunter2")
    assert store.run("only").notes[0].text == "password=[masked]"


def test_runs_are_found_by_their_notes(store: Store) -> None:
    for name, notes in (("first", ["works on dark images", "as expected"]), ("second", ["diverged"]), ("third", [])):
        store.start_run(name).finish()
        for text in notes:
            store.run(name).note(text)
    found = {
        "like(notes, '%dark%')": ["first"], "match(notes, '(?i)^DIVERGED$')": ["second"], "notes is None": ["third"],
        "match(notes, 'images\\n\\nas')": ["first"], "notes == 'diverged'": ["second"],
    }  # fmt: skip
    assert {where: [run.name for run in store.runs(where)] for where in found} == found
    store.reindex()
    assert {where: [run.name for run in store.runs(where)] for where in found} == found
    assert "works on dark images; as expected" in runlore("ls", "-c", "notes").output
