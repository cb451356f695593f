"""`runlore restore`: get a file of a run back, byte for byte."""

from pathlib import Path

import click

from runlore.artifacts import Artifact
from runlore.cli._options import RunPart, print_json, store_option
from runlore.documents import artifact_document
from runlore.origins import with_hashes
from runlore.runs import RecordedRun
from runlore.store import open_store

DEFAULTS = ("best", "last")  # roles that are meant where nothing is named


@click.command()
@click.argument("run", type=RunPart())
@click.option(
    "--artifact", "-a", metavar="NAME|ROLE", help="What to restore [default: best, else last, else the only]."
)
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--force", is_flag=True, help="Replace what is there with other content.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@store_option
def restore(run: str, artifact: str | None, to: Path, force: bool, as_json: bool, store: str | None) -> None:
    """Write a checkpoint or another file of a run into a folder.

    RUN is its name or any unique part of its id. A file whose content was not kept is copied from where the framework
    left it, if it is still the same.
    """
    found = with_hashes(open_store(store).run(run))
    item = found.artifact(artifact) if artifact is not None else _default(found)
    target = item.target(to)
    if not force and target.exists() and not item.is_at(target):
        raise click.UsageError(f"{str(target)!r} is there with other content: --force replaces it")
    written = item.restore(to)
    if as_json:
        print_json({**artifact_document(item), "run": found.id, "restored": str(written)})
    else:
        click.echo(str(written))


def _default(run: RecordedRun) -> Artifact:
    artifacts = run.artifacts
    for role in DEFAULTS:
        if any(role in item.roles for item in artifacts):
            return run.artifact(role)
    made = {item.name for item in artifacts if item.kind not in ("code", "log")}
    if len(made) == 1:
        return run.artifact(made.pop())
    if not artifacts:
        raise click.UsageError(f"run {run.name!r} has no artifacts")
    names = ", ".join(sorted({item.name for item in artifacts})[:10])
    raise click.UsageError(f"run {run.name!r} has no checkpoint: name one of its artifacts with --artifact: {names}")
