"""Names, experiments, tags, notes and the archive from the command line."""

import os
import pty
import subprocess

from runlore import Store
from runlore._startup import user_name
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
