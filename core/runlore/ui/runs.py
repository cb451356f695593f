"""Endpoints for single runs: details, comparison, lineage, and the runs of a file."""

import re
from typing import Any

from runlore.analysis.comparison import ASIDE, GROUPS, compare
from runlore.analysis.ranking import by_use
from runlore.documents import (
    comparison_document,
    iso_time,
    lineage_document,
    origin_document,
    plain,
    run_details,
    script_document,
)
from runlore.provenance.hashing import complete_run
from runlore.provenance.lineage import lineage
from runlore.provenance.origins import Target, which_run
from runlore.provenance.script import script_of
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused, exact
from runlore.ui.files import OUTPUT_NAME, has_content

MAX_COMPARED = 10  # runs
MAX_CHILDREN = 200  # of a run that are listed
MAX_MEMBERS = 200  # files of a folder that are listed
SHA256 = re.compile(r"[0-9a-f]{6,64}")  # or its beginning
RUNS = Parameter(
    "runs", "texts", "runs by id; the others are compared with the first", required=True, most=MAX_COMPARED
)


def details(store: Store, run: str) -> dict[str, Any]:
    """Return everything about a run as `runlore show --json` does, and what only the page needs."""
    found = complete_run(store.run(run))
    children = found.children
    document = run_details(found)
    for place, (item, artifact) in enumerate(zip(document["artifacts"], found.artifacts, strict=True)):
        item |= {"position": place, "folder": artifact.is_folder, "available": has_content(found, artifact)}
        item["members"] = [{"path": member.path, "size": member.size} for member in artifact.members[:MAX_MEMBERS]]
    others = [found.parent_id or "", *(str(link["run"]) for link in document["links"])]
    names = {other.id: other.name for other in store.known(others)}
    for link in document["links"]:
        link["name"] = names.get(str(link["run"]))
    return document | {
        "params": {key: exact(value) for key, value in by_use(document["params"], found.captured).items()},
        "parent_name": names.get(found.parent_id or ""),
        "children": [
            {"id": child.id, "name": child.name, "status": child.status, "started": iso_time(child.started),
             "params": {key: plain(value) for key, value in by_use(child.params, child.captured).items()},
             "metrics": {key: plain(series.last) for key, series in child.metrics.items()}}
            for child in children[:MAX_CHILDREN]
        ],
        "children_count": len(children),
        "has_output": any(item.name == OUTPUT_NAME for item in found.artifacts),
    }  # fmt: skip


def source(store: Store, run: str) -> dict[str, Any]:
    """Return the source of a run's script as `runlore show --source --json` does."""
    return script_document(script_of(store.run(run)))


def comparison(store: Store, runs: list[str]) -> dict[str, Any]:
    """Return the differences between the first run and each of the others."""
    if len(runs) > MAX_COMPARED:  # of a view that is sent, too
        raise Refused(f"runs names {len(runs)}: at most {MAX_COMPARED} are compared")
    found = [store.run(part) for part in dict.fromkeys(runs)]
    if len(found) < 2:
        raise Refused(f"runs names {len(found)}: name at least two to compare")
    first, *others = found
    documents = [comparison_document(compare(first, other)) for other in others]
    rows: dict[tuple[str, str], list[Any]] = {}
    telling = {(item["group"], item["key"]) for one in documents for item in one["changes"] if not item.get("aside")}
    for place, document in enumerate(documents, 1):
        for change in document["changes"]:
            line = rows.setdefault((change["group"], change["key"]), [exact(change["a"])] * len(found))
            line[place] = exact(change["b"])
    return {
        "runs": [_short(run) for run in found],
        "rows": [
            {"group": group if (group, key) in telling else ASIDE, "key": key, "values": values}
            for (group, key), values in sorted(
                rows.items(), key=lambda row: GROUPS.index(row[0][0]) if row[0] in telling else len(GROUPS)
            )
        ],
        "pairs": documents,
    }


def _short(run: RecordedRun) -> dict[str, Any]:
    """Return the facts of a run that stand above a comparison, and its metrics."""
    metrics = {
        key: {name: plain(getattr(series, name)) for name in ("last", "min", "max", "count")}
        for key, series in run.metrics.items()
    }
    return {
        "id": run.id, "name": run.name, "status": run.status, "started": iso_time(run.started),
        "duration_s": run.duration, "metrics": metrics,
    }  # fmt: skip


def tree(store: Store, target: str) -> dict[str, Any]:
    """Return the lineage of a run or of a content; files outside of the store are not read."""
    if not (SHA256.fullmatch(target) or target.isalnum()):
        raise Refused(f"{target!r} is neither a run's id nor a sha256")
    return lineage_document(lineage(store, Target(target, None) if SHA256.fullmatch(target) else store.run(target)))


def origins(store: Store, sha256: str) -> dict[str, Any]:
    """Return the runs that wrote or read the content with a hash."""
    if not SHA256.fullmatch(sha256):
        raise Refused(f"{sha256!r} is no sha256: it has 6 to 64 digits of 0-9 and a-f")
    found = which_run(store, Target(sha256, None))
    return {
        "sha256": found.sha256,
        "found": [origin_document(item) for item in found.found],
        "hints": list(found.hints),
    }


ENDPOINTS = [
    Endpoint("/api/runs/{run}", "Everything about a run, as `runlore show --json`", details),
    Endpoint("/api/runs/{run}/source", "The source of a run's script, as it ran", source),
    Endpoint("/api/compare", "The differences between runs, as `runlore diff`", comparison, [RUNS]),
    Endpoint(
        "/api/lineage", "The origins and the descendants of a run or a file, as `runlore lineage`", tree,
        [Parameter("target", "text", "a run's id, or a sha256", required=True)],
    ),
    Endpoint(
        "/api/which-run", "The runs that wrote or read a file", origins,
        [Parameter("sha256", "text", "of its content: 6 to 64 digits", required=True)],
    ),
]  # fmt: skip
