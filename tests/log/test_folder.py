"""A store's folder, as processes make it and as people copy it."""

import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runlore import Store, open_store
from runlore.log.folder import Folder


def test_a_store_that_is_just_being_made_is_no_foreign_folder(store: Store) -> None:
    """Another process may have made the folder and not yet written its format."""
    (store.root / "runs").mkdir(parents=True)
    open_store(store.root).start_run("first").finish()
    assert len(store.runs()) == 1


def test_a_copied_day_is_not_read_twice(store: Store) -> None:
    """Copies beside the folder of a day were once read as well."""
    store.start_run("once").finish()
    day = next((store.root / "runs").glob("*/*"))
    shutil.copytree(day, day.with_name(day.name + ".bak"))
    shutil.copytree(day, day.with_name("99"))
    assert len(open_store(store.root).runs()) == 1


def test_ten_thousand_writers_stay_in_order(store: Store) -> None:
    """Of the number of a writer, only the first four digits were once read."""
    with store.start_run("many") as run:
        run.log_metrics({"a": 1.0}, step=0)
    (path,) = store.root.rglob("*.run")
    later = path.with_name(path.name.replace(".0000", ".10000"))
    earlier = path.with_name(path.name.replace(".0000", ".9999"))
    for copied in (later, earlier):
        shutil.copy(path, copied)
    assert [item.ordinal for item in store.folder.files_of(run.id)] == [0, 9999, 10000]


def test_a_store_is_made_by_several_threads_at_once(tmp_path: Path) -> None:
    """All but one once found a file of it in the way, and their runs were not recorded."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(40):
            together = threading.Barrier(4)

            def create(root: Path, together: threading.Barrier = together) -> None:
                together.wait()
                Folder(root).create()

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(create, [tmp_path / str(number)] * 4))
    finally:
        sys.setswitchinterval(interval)


def test_files_whose_names_no_writer_gives_hide_no_run(store: Store) -> None:
    """A byte that is no text kept the run out of the table."""
    with store.start_run("once") as run:
        run.log_params({"lr": 1})
    (path,) = (store.root / "runs").rglob("*.run")
    start = os.fsencode(path.parent / run.id)
    longest = 255 - len(os.fsencode(run.id)) - len(b".0001aaaa.log")
    for odd in (b"\xff", b"\n", b" ", "٣".encode(), b"-", b"9" * longest, b"%00", b"\x1b[31m"):
        Path(os.fsdecode(start + b".0001" + odd + b"aaaa.log")).write_bytes(path.read_bytes())
    (path.parent / f"{run.id}.0002aaaa.log").mkdir()
    store.reindex()
    assert [found.params for found in store.runs()] == [{"lr": 1}]
    (path.parent / f"{run.id}.0002aaaa.log").rmdir()
    store.reindex()
    assert not store.run("once").missing
