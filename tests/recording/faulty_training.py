"""A training that calls every public entry of recording while things fail; run as a script by `test_faults`.

Prints the entries that it calls; ends with an error, and with what made it, where an entry raised.
"""

import errno
import os
import pickle
import resource
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runlore

HELD = resource.getrlimit(resource.RLIMIT_NOFILE)
SIZE = resource.getrlimit(resource.RLIMIT_FSIZE)
WATCHED = {
    "_thread.start_new_thread", "fcntl.flock", "open", "os.chmod", "os.link", "os.listdir", "os.mkdir",
    "os.remove", "os.rename", "os.scandir", "os.truncate", "os.utime", "subprocess.Popen",
}  # fmt: skip  # audit events, by which every such call of this process can be made to fail
ERRORS = ("EACCES", "EIO", "ENOSPC", "EMFILE", "EROFS", "ENOENT", "ESTALE", "EPERM")


class Odd:
    """An object that nobody may look at."""

    def _fail(self, *arguments: object) -> Any:
        raise OverflowError("nobody may look at me")

    __str__ = __repr__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __hash__ = __eq__ = __bool__ = _fail
    __array__ = __reduce_ex__ = __fspath__ = __format__ = item = tolist = _fail


class Training:
    """Calls the entries; each method is named like one, with what is odd about it behind two underscores."""

    def __init__(self) -> None:
        self.kept, self.folder = Path.cwd() / "kept.bin", Path.cwd() / "folder"
        self.odd: Any = Odd()
        self.kept.write_bytes(b"x" * 300_000)
        self.folder.mkdir()
        (self.folder / "a.txt").write_text("a")
        self.start_run()

    def start_run(self) -> None:
        self.run = runlore.start_run("trained", params={"lr": 0.1}, tags={"kind": "small"})

    def start_run__resumed(self) -> None:
        self.run = runlore.start_run("trained", resume="allow")

    def group(self) -> None:
        with runlore.group("folds"):
            runlore.start_run("fold").finish()

    def start_run__child(self) -> None:
        runlore.start_run("child", parent=self.run).finish()

    def start_run__odd(self) -> None:
        runlore.start_run(self.odd, experiment=self.odd, params={"a": self.odd}, tags={"a": self.odd}).finish()

    def as_parent(self) -> None:
        with runlore.start_run("block") as run, run.as_parent():
            runlore.log_metrics({"x": 1})
            runlore.log_params({"x": 1})
            runlore.set_tags({"x": 1})
            runlore.log_artifact(self.kept)
            runlore.log_media("x", "a text")
            runlore.log_table("x", {"a": [1]})
            runlore.log_histogram("x", [1.0])
            runlore.current_run()

    def autolog(self) -> None:
        with runlore.autolog("sklearn"):
            pass

    def log_metrics(self) -> None:
        self.run.log_metrics({"loss": 1.0, "acc": {"top": 0.5}}, step=1, epoch=0.5, split="val")

    def log_metrics__odd(self) -> None:
        self.run.log_metrics({"loss": self.odd, "ok": 1}, step=self.odd, epoch=self.odd, split=self.odd)

    def log_metrics__forked(self) -> None:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.run.log_metrics({"y": 1})
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0, "the child has failed"

    def log_metrics__sent(self) -> None:
        pickle.loads(pickle.dumps(self.run)).log_metrics({"z": 1})

    def log_params(self) -> None:
        self.run.log_params({"a": {"b": 1, "c": self.odd}, "d": [self.odd], 3: None})

    def log_summary(self) -> None:
        self.run.log_summary({"best": 1.0, "odd": self.odd})

    def set_tags(self) -> None:
        self.run.set_tags({"a": 1, "b": self.odd})

    def note(self) -> None:
        self.run.note("it went well")

    def note__odd(self) -> None:
        self.run.note(self.odd)

    def log_artifact(self) -> None:
        self.run.log_artifact(self.kept)

    def log_artifact__odd(self) -> None:
        self.run.log_artifact(self.kept, kind=self.odd, name=self.odd, step=self.odd, epoch=self.odd)

    def log_artifact__folder(self) -> None:
        self.run.log_artifact(self.folder)

    def log_artifact__unkept(self) -> None:
        self.run.log_artifact(self.kept, keep=False)

    def log_artifact__model(self) -> None:
        self.run.log_artifact(self.kept, model="digits@best")

    def log_artifact__odd_model(self) -> None:
        self.run.log_artifact(self.kept, model=self.odd)

    def log_media(self) -> None:
        self.run.log_media("image", np.eye(8), step=1, caption="eye")

    def log_media__odd(self) -> None:
        self.run.log_media(self.odd, self.odd, step=self.odd, epoch=self.odd, caption=self.odd, kind=self.odd)

    def log_media__file(self) -> None:
        self.run.log_media("kept", self.kept)

    def log_table(self) -> None:
        self.run.log_table("table", [{"a": 1, "b": self.odd}])

    def log_table__odd(self) -> None:
        self.run.log_table(self.odd, self.odd, step=self.odd)

    def log_histogram(self) -> None:
        self.run.log_histogram("weights", [1.0, 2.0])

    def log_histogram__odd(self) -> None:
        self.run.log_histogram(self.odd, self.odd, bins=self.odd)

    def log_confusion_matrix(self) -> None:
        self.run.log_confusion_matrix("confusion", [0, 1], [self.odd, 1], labels=self.odd)

    def log_roc_curve(self) -> None:
        self.run.log_roc_curve("roc", [0, 1], [self.odd, 1])

    def log_pr_curve(self) -> None:
        self.run.log_pr_curve("pr", [0, 1], [0.1, 0.9], labels=self.odd)

    def log_curves(self) -> None:
        self.run.log_curves("calibration", {"a": ([0.0, self.odd], [0.0, 1.0])}, x=self.odd)

    def log_curves__odd(self) -> None:
        self.run.log_curves(self.odd, self.odd, y=self.odd)

    def settle_media(self) -> None:
        self.run.settle_media()

    def log_data(self) -> None:
        self.run.log_data("rows", [[1, 2], [3, 4]], source=self.odd)

    def log_data__odd(self) -> None:
        self.run.log_data(self.odd, self.odd)

    def log_missing(self) -> None:
        self.run.log_missing("a thing", "it is gone")

    def log_missing__odd(self) -> None:
        self.run.log_missing(self.odd, self.odd)

    def link(self) -> None:
        self.run.link("started_from", self.run.id, step=3)

    def link__odd(self) -> None:
        self.run.link(self.odd, self.odd, step=self.odd, sha256=self.odd)

    def finish(self) -> None:
        self.run.finish()

    def finish__odd(self) -> None:
        self.run.finish(self.odd, self.odd)


