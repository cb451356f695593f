"""Make one run of a program and its only training: the training's files become files of the program's run."""

from collections.abc import Sequence

from runlore._ids import is_made_name, new_suffix
from runlore._inside import rename
from runlore.log.folder import WriterFile
from runlore.log.liveness import Life
from runlore.log.reader import Content
from runlore.log.record import read_files
from runlore.recording.run import Run
from runlore.recording.starting import DEFAULT_EXPERIMENT
from runlore.store.search import opened_with


def fold(run: Run, status: str) -> bool:
    """Take the only run below one that is still open into it; return False where there are several, or none.

    Nor where it has runs below it, or somebody still writes it, nor where it failed and the program has the `status`
    "finished": the program has gone on behind it; nor where both have a metric of one name, as a program has whose
    printed numbers are recorded. The run says before what it includes, and the file that the other one begins with is
    renamed last: whoever is killed in between leaves two runs that can be read.

    Raises:
        OSError: the store can't be written.
    """
    folder = run.folder
    below = list(opened_with(folder, "parent", run.id))
    if len(below) != 1 or next(opened_with(folder, "parent", below[0]), None) is not None:
        return False
    contents = read_files(folder, below[0]).contents
    files = folder.files_of(below[0])
    if len(contents) != len(files) or any(content.life is Life.ALIVE for content in contents):
        return False
    named = {key for content in contents for key in content.tallies}
    if any(named & content.tallies.keys() for content in read_files(folder, run.id).contents):
        return False
    if status == "finished" and any(content.end and content.end["status"] != status for content in contents):
        return False
    run.run_log.event({"type": "includes", "run": below[0]})
    told = _told(run, contents)
    if told:
        run.run_log.event({"type": "edited", **told})
    ordinal = 1 + max(item.ordinal for item in folder.files_of(run.id))
    for item, _ in sorted(zip(files, contents, strict=True), key=_begins):
        name = f"{run.id}.{ordinal + item.ordinal:04d}{new_suffix(4)}{item.path.suffix}"
        rename(item.path, folder.day(run.id) / name, folder.root)
    return True


def _told(run: Run, contents: Sequence[Content]) -> dict[str, str]:
    """Return name and experiment of the other run, where somebody has given it these and not to the program."""
    opening = next((content.opening for content in contents if content.opening.get("mode") != "attach"), {})
    name, experiment = str(opening.get("name") or ""), str(opening.get("experiment") or "")
    found = {"name": name} if name and is_made_name(run.name) and not is_made_name(name) else {}
    if experiment and run.run_log.opening.get("experiment") == DEFAULT_EXPERIMENT != experiment:
        found["experiment"] = experiment
    return found


def _begins(pair: tuple[WriterFile, Content]) -> bool:
    return pair[1].opening.get("mode") != "attach"
