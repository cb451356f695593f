"""Files as the page sends them: the recorded content or none, and the very file that was looked at."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from runlore import Store
from runlore._ids import id_day, new_run_id
from runlore.errors import ArtifactNotFound
from runlore.ui.files import MAX_INDENTED, MAX_TEXT_BYTES, content, preview
from tests.forged import ForgedStore
from tests.process import Process

LOOK = """
import json, sys
from runlore import open_store
from runlore.ui.endpoints import dump
from runlore.ui.files import preview
store = open_store(sys.argv[1])
(run,) = store.runs()
told = {}
for place, item in enumerate(run.artifacts):
    found = preview(store, run.id, str(place), "", whole=True)
    dump(found)
    told[item.name] = found["count"], len(found["rows"])
with open("/proc/self/status") as status:
    told["bytes"] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
print(json.dumps(told))
"""


def sent(response: Response, **headers: str) -> bytes:
    """Return the body that a response sends."""
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        parts.append(message.get("body", b""))

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "headers": given, "asgi": {"spec_version": "2.4"}}
    with ThreadPoolExecutor(1) as thread:  # the browser's loop may run on this one
        thread.submit(asyncio.run, response(scope, receive, send)).result()
    return b"".join(parts)


@pytest.fixture
def blob(store: Store, tmp_path: Path) -> Path:
    """The content of the file `w.txt` of the run `kept`."""
    (tmp_path / "w.txt").write_text("recorded")
    with store.start_run("kept") as run:
        run.log_artifact(tmp_path / "w.txt")
    sha256 = hashlib.sha256(b"recorded").hexdigest()
    return store.folder.blobs / sha256[:2] / sha256


def test_a_file_is_sent_whole_and_in_parts(store: Store, blob: Path) -> None:
    place = str(next(at for at, item in enumerate(store.run("kept").artifacts) if item.name == "w.txt"))
    assert sent(content(store, "kept", place, "")) == b"recorded"
    assert sent(content(store, "kept", place, ""), range="bytes=2-4") == b"cor"
    assert preview(store, "kept", place, "")["text"] == "recorded"
    response = content(store, "kept", place, "")
    blob.unlink()
    blob.write_text("replaced")  # meanwhile
    assert sent(response) == b"recorded"


@pytest.mark.parametrize("change", ["other content", "a link", "a linked folder", "gone"])
def test_what_is_not_the_recorded_content_is_not_sent(store: Store, blob: Path, tmp_path: Path, change: str) -> None:
    place = str(next(at for at, item in enumerate(store.run("kept").artifacts) if item.name == "w.txt"))
    assert preview(store, "kept", place, "")["text"] == "recorded"
    if change == "a linked folder":
        blob.parent.symlink_to(blob.parent.rename(tmp_path / "aside"))
    else:
        blob.unlink()
    if change == "other content":
        blob.write_text("swapped!")
    if change == "a link":
        blob.symlink_to(tmp_path / "w.txt")
    for ask in (content, preview):
        with pytest.raises(ArtifactNotFound):
            ask(store, "kept", place, "")


@pytest.mark.parametrize("ask", [content, preview])
@pytest.mark.parametrize("where", ["blob", "output"])
def test_a_content_of_holes_is_refused_before_it_is_read(tmp_path: Path, ask: Any, where: str) -> None:
    forged = ForgedStore(tmp_path / "store")
    sha256, size = hashlib.sha256(b"what nobody can find").hexdigest(), 64 << 30
    blob = forged.root / "blobs" / sha256[:2] / sha256
    run = new_run_id(1_700_000_000_000_000)
    output = forged.root / "runs" / id_day(run) / f"{run}.0000.out"
    told = {"type": "artifact", "name": "w", "kind": "file", "path": str(output), "size": size}
    forged.run([told | ({"sha256": sha256, "stored": True} if where == "blob" else {})], name="big", run=run)
    place = blob if where == "blob" else output
    place.parent.mkdir(exist_ok=True)
    with place.open("wb") as file:
        file.truncate(size)
    began = time.process_time()
    with pytest.raises(ArtifactNotFound, match="most of them holes"):
        ask(Store(forged.root), "big", "0", "")
    assert time.process_time() - began < 1


def test_indents_make_no_long_text_of_a_short_one(tmp_path: Path) -> None:
    forged = ForgedStore(tmp_path / "s")
    for depth, most in ((2, MAX_INDENTED), (800, MAX_TEXT_BYTES)):
        text = "[" * depth + "0," * (MAX_TEXT_BYTES // 4) + "0" + "]" * depth
        sha256 = forged.blob(text.encode())
        run = forged.run([{"type": "artifact", "name": "a.json", "kind": "file", "sha256": sha256, "stored": True}])
        found = preview(Store(forged.root), run, "0", "")
        assert (found["kind"], found["text"].count("0")) == ("json", MAX_TEXT_BYTES // 4 + 1)
        assert len(found["text"]) <= most
        assert ("\n" in found["text"]) is (depth == 2)


def test_a_table_of_many_short_rows_takes_little_memory(tmp_path: Path, python: Callable[..., Process]) -> None:
    files = {"rows.csv": b"a\n" * (8 << 20), "rows.json": b'{"columns":["a"],"rows":[' + b"[]," * 5_000_000 + b"[]]}"}
    forged = ForgedStore(tmp_path)
    told = [(name, len(data), forged.blob(data)) for name, data in files.items()]
    facts = {"type": "artifact", "kind": "table", "stored": True, "step": None, "epoch": None, "roles": []}
    forged.run([facts | {"name": name, "path": name, "size": size, "sha256": sha} for name, size, sha in told])
    found = json.loads(python(LOOK, str(tmp_path)).succeed())
    assert found.pop("bytes") < 800 << 20
    assert found == {"rows.csv": [(8 << 20) - 1, 2_000_000], "rows.json": [5_000_001, 2_000_000]}
