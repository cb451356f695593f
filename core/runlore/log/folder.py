"""The folder of a store: where it is found, what lies where, whose it is."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runlore import _ids
from runlore._settings import setting
from runlore.errors import FormatError, StoreNotFound, StoreRefused
from runlore.log.frames import FORMAT

FOLDER = ".runlore"
MONTH = re.compile(r"\d{4,}-\d\d")
DAY = re.compile(r"\d\d")
YOUNG = 2_000_000_000  # ns: a folder whose time is younger may change again without its time showing it


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
        """Whether it is sealed."""
        return self.path.suffix == ".run"

    @classmethod
    def parse(cls, path: Path) -> "WriterFile | None":
        """The writer's file that a path names; None for anything else."""
        run_id, _, rest = path.name.partition(".")
        writer, _, suffix = rest.partition(".")
        if suffix not in ("log", "run") or not writer[:-4].isdecimal() or not _ids.is_run_id(run_id):
            return None
        return cls(path, run_id, writer)


class Folder:
    """A store's folder on disk. Making one is cheap and touches nothing; `create` and `check` do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.blobs = root / "blobs"
        self.marks = root / "marks"
        self.trash = root / "trash"  # what was removed and can be brought back
        self._listed: dict[Path, tuple[int, dict[str, list[str]]]] = {}  # names by run, with the time of their folder

    def create(self) -> None:
        """Make the folder if there is none. Safe when many processes do it at once.

        Raises:
            OSError: it can't be made here.
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
                os.link(draft, format_file)  # unlike a rename, never over somebody else's
            except FileExistsError:
                pass
            except OSError:  # no hard links on this disk
                draft.rename(format_file)
            draft.unlink(missing_ok=True)

    def foreign(self) -> bool:
        """Whether the folder holds other things than a store, or one that is just being made."""
        own = {"runs", "blobs", "marks", "trash", ".gitignore", "format"}
        names = (path.name for path in self.root.iterdir())
        return any(name not in own and not name.startswith(".format-") for name in names)

    def check(self, *, named: bool) -> None:
        """Refuse what can't be read safely. `named`: the user asked for this very folder.

        Raises:
            StoreNotFound: there is nothing.
            StoreRefused: it belongs to another user and was only come across.
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
        """What tells this store from others, wherever it is copied."""
        return self._format_lines()[1]

    def day(self, run_id: str) -> Path:
        """The folder that a run's files lie in."""
        return self.runs / _ids.id_day(run_id)

    def files_of(self, run_id: str) -> list[WriterFile]:
        """A run's files in the order of their writers; a sealed one hides the log that it came from."""
        day = self.day(run_id)
        try:
            return visible(day, self._names(day, run_id))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _names(self, day: Path, run_id: str) -> list[str]:
        """The names of a run in a day's folder, which is listed again only if it may have changed."""
        mtime = day.stat().st_mtime_ns
        known = self._listed.get(day)
        if known is None or known[0] != mtime:
            names = os.listdir(day)
            if time.time_ns() - mtime <= YOUNG:
                return [name for name in names if name.startswith(f"{run_id}.")]
            found: dict[str, list[str]] = {}
            for name in names:
                found.setdefault(name.partition(".")[0], []).append(name)
            known = self._listed[day] = mtime, found
        return known[1].get(run_id, [])

    def days(self) -> Iterator[Path]:
        """Every folder that may hold runs."""
        for month in _folders(self.runs, MONTH):
            yield from _folders(month, DAY)

    def _format_lines(self) -> list[str]:
        try:
            lines = (self.root / "format").read_text().split()
        except FileNotFoundError:
            raise StoreNotFound(f"{str(self.root)!r} is no store: the file 'format' is missing") from None
        return [*lines, "0", "unknown"] if not lines else [*lines, "unknown"]


def visible(day: Path, names: list[str]) -> list[WriterFile]:
    """The writers' files among the names of a day's folder, sorted by run and writer."""
    found: dict[tuple[str, str], WriterFile] = {}
    for name in sorted(names):  # .log before .run
        item = WriterFile.parse(day / name)
        if item is not None:
            found[item.run_id, item.writer] = item
    return sorted(found.values(), key=lambda item: (item.run_id, item.ordinal, item.writer))


def find_folder(start: Path | None = None) -> tuple[Path, bool]:
    """The store to use from `start` (default: the working directory), and whether the user named it.

    `$RUNLORE_STORE` or `tool.runlore.store`, else the nearest `.runlore` upwards, else one beside the nearest `.git`
    or `pyproject.toml`, else one in `start`. It may not exist yet.
    """
    start = (start or Path.cwd()).absolute()
    named = setting("store", start)
    if named:
        return Path(named).expanduser().absolute(), True
    places = [start, *start.parents]
    for place in places:
        if (place / FOLDER).is_dir():
            return place / FOLDER, False
    for place in places:
        if (place / ".git").exists() or (place / "pyproject.toml").exists():
            return place / FOLDER, False
    return start / FOLDER, False


def _folders(parent: Path, form: re.Pattern[str]) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [parent / name for name in sorted(names) if form.fullmatch(name)]
