"""`runlore restore`: get a file of a run back, byte for byte."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import click

from runlore.artifacts.artifact import Artifact
from runlore.artifacts.blobs import ODD_NAME
from runlore.artifacts.folders import safe_join
from runlore.cli.options import RunPart, json_option, store_option
from runlore.cli.printing import echo, print_json
from runlore.documents import artifact_document, run_details
from runlore.errors import ArtifactNotFound, UnsafePath
from runlore.provenance.hashing import complete_run
from runlore.store.models import main_artifact, version_at
from runlore.store.runs import RecordedRun
from runlore.store.store import open_store
from runlore.store.versions import ModelVersion

MAX_NAMED = 10  # artifacts in a message
MAX_FOLDER_BYTES = 120  # of the name of a folder for one file, which the name of its artifact makes


@click.command()
@click.argument("run", type=RunPart())
@click.option(
    "--artifact", "-a", metavar="NAME|ROLE", help="What to restore [default: best, else last, else the only]."
)
@click.option("--all", "whole", is_flag=True, help="The whole run: every file that can be had, and run.json.")
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--force", is_flag=True, help="Replace what is there with other content.")
@json_option
@store_option
def restore(
    run: str, artifact: str | None, whole: bool, to: Path, force: bool, as_json: bool, store: str | None
) -> None:
    """Write a checkpoint or another file of a run into a folder, or all of them.

    RUN is its name or any unique part of its id; `model:NAME@ALIAS` is that version of a model. A file whose content
    was not kept is copied from where the framework left it, if it is still the same.
    """
    place = open_store(store)
    version = version_at(place, run) if artifact is None and not whole else None
    if version is not None:
        _restore_version(version, to, force, as_json)
        return
    found = complete_run(place.run(run))
    if whole:
        if artifact is not None:
            raise click.UsageError("name an artifact or --all, not both")
        _restore_all(found, to, force, as_json)
        return
    holder, item = (found, found.artifact(artifact)) if artifact is not None else _default(found)
    _restore_one(item, to, force, {"run": holder.id} if as_json else None)


def _restore_version(version: ModelVersion, to: Path, force: bool, as_json: bool) -> None:
    """Write the file of a version of a model, which need not have its run any more."""
    for run in version.store.known([version.run_id]):
        complete_run(run)
    told = {"run": version.run_id, "model": version.model, "version": version.version}
    _restore_one(version.artifact, to, force, told if as_json else None)


def _restore_one(item: Artifact, to: Path, force: bool, document: dict[str, str] | None) -> None:
    """Write a file or folder, and print its place, or the JSON that it stands in."""
    _check_free(item, to, force)
    written = click.format_filename(item.restore(to))  # a name need not be text
    if document is not None:
        print_json({**artifact_document(item), **document, "restored": written})
    else:
        echo(written)


def _check_free(item: Artifact, to: Path, force: bool) -> None:
    target = item.target(to)
    if not force and target.exists() and not item.is_at(target):
        raise click.UsageError(f"{str(target)!r} is there with other content: --force replaces it")


def _restore_all(run: RecordedRun, to: Path, force: bool, as_json: bool) -> None:
    """Write the newest version of every file, and the record; report the files that can't be had."""
    record = to / "run.json"
    places, refused = _places(run, to, record)
    document = (json.dumps(run_details(run), indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    if record.is_symlink():
        raise UnsafePath(f"{str(record)!r} is a link, which may lead outside of {str(to)!r}: not written")
    if not force and record.exists() and record.read_bytes() != document:
        raise click.UsageError(f"{str(record)!r} is there with other content: --force replaces it")
    for folder, item in places:
        _check_free(item, folder, force)
    written: list[str] = []
    lacking: list[str] = []
    for folder, item in places:
        try:
            written.append(click.format_filename(item.restore(folder)))
        except ArtifactNotFound as error:
            lacking.append(str(error))
        except UnsafePath as error:  # of a file in a folder
            refused.append(str(error))
        except OSError as error:
            refused.append(_told(item, error))
    to.mkdir(parents=True, exist_ok=True)
    record.write_bytes(document)
    written.append(str(record))
    if as_json:
        print_json({"run": run.id, "restored": written, "lacking": [*lacking, *refused]})
    else:
        echo(*written)
        echo(*lacking, *refused, err=True)
    if refused:
        raise SystemExit(1)


def _told(item: Artifact, error: OSError) -> str:
    """Tell that the name of a file is one that the disk can't have; raise any other error again."""
    if error.errno not in ODD_NAME:
        raise error
    return f"{item.name!r} can't be written here: {error.strerror}"


def _default(run: RecordedRun) -> tuple[RecordedRun, Artifact]:
    """Return the artifact that is restored where none is named, with its run: a child, if only that has a model.

    A usage error says which there are.
    """
    found = main_artifact(run)
    if found is not None:
        return run, found
    able = [child for child in run.children if main_artifact(child) is not None]
    if len(able) == 1:
        child = complete_run(able[0])
        if (only := main_artifact(child)) is not None:
            return child, only
    artifacts = run.artifacts
    if not artifacts and not able:
        raise click.UsageError(f"run {run.name!r} has no artifacts")
    if able:
        child = next((child for child in able if "best" in child.tags), able[0])
        raise click.UsageError(f"run {run.name!r} has no checkpoint; a child of it has: runlore restore {child.id} …")
    names = ", ".join(sorted({item.name for item in artifacts})[:MAX_NAMED])
    raise click.UsageError(f"run {run.name!r} has no checkpoint: name one of its artifacts with --artifact: {names}")


def _places(run: RecordedRun, to: Path, record: Path) -> tuple[list[tuple[Path, Artifact]], list[str]]:
    """Choose the folder that the newest version of each file is restored to: one of its own where two paths collide.

    Also return why files are refused: their recorded paths lead outside of `to`.
    """
    newest: dict[tuple[Path, str], Artifact] = {}
    refused = []
    for item in run.artifacts:
        try:
            newest[(item.target(to), item.name)] = item
        except UnsafePath as error:
            refused.append(str(error))
        except OSError as error:
            refused.append(_told(item, error))
    targets = Counter([record, *(target for target, _ in newest)])
    found = []
    for (target, name), item in newest.items():
        alone = targets[target] == 1
        try:
            found.append((to if alone else safe_join(to, _folder_name(f"{item.kind}-{name}")), item))
        except UnsafePath as error:
            refused.append(str(error))
    return found, refused


def _folder_name(name: str) -> str:
    """Return the name of a folder; a long one is cut and ends with digits of its hash."""
    plain = name.replace("/", "_")
    data = plain.encode("utf-8", "surrogateescape")
    if len(data) <= MAX_FOLDER_BYTES:
        return plain
    return f"{data[:MAX_FOLDER_BYTES].decode('utf-8', 'ignore')}-{hashlib.sha256(data).hexdigest()[:8]}"
