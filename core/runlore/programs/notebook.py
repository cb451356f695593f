"""Execute a notebook from its first cell to its last: `runlore run train.ipynb` starts Python with this.

What its cells print is printed, and what they show stands in the executed notebook, if one is asked for. nbclient
executes it, by the kernel that the notebook names.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

NEEDED = "notebooks are executed by nbclient: pip install 'runlore[notebook]'"


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the executed notebook here."
)
def main(notebook: Path, output: Path | None) -> None:
    """Execute NOTEBOOK in its own folder; it stays as it is.

    Ends with 1 where a cell raises, whose traceback is printed.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError:
        raise click.ClickException(NEEDED) from None
    try:
        content = nbformat.read(notebook, as_version=4)
    except Exception as error:  # what nbformat and its validators raise is of many kinds
        raise click.ClickException(f"{str(notebook)!r} can't be read as a notebook: {error}") from None
    kernel = content.metadata.get("kernelspec", {}).get("name") or "python3"
    client: Any = NotebookClient(
        content, timeout=None, kernel_name=kernel, resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_executed=_print,
    )  # fmt: skip
    os.environ["JPY_SESSION_NAME"] = str(notebook.absolute())  # which Jupyter tells kernels, too
    failed = None
    try:
        client.execute()
    except CellExecutionError as error:
        failed = str(error.traceback)
    finally:
        if output is not None:
            nbformat.write(content, output)
    if failed is not None:
        click.echo(failed, err=True)  # which leaves colours out where no terminal is
        sys.exit(1)


def _print(cell: Any, cell_index: int, execute_reply: Any) -> None:
    """Print what a cell has printed."""
    for item in cell.get("outputs", ()):
        if item["output_type"] == "stream":
            stream = sys.stderr if item["name"] == "stderr" else sys.stdout
            stream.write(item["text"])
            stream.flush()


if __name__ == "__main__":
    main()
