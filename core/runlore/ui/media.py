"""Endpoints for media by step, of one or several runs."""

from typing import Any

from runlore.artifacts.artifact import Artifact
from runlore.store.runs import RecordedRun
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter
from runlore.ui.files import has_content

MAX_RUNS = 10  # of one answer
MAX_KEYS = 200  # of one answer; `find` reaches the others
MAX_STEPS = 1000  # of a key of a run; of more the last is listed, and others at equal distances
MAX_ITEMS = 100  # of a step


def media(store: Store, runs: list[str], find: str) -> dict[str, Any]:
    """Return the media of runs by key: of each run what it logged, in the order of steps."""
    found = [store.run(part) for part in dict.fromkeys(runs)]
    logged = {run.id: _by_key(run) for run in found}
    names = sorted({key for items in logged.values() for key in items})
    fitting = [key for key in names if _may_fit(key, find)]
    keys = []
    for key in fitting[:MAX_KEYS]:
        items = {run_id: by_key[key] for run_id, by_key in logged.items() if key in by_key}
        newest = next(iter(items.values()))[-1][1]
        described = {run_id: [_described(*item) for item in _some(of_run)] for run_id, of_run in items.items()}
        keys.append({"key": key, "kind": newest.kind, "runs": described})
    return {
        "runs": [{"id": run.id, "name": run.name, "status": run.status} for run in found],
        "keys": keys,
        "left_out": len(fitting) - len(keys),
    }


def _by_key(run: RecordedRun) -> dict[str, list[tuple[int, Artifact]]]:
    """Return the media of a run by key, in the order of steps, each with its place among the artifacts."""
    logged: dict[str, list[tuple[int, Artifact]]] = {}
    for position, artifact in enumerate(run.artifacts):
        if artifact.media and has_content(run, artifact):
            logged.setdefault(artifact.media, []).append((position, artifact))
    for items in logged.values():
        items.sort(key=lambda item: -1 if item[1].step is None else item[1].step)
    return logged


def _may_fit(key: str, find: str) -> bool:
    """Return False for a key that lacks a part of what somebody typed; the page itself compares all of it."""
    is_pattern = find.strip().startswith("/")
    return is_pattern or all(part in key.lower() for part in find.lower().replace("*", " ").split())


def _some(items: list[tuple[int, Artifact]]) -> list[tuple[int, Artifact]]:
    count = len(items)
    if count <= MAX_STEPS:
        return items
    return [items[place * (count - 1) // (MAX_STEPS - 1)] for place in range(MAX_STEPS)]


def _described(position: int, artifact: Artifact) -> dict[str, Any]:
    return {
        "position": position,
        "step": artifact.step,
        "epoch": artifact.epoch,
        "kind": artifact.kind,
        "name": artifact.name,
        "members": [member.path for member in artifact.members[:MAX_ITEMS]],
        "captions": list(artifact.captions[:MAX_ITEMS]),
    }


ENDPOINTS = [
    Endpoint(
        "/api/media", "Images, tables, histograms and the like of runs, by key and step", media,
        [
            Parameter("runs", "texts", "runs by id", required=True, most=MAX_RUNS),
            Parameter("find", "text", "words that the keys hold, or a /regex/ that is not looked at", ""),
        ],
    ),
]  # fmt: skip
