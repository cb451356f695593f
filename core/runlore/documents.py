"""The JSON documents that `--json` prints. Times are ISO 8601 UTC, non-finite numbers are texts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runlore._text import as_time
from runlore.artifacts.artifact import Artifact
from runlore.log.points import plain_float
from runlore.log.record import Segment
from runlore.log.series import Series
from runlore.log.values import json_value
from runlore.store.details import Note
from runlore.store.runs import RecordedRun
from runlore.store.segments import ParamChange, changed_params

if TYPE_CHECKING:  # no command should wait for the imports of another one
    from runlore.analysis.comparison import Comparison
    from runlore.analysis.importance import Ranking
    from runlore.analysis.row_diff import RowDiff
    from runlore.analysis.scope import LeftOut
    from runlore.analysis.statistics import Statistics
    from runlore.provenance.lineage import Lineage
    from runlore.provenance.origins import Origin
    from runlore.provenance.script import Script
    from runlore.reproduction.plan import Plan
    from runlore.reproduction.reproduce import Redone
    from runlore.reproduction.verdicts import Verdict
    from runlore.store.models import Model
    from runlore.store.versions import ModelChange, ModelVersion


def run_document(run: RecordedRun) -> dict[str, Any]:
    """Return what `ls --json` prints of a run."""
    return {
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "started": iso_time(run.started),
        "ended": None if run.ended is None else iso_time(run.ended),
        "duration_s": run.duration,
        "parent": run.parent_id,
        "params": plain_values(run.params),
        "metrics": {key: series_document(series) for key, series in run.metrics.items()},
        "tags": run.tags,
        "summary": plain_values(run.summary),
    }


def run_details(run: RecordedRun) -> dict[str, Any]:
    """Return what `show --json` prints of a run."""
    from runlore.store.models import versions_of

    return run_document(run) | {
        "captured": sorted(run.captured),
        "command": run.command,
        "environment": {
            section: {key: plain(json_value(value)) for key, value in values.items()}
            for section, values in run.environment.items()
        },
        "data": {name: {key: plain(value) for key, value in facts.items()} for name, facts in run.data.items()},
        "artifacts": [artifact_document(artifact) for artifact in run.artifacts],
        "links": run.links,
        "children": [child.id for child in run.children],
        "error": run.error,
        "notes": [note_document(note) for note in run.notes],
        "missing": run.missing,
        "segments": segment_documents(run.segments),
        "models": [_named(version) for version in versions_of(run.store, [run.id])[run.id]],
    }


def script_document(script: "Script | None") -> dict[str, Any]:
    """Return the script of a run; no path for code that is in no file."""
    if script is None:
        return {"path": None, "text": None, "commit": None, "changed": False, "why": "it ran from no file", "notes": []}
    return {
        "path": script.path,
        "text": script.text,
        "commit": script.commit,
        "changed": script.changed,
        "why": script.why,
        "notes": list(script.notes),
    }


def note_document(note: Note) -> dict[str, Any]:
    """Return a note on a run."""
    edited = None if note.edited is None else iso_time(note.edited)
    return {
        "text": note.text, "time": iso_time(note.time), "user": note.user, "edited": edited, "editor": note.editor,
    }  # fmt: skip


def series_document(series: Series) -> dict[str, Any]:
    """Return the tally of a metric."""
    return {
        "last": plain(series.last),
        "min": plain(series.min),
        "max": plain(series.max),
        "count": series.count,
        "last_step": series.last_step,
    }


def segment_documents(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """Return the segments, from one start or resumption to its end; `changed` are params, by key with both values."""
    changes: list[dict[str, ParamChange]] = [{}, *map(changed_params, segments, segments[1:])]
    return [
        segment_document(segment) | {"changed": {key: list(map(plain, values)) for key, values in changed.items()}}
        for segment, changed in zip(segments, changes, strict=False)
    ]


def segment_document(segment: Segment) -> dict[str, Any]:
    """Return a segment but for what it changed."""
    return {
        "started": iso_time(as_time(segment.started)),
        "ended": None if segment.ended is None else iso_time(as_time(segment.ended)),
        "status": segment.status,
        "from_step": segment.from_step,
        "argv": list(segment.argv),
        "error": segment.error,
    }


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """Return a file or folder of a run."""
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "path": artifact.path,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "stored": artifact.stored,
        "step": artifact.step,
        "epoch": artifact.epoch,
        "roles": list(artifact.roles),
        "present": artifact.present,
        "monitor": artifact.monitor,
        "value": plain(artifact.value),
        "why": artifact.why,
    }


def models_document(models: "Sequence[Model]") -> list[dict[str, Any]]:
    """Return what `model --json` prints: the models of a store in short."""
    return [
        {
            "name": model.name,
            "versions": len(model),
            "aliases": {alias: version.version for alias, version in model.aliases.items()},
            "changed": iso_time(model.history[-1].time),
            "user": model.history[-1].user,
            "damage": model.damage,
        }
        for model in models
    ]


def model_document(model: "Model", most: int | None = None) -> dict[str, Any]:
    """Return what `model NAME --json` prints; at `most` so many of the newest versions."""
    versions = model.versions[-most if most else 0 :]
    runs = {run.id: run for run in model.store.known([version.run_id for version in versions])}
    return {
        "name": model.name,
        "at": None if model.until is None else iso_time(model.until),
        "versions": [_with_run(version, runs.get(version.run_id)) for version in versions],
        "aliases": {alias: version.version for alias, version in model.aliases.items()},
        "history": [change_document(change) for change in model.history],
        "damage": model.damage,
    }


def version_document(version: "ModelVersion") -> dict[str, Any]:
    """Return a version of a model as its record has it."""
    same = {
        key: getattr(version, key)
        for key in ("model", "version", "id", "step", "epoch", "sha256", "size", "user", "host", "note", "reason")
    }
    aliases = list(version.aliases)
    return same | {
        "aliases": aliases, "run": version.run_id, "artifact": version.artifact_name, "added": iso_time(version.added),
        "withdrawn": version.withdrawn,
    }  # fmt: skip


def version_details(version: "ModelVersion") -> dict[str, Any]:
    """Return a version with the data and the code of its run; both are empty, and it has no name, where it is gone."""
    return _with_run(version, next(iter(version.store.known([version.run_id])), None))


def _with_run(version: "ModelVersion", run: RecordedRun | None) -> dict[str, Any]:
    git = {} if run is None else run.environment.get("git", {})
    code = {"commit": git.get("commit"), "dirty": git.get("dirty")} if git.get("commit") else None
    data = {} if run is None else {name: _fingerprint(facts) for name, facts in run.data.items()}
    return version_document(version) | {"run_name": None if run is None else run.name, "code": code, "data": data}


def _fingerprint(facts: Mapping[str, Any]) -> str | None:
    return str(facts["fingerprint"]) if facts.get("fingerprint") else None


def change_document(change: "ModelChange") -> dict[str, Any]:
    """Return a change of a model."""
    same = {
        key: getattr(change, key) for key in ("what", "user", "host", "version", "alias", "before", "text", "reason")
    }
    return {"time": iso_time(change.time), **same, "ended": list(change.ended)}


def comparison_document(found: "Comparison") -> dict[str, Any]:
    """Return what `diff --json` prints."""
    changes = []
    for change in found.changes:
        item = {"group": change.group, "key": change.key, "a": plain(change.a), "b": plain(change.b)}
        rows = {} if change.rows is None else {"rows": rows_document(change.rows)}
        shown = {"diff": change.diff} if change.diff is not None else {"aside": True} if change.aside else {}
        changes.append(item | rows | shown)
    metrics: dict[str, dict[str, Any]] = {}
    for key, (a, b) in found.metrics.items():
        parted = {"parts_at": found.partings[key]} if key in found.partings else {}
        metrics[key] = {"a": plain(a), "b": plain(b), **parted}
    return {"a": found.a.id, "b": found.b.id, "changes": changes, "metrics": metrics, "notes": list(found.notes)}


def rows_document(found: "RowDiff") -> dict[str, Any]:
    """Return what became of the rows of a file; only the text where they are too many to compare."""
    if found.too_large:
        return {"text": found.text}
    counts = {name: getattr(found, name) for name in ("before", "after", "removed", "added", "changed", "reordered")}
    return {"text": found.text, **counts}


def origin_document(origin: "Origin") -> dict[str, Any]:
    """Return what `which-run --json` prints of a run."""
    return {
        "run": origin.run,
        "name": origin.name,
        "relation": origin.relation,
        "artifact": origin.artifact,
        "step": origin.step,
        "epoch": origin.epoch,
        "roles": list(origin.roles),
        "match": origin.match,
        "models": [_named(version) for version in origin.versions],
    }


def _named(version: "ModelVersion") -> dict[str, Any]:
    return {"model": version.model, "version": version.version, "aliases": list(version.aliases)}


def lineage_document(graph: "Lineage") -> dict[str, Any]:
    """Return what `lineage --json` prints."""
    nodes = [
        {"id": node.id, "kind": node.kind, "name": node.name}
        | {key: iso_time(value) if isinstance(value, datetime) else value for key, value in node.facts.items()}
        for node in graph.nodes.values()
    ]
    edges = [{"from": edge.start, "to": edge.end, "relation": edge.relation, "step": edge.step} for edge in graph.edges]
    return {"root": graph.root, "nodes": nodes, "edges": edges, "cut": graph.cut}


def statistics_document(
    found: "Statistics", by: Sequence[str], over: Sequence[str], left_out: "Sequence[LeftOut]" = ()
) -> dict[str, Any]:
    """Return what `stats --json` prints; `left_out` are runs of the query that did not count."""
    groups = []
    for group in found.groups:
        values = {"mean": group.mean, "std": group.deviation}
        interval = None if group.interval is None else list(map(plain, group.interval))
        best = None if group.best is None else {"run": group.best.run, "value": plain(group.best.value)}
        groups.append(
            {"by": dict(zip(by, group.key, strict=True)), "n": group.n, "lacking": group.lacking}
            | {key: plain(value) for key, value in values.items()}
            | {"ci95": interval, "best": best, "runs": [item.run for item in group.runs]}
        )
    document: dict[str, Any] = {"metric": found.metric, "best": found.best, "over": list(over), "groups": groups}
    document |= _left_out(left_out)
    if found.mixed:
        document["mixed"] = list(found.mixed)
    test = found.test
    if test is not None:
        document["test"] = {
            "a": dict(zip(by, test.a, strict=True)), "b": dict(zip(by, test.b, strict=True)), "pairs": test.pairs,
            "difference": plain(test.difference), "t": test.t, "p": test.p,
            "ci95": None if test.interval is None else list(test.interval),
        }  # fmt: skip
    elif found.why_no_test:
        document["why_no_test"] = found.why_no_test
    return document


def importance_document(found: "Ranking", left_out: "Sequence[LeftOut]" = ()) -> dict[str, Any]:
    """Return what the params of runs tell of a metric; `left_out` are runs of the query that did not count."""
    document: dict[str, Any] = {"metric": found.metric, "runs": found.runs, "of": found.of, "beyond": found.beyond}
    document |= {"explained": found.explained, "why": found.why}
    document["params"] = [
        {"field": item.field, "values": item.values, "importance": item.importance, "correlation": item.correlation,
         "alike": list(item.alike)}
        for item in found.params
    ]  # fmt: skip
    return document | _left_out(left_out)


def _left_out(runs: "Sequence[LeftOut]") -> dict[str, Any]:
    told = [{"run": run.id, "name": run.name, "status": run.status} for run in runs]
    return {"left_out": told} if told else {}


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by key as every reader of JSON takes them, see `plain`."""
    return {key: plain_float(value) if value.__class__ is float else value for key, value in values.items()}