ENTRIES = [name for name in vars(Training) if not name.startswith("_")]


class Fault:
    """The call of the system that shall fail next: the n-th from now, and all after it if it `stays`."""

    left, number, stays = -1, 0, False

    @classmethod
    def hook(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if cls.left < 0 or event not in WATCHED:
            return
        cls.left -= 1
        if cls.left == 0 or (cls.left < 0 and cls.stays):
            cls.left = 0 if cls.stays else -1
            if event == "_thread.start_new_thread":
                raise RuntimeError("can't start new thread")
            raise OSError(cls.number, os.strerror(cls.number), *arguments[:1])


@contextmanager
def failing_calls(count: int, name: str, stays: bool) -> Iterator[None]:
    """Let the call of the system fail that is `count` calls away."""
    Fault.number, Fault.stays, Fault.left = getattr(errno, name), stays, count
    try:
        yield
    finally:
        Fault.left = -1


@contextmanager
def few_descriptors(free: int) -> Iterator[None]:
    """Leave so many descriptors free."""
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1 + free, HELD[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, HELD)
        os.close(taken[0])


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, SIZE[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, SIZE)


@contextmanager
def another_store(kind: str) -> Iterator[None]:
    """Remove the store, or put something else in its place."""
    store = Path(os.environ["RUNLORE_STORE"])
    other, away = store.with_name("other"), store.with_name("away")
    if kind == "file":
        other.write_text("no store")
    elif kind == "loop":
        other.symlink_to(store)
    elif kind == "strange":
        other.mkdir()
        (other / "format").write_bytes(b"\xff\xfe\n")
    elif kind == "blocked":
        other.mkdir()
        (other / ".gitignore").mkdir()
        for name in ("runs", "blobs", "marks"):
            (other / name).write_text("")
    store.rename(away)
    if kind != "removed":
        put(other, store)
    try:
        yield
    finally:
        put(away, store)


def put(source: Path, target: Path) -> None:
    """Move something to a place; what a thread of a run has made there is put aside."""
    while os.path.lexists(source):
        with suppress(OSError):
            if os.path.lexists(target):
                target.rename(target.with_name(os.urandom(8).hex()))
            source.rename(target)


@contextmanager
def no_folder() -> Iterator[None]:
    """Remove the working folder."""
    place = Path.cwd()
    gone = place / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        yield
    finally:
        os.chdir(place)


FAULTS: list[st.SearchStrategy[Callable[[], Any]]] = [
    st.builds(
        lambda *arguments: lambda: failing_calls(*arguments),
        st.integers(1, 30), st.sampled_from(ERRORS), st.booleans(),
    ),
    st.integers(0, 12).map(lambda free: lambda: few_descriptors(free)),
    st.sampled_from([0, 1, 100, 1000, 5000]).map(lambda most: lambda: small_files(most)),
    st.sampled_from(["removed", "file", "loop", "strange", "blocked"]).map(lambda kind: lambda: another_store(kind)),
    st.just(no_folder),
]  # fmt: skip


def main(examples: int) -> None:
    """Try examples; then a run without faults must be whole."""
    os.environ["RUNLORE_QUIET"] = "1"
    warnings.simplefilter("ignore")
    training = Training()
    for name in ENTRIES:
        getattr(training, name)()
    sys.addaudithook(Fault.hook)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(ENTRIES), st.one_of(FAULTS))
    def no_fault_raises(entry: str, fault: Callable[[], Any]) -> None:
        if training.run.ended:
            training.start_run()
        with fault():
            getattr(training, entry)()

    no_fault_raises()
    with runlore.start_run("after") as run:
        run.log_metrics({"loss": 1.0})
    found = runlore.open_store().run("after")
    assert (found.status, found.metrics["loss"].count) == ("finished", 1)
    print(*ENTRIES)


if __name__ == "__main__":
    main(int(sys.argv[1]))
