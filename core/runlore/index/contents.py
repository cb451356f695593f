"""Questions about contents and links: the artifacts, datasets and weights that runs recorded, by their hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runlore.index.database import Sqlite

NO_WEIGHTS = "nothing"  # the kind of a row that says which plugins found no weights in a content
NO_MODELS = ("code", "log")  # kinds of artifacts that hold no weights
NEAREST = 3  # runs that a question for similar artifacts names
_OF_MODELS = f"a.kind NOT IN ({', '.join(map(repr, NO_MODELS))})"
_ARTIFACTS = "FROM artifacts a JOIN runs r ON r.n = a.run"


class Use(NamedTuple):
    """A run that wrote a content or read it as data.

    `name` is that of the artifact, of the file inside a folder, or of the dataset. `position` counts the run's
    artifacts from 0; of data it is -1.
    """

    run: str
    relation: Literal["wrote", "read"]
    name: str
    position: int


class Exact(NamedTuple):
    """The recorded files, folders and datasets with a hash, or the beginning of one, that was asked for.

    `written`: it is one content only, and a run wrote it. `members` are the hashes of a folder's files that a run wrote
    or read, in the order asked for.
    """

    hashes: list[str]
    written: bool
    members: list[str]


class Similar(NamedTuple):
    """A run with an artifact that resembles another."""

    run: str
    run_name: str
    artifact: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An artifact with a known hash. `blobs` are the hashes of the contents that it is made of."""

    kind: str
    sha256: str
    size: int
    stored: bool
    blobs: tuple[str, ...]


class Link(NamedTuple):
    """The link of a run to another: its kind, and the step and hash of the content that it went on from, if known."""

    run: str
    kind: str
    step: int | None
    sha256: str | None


# Hashes that are still to be made


def count_pending(database: Sqlite) -> int:
    """Return how many artifacts have no hash yet."""
    return int(database.query("SELECT count(*) FROM artifacts WHERE pending = 1")[0][0])


def list_pending(database: Sqlite) -> list[str]:
    """Return the ids of the runs with artifacts that have no hash yet."""
    return [run_id for (run_id,) in database.query(f"SELECT DISTINCT r.id {_ARTIFACTS} WHERE a.pending = 1")]


def is_pending(database: Sqlite, run_id: str) -> bool:
    """Return True if a run has artifacts that have no hash yet."""
    return bool(database.query(f"SELECT 1 {_ARTIFACTS} WHERE r.id = ? AND a.pending = 1 LIMIT 1", (run_id,)))


# Who wrote and read a content


def find_uses(database: Sqlite, sha256: str) -> list[Use]:
    """Return who wrote or read a content, the newest run first; `sha256` may be the beginning of one."""
    sql = (
        f"SELECT r.id, 'wrote', a.name, a.position {_ARTIFACTS} WHERE a.sha256 LIKE ? "
        "UNION SELECT r.id, 'wrote', m.path, m.position FROM members m JOIN runs r ON r.n = m.run "
        "WHERE m.sha256 LIKE ? UNION SELECT r.id, 'read', d.key, -1 FROM data d JOIN runs r ON r.n = d.run "
        "WHERE d.key LIKE '%.fingerprint' AND d.text LIKE ? ORDER BY 1 DESC, 4"
    )
    rows = database.query(sql, (f"{sha256}%",) * 3)
    return [
        Use(run_id, relation, name.removesuffix(".fingerprint") if relation == "read" else name, position)
        for run_id, relation, name, position in rows
    ]


def find_exact(database: Sqlite, sha256: str, members: Sequence[str]) -> Exact:
    """Return what runs know of a content, of which `sha256` may be the beginning, and of the files of a folder."""
    sql = (
        "SELECT sha256 FROM artifacts WHERE sha256 LIKE ? UNION SELECT sha256 FROM members WHERE sha256 LIKE ? "
        "UNION SELECT text FROM data WHERE key LIKE '%.fingerprint' AND text LIKE ? ORDER BY 1"
    )
    found = [known for (known,) in database.query(sql, (f"{sha256}%",) * 3)]
    written = len(found) == 1 and any(use.relation == "wrote" for use in find_uses(database, found[0]))
    return Exact(found, written, [member for member in members if find_uses(database, member)])


def find_writers(database: Sqlite, sha256: str) -> list[tuple[str, int]]:
    """Return the runs that wrote a content and the position of the artifact, the oldest first.

    `sha256` may be the beginning of one; a file inside a folder counts for the folder.
    """
    sql = (
        f"SELECT r.id, a.position {_ARTIFACTS} WHERE a.sha256 LIKE ? UNION "
        "SELECT r.id, m.position FROM members m JOIN runs r ON r.n = m.run WHERE m.sha256 LIKE ? ORDER BY 1, 2"
    )
    return [(run_id, position) for run_id, position in database.query(sql, (f"{sha256}%",) * 2)]


def find_readers(database: Sqlite, sha256: str) -> list[str]:
    """Return the runs that read a content as data, the oldest first; `sha256` may be the beginning of one."""
    sql = (
        "SELECT DISTINCT r.id FROM data d JOIN runs r ON r.n = d.run "
        "WHERE d.key LIKE '%.fingerprint' AND d.text LIKE ? ORDER BY 1"
    )
    return [run_id for (run_id,) in database.query(sql, (f"{sha256}%",))]