def plain(value: Any) -> Any:
    """Return a value that every reader of JSON takes: infinities and NaN become texts."""
    return plain_float(value) if isinstance(value, float) else value


def iso_time(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC with microseconds."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def reproduction_document(
    plan: "Plan", redone: "Redone | None" = None, verdicts: "Sequence[Verdict]" = ()
) -> dict[str, Any]:
    """Return what `reproduce --json` prints: the plan, and the runs and verdicts once it was carried out."""
    from runlore.reproduction.verdicts import overall

    pairs = redone.pairs if redone is not None else ()
    return {
        "run": plan.run.id,
        "folder": str(plan.folder),
        "code": plan.code,
        "environment": plan.environment,
        "differs": plan.differs,
        "data": [{"name": item.name, "path": item.path or None, "state": item.state} for item in plan.data],
        "settings": plan.settings,
        "command": plan.command,
        "cwd": str(plan.cwd),
        "problems": [{"part": item.part, "what": item.what} for item in plan.problems],
        "notes": plan.notes,
        "verdict": overall(verdicts, redone.lacking) if redone is not None else None,
        "runs": [
            {"first": first.id, "again": again.id, **verdict_document(verdict)}
            for (first, again), verdict in zip(pairs, verdicts, strict=True)
        ],
        "lacking": [run.id for run in redone.lacking] if redone is not None else [],
        "exit_status": redone.exit_status if redone is not None else None,
        "others": [run.id for run in redone.others] if redone is not None else [],
    }


def verdict_document(verdict: "Verdict") -> dict[str, Any]:
    """Return how far a repeated run agrees with the first one."""
    return {
        "verdict": verdict.level,
        "tolerance": verdict.tolerance,
        "same": list(verdict.same),
        "deviations": {
            item.key: {
                "largest": plain(item.largest),
                "relative": plain(item.relative),
                "step": item.step,
                "why": item.why,
            }
            for item in verdict.deviations
        },
        "files": [
            {"name": item.name, "kind": item.kind, "same": item.same, "by": item.by, "why": item.why}
            for item in verdict.files
        ],
        "reasons": list(verdict.reasons),
    }
