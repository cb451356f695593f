"""Sizes of pictures as their files tell them, and pictures that are too large to be decoded."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import runlore
from runlore import Store
from runlore.media.dimensions import dimensions_of

FORMATS = [("PNG", {}), ("GIF", {}), ("BMP", {}), ("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}),
           ("WEBP", {"exif": b"Exif\0\0" + b"x" * 100}), ("JPEG", {"comment": b"<script>" * 8000})]  # fmt: skip


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that says it has very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_a_size_is_that_of_pillow(kind: str, options: dict[str, object]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (37, 21), "red").save(file, kind, **options)
    file.seek(0)
    assert dimensions_of(file) == (37, 21)


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF1234WEBPVP8X"]),
)
def test_no_bytes_end_the_reader(data: bytes, start: bytes) -> None:
    width, height = dimensions_of(io.BytesIO(start + data))
    assert min(width, height) >= 0


@pytest.mark.parametrize("as_file", [True, False])
def test_a_bomb_is_named_and_training_goes_on(store: Store, as_file: bool) -> None:
    content = bomb()
    path = store.root.parent / "bomb.png"
    path.write_bytes(content)
    with (
        store.start_run("bad") as run,
        pytest.warns(runlore.RunloreWarning, match="60,000 × 60,000 pixels is too large"),
    ):
        run.log_media("x", path if as_file else content)
        run.log_metrics({"loss": 1.0})
    found = store.run(run.id)
    assert [item["what"] for item in found.missing] == ["media x"]
    assert found.metrics["loss"].last == 1.0
