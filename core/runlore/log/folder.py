"""The folder of a store: its parts, its files by run, and how it is found and checked."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runlore import _ids
from runlore._settings import present_folder, setting
from runlore._startup import BEGAN_IN
from runlore.errors import FormatError, StoreNotFound, StoreRefused
from runlore.log.frames import FORMAT

FOLDER = ".runlore"
YOUNG_NS = 2_000_000_000  # a folder that was changed so recently may change again with the same time

_MONTH = re.compile(r"\d{4,}-\d\d")
_DAY = re.compile(r"\d\d")


@dataclass(frozen=True, slots=True)
class WriterFile:
    """A log or sealed file by its name: `<run id>.<ordinal><suffix>.log` or `.run`."""

    path: Path
    run_id: str
    writer: str

    @property
    def ordinal(self) -> int:
        """The place of the writer among those of its run."""
        return int(self.writer[:-4])

    @property
    def sealed(self) -> bool:
        """True for a sealed file, False for a log, which may grow."""
        return self.path.suffix == ".run"

    @classmethod
    def parse(cls, path: Path) -> "WriterFile | None":
        """Return the writer's file that a path names; None for anything else."""
        run_id, _, rest = path.name.partition(".")
        writer, _, suffix = rest.partition(".")
        if suffix not in ("log", "run") or not writer[:-4].isdecimal() or not _ids.is_run_id(run_id):
            return None
        return cls(path, run_id, writer)


class Folder:
    """A store's folder on disk. An object is cheap and touches nothing; `create` makes the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.blobs = root / "blobs"
        self.marks = root / "marks"
        self.trash = root / "trash"  # of runs that were removed and can be brought back
        self._listed: dict[Path, tuple[int, dict[str, list[str]]]] = {}  # by day: its time, and names by run

    def create(self) -> None:
        """Create the folder if there is none. Many processes may do it at once.

        Raises:
            OSError: it can't be created here.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.runs, self.blobs):
            folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        format_file = self.root / "format"
        if not format_file.exists():
            draft = self.root / f".format-{os.getpid()}-{_ids.new_suffix(4)}.tmp"
            draft.write_text(f"{FORMAT}\n{_ids.new_suffix(12)}\n")
            try:
                os.link(draft, format_file)  # unlike a rename, it never replaces another process's
            except FileExistsError:
                pass
            except OSError:  # no hard links on this disk
                draft.rename(format_file)
            draft.unlink(missing_ok=True)

    def foreign(self) -> bool:
        """Return True if the folder holds anything that is no part of a store, finished or just being created."""
        own = {"runs", "blobs", "marks", "trash", ".gitignore", "format"}
        names = (path.name for path in self.root.iterdir())
        return any(name not in own and not name.startswith(".format-") for name in names)

    def check(self, *, named: bool) -> None:
        """Raise if the store can't be read safely; `named` says that the user asked for this very folder.

        Raises:
            StoreNotFound: there is none.
            StoreRefused: it belongs to another user, and was found and not named.
            FormatError: a newer runlore made it.
        """
        try:
            owner = self.root.stat().st_uid
        except FileNotFoundError:
            raise StoreNotFound(
                f"no store at {str(self.root)!r}: train something first, or name a store with --store or RUNLORE_STORE"
            ) from None
        if owner != os.getuid() and not named:
            raise StoreRefused(
                f"the store at {str(self.root)!r} belongs to user {owner}: name it with --store or RUNLORE_STORE"
            )
        number = self._format_lines()[0]
        if not number.isdecimal() or int(number) > FORMAT:
            raise FormatError(
                f"the store at {str(self.root)!r} has format {number!r}, this runlore reads up to {FORMAT}: "
                "upgrade with `pip install -U runlore`"
            )

    @property
    def store_id(self) -> str:
        """The id of this store, the same wherever it is copied."""
        return self._format_lines()[1]

    def day(self, run_id: str) -> Path:
        """Return the folder of a run's files."""
        return self.runs / _ids.id_day(run_id)

    def files_of(self, run_id: str) -> list[WriterFile]:
        """Return a run's files in the order of their writers; a sealed file hides the log that it was made of."""
        day = self.day(run_id)
        try:
            return visible(day, self._names(day, run_id))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _names(self, day: Path, run_id: str) -> list[str]:
        """Return a run's names in a day's folder, which is listed again only if it may have changed."""
        mtime = day.stat().st_mtime_ns
        known = self._listed.get(day)
        if known is None or known[0] != mtime:
            names = os.listdir(day)
            if time.time_ns() - mtime <= YOUNG_NS:
                return [name for name in names if name.startswith(f"{run_id}.")]
            found: dict[str, list[str]] = {}
            for name in names:
                found.setdefault(name.partition(".")[0], []).append(name)
            known = self._listed[day] = mtime, found
        return known[1].get(run_id, [])

    def days(self) -> Iterator[Path]:
        """Iterate over the folders that may hold runs, oldest first."""
        for month in _folders(self.runs, _MONTH):
            yield from _folders(month, _DAY)

    def _format_lines(self) -> list[str]:
        try:
            lines = (self.root / "format").read_text().split()
        except FileNotFoundError:
            raise StoreNotFound(f"{str(self.root)!r} is no store: the file 'format' is missing") from None
        return [*lines, "0", "unknown"] if not lines else [*lines, "unknown"]


