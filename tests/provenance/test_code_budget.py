"""The code of a record, read within a budget."""

import os
from pathlib import Path

import pytest

from runlore import Store
from runlore.provenance.source import code_of


@pytest.mark.parametrize("content", ["changed", "hollow"])
def test_code_whose_content_is_another_is_told_and_not_read(store: Store, tmp_path: Path, content: str) -> None:
    (tmp_path / "train.py").write_text("import runlore\n")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "train.py", name="source", kind="code")
    code = code_of(store.run("a"))
    assert (code.notes, code.of("source")) == ([], {"source": b"import runlore\n"})
    blob = store.folder.blobs / (sha256 := str(store.run("a").artifact("source").sha256))[:2] / sha256
    blob.chmod(0o600)
    blob.write_bytes(b"import another\n")
    os.truncate(blob, 15 if content == "changed" else 64 << 30)
    code = code_of(store.run("a"))
    assert code.of("source") == {}
    assert code.notes == ["the code of a is not fully known: 1 file of 'source': damaged, or larger than 64 MiB in all"]