def find_by_size(database: Sqlite, size: int) -> list[tuple[str, bool]]:
    """Return the runs with an artifact of this many bytes, or of unknown size, and whether its hash is pending.

    The newest run comes first. The size is unknown of files that were still being written when the run ended.
    """
    unsized = "a.size IS NULL AND a.pending = 1"
    sql = f"SELECT DISTINCT r.id, a.pending {_ARTIFACTS} WHERE a.size = ? OR ({unsized}) ORDER BY r.id DESC"
    return [(run_id, bool(pending)) for run_id, pending in database.query(sql, (size,))]


def find_checkpoint(database: Sqlite, sha256: str) -> tuple[str, int | None] | None:
    """Return the newest run that wrote a content, and at which step; as a checkpoint before anything else."""
    order = "a.kind = 'checkpoint' DESC, r.id DESC, a.position DESC"
    rows = database.query(f"SELECT r.id, a.step {_ARTIFACTS} WHERE a.sha256 = ? ORDER BY {order} LIMIT 1", (sha256,))
    return (rows[0][0], rows[0][1]) if rows else None


def group_stored(database: Sqlite) -> dict[str, list[Stored]]:
    """Return the artifacts with a known hash by run. The files inside folders of code are not known."""
    members: dict[tuple[int, int], list[str]] = {}
    for run, position, sha256 in database.query("SELECT run, position, sha256 FROM members"):
        members.setdefault((run, position), []).append(sha256)
    found: dict[str, list[Stored]] = {}
    columns = "r.id, a.run, a.position, a.kind, a.sha256, a.size, a.stored"
    for run_id, run, position, kind, sha256, size, stored in database.query(
        f"SELECT {columns} {_ARTIFACTS} WHERE a.sha256 IS NOT NULL"
    ):
        blobs = tuple(members.get((run, position), ())) or (sha256,)
        found.setdefault(run_id, []).append(Stored(kind, sha256, size or 0, bool(stored), blobs))
    return found


# Artifacts that resemble one that no run knows


def find_named(database: Sqlite, name: str) -> list[Similar]:
    """Return the newest runs with an artifact of this name."""
    return _similar(database, "a.name = ?", name)


def find_sized(database: Sqlite, size: int) -> list[Similar]:
    """Return the newest runs with an artifact of this many bytes."""
    return _similar(database, "a.size = ?", size)


def find_with_tensors(database: Sqlite, digest: str) -> list[Similar]:
    """Return the newest runs with a model that has this hash of its tensors, whatever their names are."""
    return _similar(database, "w.kind = 'tensors' AND w.hash = ?", digest, weights=True)


def find_with_shapes(database: Sqlite, digest: str) -> list[Similar]:
    """Return the newest runs with a model that has this hash of the shapes of its tensors."""
    return _similar(database, "w.kind = 'shapes' AND w.hash = ?", digest, weights=True)


def _similar(database: Sqlite, condition: str, value: str | int, *, weights: bool = False) -> list[Similar]:
    joined = "JOIN weights w ON w.run = a.run AND w.sha256 = a.sha256" if weights else ""
    sql = (
        f"SELECT r.id, r.name, max(a.name) {_ARTIFACTS} {joined} WHERE {condition} AND {_OF_MODELS} "
        "GROUP BY r.id, r.name ORDER BY r.id DESC LIMIT ?"
    )
    return [Similar(run_id, name, str(artifact)) for run_id, name, artifact in database.query(sql, (value, NEAREST))]


# Weights


def find_by_fingerprint(database: Sqlite, *fingerprints: str) -> list[str]:
    """Return the hashes of contents with one of these fingerprints of weights, which may be the beginnings of some."""
    tests = " OR ".join(["hash LIKE ?"] * len(fingerprints))
    sql = f"SELECT DISTINCT sha256 FROM weights WHERE kind = 'fingerprints' AND ({tests})"
    return [sha256 for (sha256,) in database.query(sql, [f"{item}%" for item in fingerprints])]


def find_same_weights(database: Sqlite, sha256: str) -> list[str]:
    """Return the hashes of other contents that share a fingerprint of weights with this one."""
    sql = (
        "SELECT DISTINCT b.sha256 FROM weights a JOIN weights b ON b.kind = a.kind AND b.hash = a.hash "
        "WHERE a.kind = 'fingerprints' AND a.sha256 = ? AND b.sha256 <> ?"
    )
    return [other for (other,) in database.query(sql, (sha256, sha256))]


def list_unread(database: Sqlite, least: int, readers: str) -> list[str]:
    """Return the runs with artifacts of at least `least` bytes whose weights these readers never looked for.

    The newest run comes first. `readers` is a hash of the plugins that read weights.
    """
    sql = (
        f"SELECT DISTINCT r.id {_ARTIFACTS} WHERE a.size >= ? AND a.sha256 IS NOT NULL "
        f"AND {_OF_MODELS} AND NOT EXISTS (SELECT 1 FROM weights w WHERE w.sha256 = a.sha256 "
        f"AND (w.kind <> '{NO_WEIGHTS}' OR w.hash = ?)) ORDER BY r.id DESC"
    )
    return [run_id for (run_id,) in database.query(sql, (least, readers))]


def add_without_weights(database: Sqlite, contents: Mapping[str, Sequence[str]], readers: str) -> None:
    """Keep the hashes, by run, of contents in which these readers found no weights, until the run changes."""
    numbers = dict(database.query("SELECT id, n FROM runs"))
    rows = [
        (numbers[run_id], sha256, NO_WEIGHTS, readers)
        for run_id, hashes in contents.items()
        if run_id in numbers
        for sha256 in hashes
    ]
    database.insert("weights", rows)


# Runs that go back to other runs


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