def visible(day: Path, names: list[str]) -> list[WriterFile]:
    """Return the writers' files among the names of a day's folder, by run and writer; a sealed file hides its log.

    It does not where the log holds more: the file was made of a copy.
    """
    found: dict[tuple[str, str], WriterFile] = {}
    for name in sorted(names):  # .run after .log
        item = WriterFile.parse(day / name)
        if item is not None:
            log = found.get((item.run_id, item.writer))
            if log is None or not holds_more(log.path, item.path):
                found[item.run_id, item.writer] = item
    return sorted(found.values(), key=lambda item: (item.run_id, item.ordinal, item.writer))


def holds_more(log: Path, sealed: Path) -> bool:
    """Return True if a log holds more than the sealed file of its name, which was made of a part of it.

    False where one of them can't be read, or was removed meanwhile, as every log is soon after it was sealed.
    """
    from runlore.log.reader import Content, read_log, read_sealed  # which only readers need

    def amount(content: Content) -> int:
        return len(content.events) + sum(tally.count for tally in content.tallies.values())

    try:
        content = read_sealed(sealed, 0)
        if content.log_bytes is not None:
            return log.stat().st_size > content.log_bytes
        return amount(read_log(log, 0)) > amount(content)
    except (OSError, FormatError):
        return False


def find_folder(start: Path | None = None) -> tuple[Path, bool]:
    """Return the store to use from `start` (default: the working directory), and True if the user named it.

    It is `$RUNLORE_STORE` or `tool.runlore.store`, else the nearest `.runlore` upwards, else one beside the nearest
    `.git` or `pyproject.toml`, else one in `start`. It may not exist yet. A script that goes into a folder of its own
    below the one where it began (as Hydra's do) has its store where it began; a relative name counts from there.
    """
    start = (start or present_folder()).absolute()
    began = Path(BEGAN_IN) if BEGAN_IN is not None and start.is_relative_to(BEGAN_IN) else start
    named = setting("store", start)
    if named:
        return began / Path(named).expanduser(), True
    places = [start, *start.parents]
    for place in places:
        if (place / FOLDER).is_dir():
            return place / FOLDER, False
    for place in places:
        if (place / ".git").exists() or (place / "pyproject.toml").exists():
            return place / FOLDER, False
    return began / FOLDER, False


def _folders(parent: Path, form: re.Pattern[str]) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [parent / name for name in sorted(names) if form.fullmatch(name)]
