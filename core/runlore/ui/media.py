"""Endpoints for media by step, of one or several runs."""

from typing import Any

from runlore.artifacts.artifact import Artifact
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter
from runlore.ui.files import source_of

MAX_RUNS = 10  # of one answer
MAX_STEPS = 1000  # of a key of a run; of more the last is listed, and others at equal distances
MAX_ITEMS = 100  # of a step


def media(store: Store, runs: list[str]) -> dict[str, Any]:
    """Return the media of runs by key: of each run what it logged, in the order of steps."""
    keys: dict[str, dict[str, Any]] = {}
    found = [store.run(part) for part in dict.fromkeys(runs)]
    for run in found:
        logged: dict[str, list[tuple[int, Artifact]]] = {}
        for position, artifact in enumerate(run.artifacts):
            if artifact.media and source_of(run, artifact) is not None:
                logged.setdefault(artifact.media, []).append((position, artifact))
        for key, items in logged.items():
            items.sort(key=lambda item: -1 if item[1].step is None else item[1].step)
            known = keys.setdefault(key, {"key": key, "kind": items[-1][1].kind, "runs": {}})
            known["runs"][run.id] = [_described(position, artifact) for position, artifact in _some(items)]
    return {
        "runs": [{"id": run.id, "name": run.name, "status": run.status} for run in found],
        "keys": [keys[key] for key in sorted(keys)],
    }


def _some(items: list[tuple[int, Artifact]]) -> list[tuple[int, Artifact]]:
    count = len(items)
    if count <= MAX_STEPS:
        return items
    return [items[place * (count - 1) // (MAX_STEPS - 1)] for place in range(MAX_STEPS)]


def _described(position: int, artifact: Artifact) -> dict[str, Any]:
    return {
        "position": position,
        "step": artifact.step,
        "kind": artifact.kind,
        "name": artifact.name,
        "members": [member.path for member in artifact.members[:MAX_ITEMS]],
        "captions": list(artifact.captions[:MAX_ITEMS]),
    }


ENDPOINTS = [
    Endpoint(
        "/api/media", "Images, tables, histograms and the like of runs, by key and step", media,
        [Parameter("runs", "texts", "runs by id", required=True, most=MAX_RUNS)],
    ),
]  # fmt: skip
