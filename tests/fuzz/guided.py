"""Fuzz the readers of logs and of sealed files, guided by coverage: `python -m tests.fuzz.guided FOLDER [SECONDS]`.

Needs atheris, which `make fuzz` does without where it is not installed. FOLDER keeps the inputs that reached new
lines; the golden files are put into an empty one.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

atheris: Any = import_module("atheris")  # which has no types

with atheris.instrument_imports(include=["runlore.log"]):
    from runlore.errors import FormatError
    from runlore.log.columns import unpack, unpack_numpy
    from runlore.log.reader import read_log, read_sealed
    from runlore.log.record import Writers, build_record

from runlore.log.folder import Folder  # noqa: E402  # behind what is instrumented
from tests.fuzz.test_bytes import seeds, with_checksums  # noqa: E402

RUN = "1k0y6jjmbgczh9zsa7c"


def read(data: bytes, folder: Path) -> None:
    """Read bytes as a log and as a sealed file, each with its checksums put right."""
    for suffix, reader in (("log", read_log), ("run", read_sealed)):
        path = folder / f"{RUN}.0000aaaa.{suffix}"
        path.write_bytes(with_checksums(data))
        try:
            content = reader(path, 0)
        except FormatError:
            continue
        writers = Writers([content], [])
        tallies = writers.tallies()
        for unpacking in (unpack, unpack_numpy):
            for points in content.points(tallies.keys(), unpacking):
                assert len(points.step) == len(points.value)
        build_record(Folder(folder), RUN, writers).missing(writers)


def main() -> None:
    """Fuzz until time is up or an input fails, which atheris then writes to the working directory."""
    corpus, seconds = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "600"
    corpus.mkdir(parents=True, exist_ok=True)
    for place, path in enumerate(seeds() if not any(corpus.iterdir()) else ()):
        (corpus / f"golden-{place}").write_bytes(path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={seconds}",
                "-max_len=16384",
                "-timeout=10",
                "-rss_limit_mb=2048",
                str(corpus),
            ],
            lambda data: read(data, Path(folder)),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
