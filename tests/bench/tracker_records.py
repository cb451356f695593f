"""What a tracker has on record: counts, and which of some things there are, read from its own files.

Executed by `tests.bench.trackers` as a program, with the tool, the folder that it wrote to and the trackers' packages.
"""

import json
import sqlite3
import struct
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

SEARCHED = {"best": "best", "importances": "importance", "stopped": "stopped"}  # what tells of them by its name
OWN = ("_", "system/", "mlflow.", "sys/")  # beginnings of what tools measure or note by themselves
HEAD, BLOCK, FULL, LAST = 7, 1 << 15, 1, 4  # of W&B's files: sizes in bytes, and kinds of parts of a record


def found_in(names: Iterable[str]) -> dict[str, str]:
    """Return which of the things that are searched for some names tell of."""
    known = [name.lower() for name in names]
    return {column: "yes" if any(word in name for name in known) else "no" for column, word in SEARCHED.items()}


def result(runs: int, params: int, points: dict[str, int], names: Iterable[str], **more: bool) -> dict[str, Any]:
    told = {name: count for name, count in points.items() if not name.startswith(OWN)}
    shown = f"{sum(told.values())} of {len(told)} keys"
    found = {"runs": runs, "params": params, "points": shown, **found_in([*names, *told])}
    return found | {name: "yes" if is_there else "no" for name, is_there in more.items()}


def of_runlore(folder: Path) -> dict[str, Any]:
    import runlore

    runs = list(runlore.open_store(folder / "runlore").runs())
    points: dict[str, int] = {}
    for run in runs:
        for key, series in run.metrics.items():
            points[key] = points.get(key, 0) + len(series)
    names = {name for run in runs for name in [*run.params, *run.tags, *run.summary, *(a.name for a in run.artifacts)]}
    kinds = {artifact.kind for run in runs for artifact in run.artifacts}
    return result(
        len(runs), len({name for run in runs for name in run.params}), points, names,
        model=bool(kinds & {"model", "checkpoint"}), data=any(run.data for run in runs),
    )  # fmt: skip


def of_mlflow(folder: Path) -> dict[str, Any]:
    database = sqlite3.connect(folder / "mlflow.db")

    def column(query: str) -> list[Any]:
        return [row[0] for row in database.execute(query)]

    points = dict(database.execute("SELECT key, count(*) FROM metrics GROUP BY key").fetchall())
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "mlruns" in path.parts]
    models = column("SELECT model_id FROM logged_models")
    tags = [name for name in column("SELECT DISTINCT key FROM tags") if not name.startswith("mlflow.")]
    params = column("SELECT DISTINCT key FROM params")
    return result(
        len(column("SELECT run_uuid FROM runs")), len(params), points, [*params, *tags, *files],
        model=bool(models), data=bool(column("SELECT dataset_uuid FROM datasets")),
    )  # fmt: skip


def of_wandb(folder: Path) -> dict[str, Any]:
    wandb_internal_pb2: Any = import_module("wandb.proto.wandb_internal_pb2")
    params: set[str] = set()
    points: dict[str, int] = {}
    names: set[str] = set()
    kinds: set[str] = set()
    logs = list(folder.rglob("*.wandb"))
    for payload in (payload for log in logs for payload in payloads(log.read_bytes())):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(payload)
        params |= {key_of(item) for item in [*record.run.config.update, *record.config.update]}
        numbers = [item for item in record.history.item if type(json.loads(item.value_json)) in (int, float)]
        for key in map(key_of, numbers):
            points[key] = points.get(key, 0) + 1
        names |= {key_of(item) for item in record.summary.update} | {item.path for item in record.files.files}
        if record.HasField("request") and record.request.HasField("log_artifact"):
            record.artifact.CopyFrom(record.request.log_artifact.artifact)
        if record.HasField("artifact"):
            names.add(record.artifact.name)
            kinds.add(record.artifact.type)
    params = {name for name in params if not name.startswith("_")}
    return result(len(logs), len(params), points, [*names, *params], model="model" in kinds, data="dataset" in kinds)


def key_of(item: Any) -> str:
    return item.key or "/".join(item.nested_key)


def payloads(content: bytes) -> Iterator[bytes]:
    """Yield the records of a file of W&B: LevelDB's log format, behind a head of seven bytes."""
    place, record = HEAD, b""
    while place + HEAD <= len(content):
        left = BLOCK - place % BLOCK
        if left < HEAD:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        record += content[place + HEAD : place + HEAD + length]
        place += HEAD + length
        if kind in (FULL, LAST):
            yield record
            record = b""


def of_trackio(folder: Path) -> dict[str, Any]:
    params: set[str] = set()
    points: dict[str, int] = {}
    runs: set[str] = set()
    for path in folder.rglob("*.db"):
        database = sqlite3.connect(path)
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if "metrics" in tables:
            for run, text in database.execute("SELECT run_name, metrics FROM metrics"):
                runs.add(run)
                for key in json.loads(text):
                    points[key] = points.get(key, 0) + 1
        if "configs" in tables:
            for (text,) in database.execute("SELECT config FROM configs"):
                params |= {name for name in json.loads(text) if not name.startswith("_")}
    return result(len(runs), len(params), points, params, model=False, data=False)


def main() -> None:
    tool, folder, trackers = sys.argv[1:]
    sys.path.append(trackers)
    print(json.dumps(globals()[f"of_{tool}"](Path(folder))))


if __name__ == "__main__":
    main()
