"""Questions about links: the runs that go back to other runs."""

from typing import NamedTuple

from runlore.index.database import Sqlite


class Link(NamedTuple):
    """The link of a run to another: its kind, and the step and hash of the content that it went on from, if known."""

    run: str
    kind: str
    step: int | None
    sha256: str | None


def find_links(database: Sqlite, target: str) -> list[Link]:
    """Return the links of other runs to a run, those of the oldest runs first."""
    return _links(database, "l.target = ? ORDER BY r.id", target)


def find_links_to_content(database: Sqlite, target: str, step: int | None, sha256: str | None) -> list[Link]:
    """Return the links to a content that a run wrote at a step, those of the newest runs first.

    Links that name no content are taken to mean the one of their step.
    """
    condition = "(l.target = ? AND l.sha256 IS NULL AND l.step = ?) OR l.sha256 = ? ORDER BY r.id DESC"
    return _links(database, condition, target, step, sha256)


def count_linked(database: Sqlite, kind: str, target: str) -> int:
    """Return how many runs have a link of a kind to a run."""
    sql = "SELECT COUNT(DISTINCT run) FROM links WHERE kind = ? AND target = ?"
    return int(database.query(sql, (kind, target))[0][0])


def _links(database: Sqlite, condition: str, *arguments: str | int | None) -> list[Link]:
    sql = f"SELECT r.id, l.kind, l.step, l.sha256 FROM links l JOIN runs r ON r.n = l.run WHERE {condition}"
    return [Link(run_id, str(kind), step, sha256) for run_id, kind, step, sha256 in database.query(sql, arguments)]
