"""The folder of a store: its parts, its files by run, and how it is found and checked."""

import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runlore import _ids
from runlore._inside import OddFile, list_folders, list_names, open_binary, store_of
from runlore._settings import choice, expanded, is_of_another, present_folder, setting, tell_passed_over
from runlore._sharing import SHARING, is_of_my_group, make_folder, make_root, open_file
from runlore._startup import BEGAN_IN
from runlore._warnings import valid_or
from runlore.errors import FormatError, StoreNotFound, StoreRefused
from runlore.log.frames import FORMAT

FOLDER = ".runlore"
FOLDERS = ("runs", "blobs", "marks", "trash", "models")  # of a store
INDEX = "index-v1"  # begins the names of the index's files
FILES = (
    "format",
    ".gitignore",
    *(f"{INDEX}.{end}" for end in ("lock", "sqlite", "sqlite-journal", "sqlite-wal", "sqlite-shm")),
)
MAX_FORMAT_BYTES = 1000  # that are read of the file "format"
YOUNG_NS = 2_000_000_000  # a folder that was changed so recently may change again with the same time

_MONTH = r"[0-9]{4,}-[0-9][0-9]"
_DAY = r"[0-9][0-9]"
_WRITER = re.compile(r"[0-9]{1,18}[0-9a-z]{4}")  # no other name of a file is one of ours


class WriterFile(NamedTuple):
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
        return self.path.name.endswith(".run")

    @classmethod
    def parse(cls, path: Path) -> "WriterFile | None":
        """Return the writer's file that a path names; None for anything else."""
        run_id, _, rest = path.name.partition(".")
        writer, _, suffix = rest.partition(".")
        if suffix not in ("log", "run") or not _WRITER.fullmatch(writer) or not _ids.is_run_id(run_id):
            return None
        return cls(path, run_id, writer)


class _Parts:
    """The folders of a store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def runs(self) -> Path:
        """The folder of the runs' files, by month and day."""
        return self.root / "runs"

    @property
    def blobs(self) -> Path:
        """The folder of kept contents."""
        return self.root / "blobs"

    @property
    def marks(self) -> Path:
        """The folder of what signals leave."""
        return self.root / "marks"

    @property
    def models(self) -> Path:
        """The folder of models with names, by name."""
        return self.root / "models"

    @property
    def trash(self) -> Path:
        """The folder of runs that were removed and can be brought back."""
        return self.root / "trash"

    @property
    def quarantine(self) -> Path:
        """The folder of runs that were set aside, as no reader looks there."""
        return self.root / "quarantine"


class Folder(_Parts):
    """A store's folder on disk. An object is cheap and touches nothing; `create` makes the folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._listed: dict[Path, tuple[int, dict[str, list[str]]]] = {}  # by day: its time, and names by run

    def create(self) -> None:
        """Create the folder if there is none. Many processes may do it at once.

        Raises:
            StoreRefused: a part of it is a link, or no file or folder as it should be.
            OSError: it can't be created here.
        """
        there = self.check_parts()
        is_new = "format" not in there
        if is_new:
            make_root(self.root, valid_or(SHARING[0], choice, "shared", SHARING))
        for name in ("runs", "blobs"):
            if name not in there:
                make_folder(self.root / name, self.root)
        if ".gitignore" not in there:
            with suppress(FileExistsError):  # another process or thread was faster
                _write(self.root / ".gitignore", "*\n")
        if is_new:
            draft = self.root / f".format-{os.getpid()}-{_ids.new_suffix(4)}.tmp"
            _write(draft, f"{FORMAT}\n{_ids.new_suffix(12)}\n")
            try:
                # Unlike a rename, it never replaces another process's.
                os.link(draft, self.root / "format", follow_symlinks=False)
            except FileExistsError:
                pass
            except OSError:  # no hard links on this disk
                draft.rename(self.root / "format")
            draft.unlink(missing_ok=True)

    def foreign(self) -> bool:
        """Return True if the folder holds anything that is no part of a store, finished or just being created."""
        own = {*FOLDERS, "quarantine", *FILES}
        names = (path.name for path in self.root.iterdir())
        return any(name not in own and not name.startswith(".format-") for name in names)

    def exists(self) -> bool:
        """Return True if there is a store, also one that has lost its file "format" to a cleaner of old files."""
        return os.path.exists(f"{self.root}/format") or self._lacks_format()  # noqa: PTH110  # as each run asks

    def _lacks_format(self) -> bool:
        """Return True for a folder without that file that holds runs, and nothing that is no part of a store."""
        try:
            days = list(self.days([])) if os.path.isdir(f"{self.root}/runs") and not self.foreign() else []  # noqa: PTH112
            return any(WriterFile.parse(day / name) for day in days for name in list_names(day, self.root))
        except (OSError, OddFile):
            return False

    def check(self, *, named: bool) -> None:
        """Raise if the store can't be read safely; `named` says that the user asked for this very folder.

        Raises:
            StoreNotFound: there is none.
            StoreRefused: it belongs to another user, and was found and not named, and no group shares it; or a part of
                it is a link, or no file or folder as it should be.
            FormatError: a newer runlore made it.
        """
        self.check_parts()
        self.check_owner(named=named)
        number = self._format_lines()[0]
        if not number.isdecimal() or int(number) > FORMAT:
            raise FormatError(
                f"the store at {str(self.root)!r} has format {number!r}, this runlore reads up to {FORMAT}: "
                "upgrade with `pip install -U runlore`"
            )

    def check_parts(self) -> set[str]:
        """Return the names of the parts that the store has.

        One that is not what it should be is refused: what is in it would be read or changed elsewhere.

        Raises:
            StoreRefused: a folder or file of the store itself is a link, a pipe or the like.
        """
        there = set()
        root = str(self.root)
        for name in (*FOLDERS, *FILES):
            path = f"{root}/{name}"
            try:
                mode = os.lstat(path).st_mode  # noqa: PTH116  # at the start of each run
            except OSError:
                continue
            there.add(name)
            if stat.S_ISDIR(mode) if name in FOLDERS else stat.S_ISREG(mode):
                continue
            if stat.S_ISDIR(mode) and name != "format":
                continue  # an index that can't be made is kept elsewhere
            found = "a link, which leads out of the store" if stat.S_ISLNK(mode) else "something else"
            raise StoreRefused(
                f"{path!r} is no {'folder' if name in FOLDERS else 'file'} but {found}: the store is not used. Put "
                "what it should be in its place, or name another store with --store or RUNLORE_STORE"
            )
        return there

    def check_owner(self, *, named: bool) -> None:
        """Raise as `check` does, but don't look into the folder: there need not be a store in it yet."""
        try:
            owner = self.root.stat().st_uid
        except FileNotFoundError:
            raise StoreNotFound(
                f"no store at {str(self.root)!r}: train something first, or name a store with --store or RUNLORE_STORE"
            ) from None
        if owner != os.getuid() and not named and not self.is_of_group():
            raise StoreRefused(
                f"the store at {str(self.root)!r} belongs to user {owner}: name it with --store or RUNLORE_STORE, "
                "or set RUNLORE_SHARED=group if a group shares it"
            )

    def is_of_group(self) -> bool:
        """Return True if this user wants to share stores with a group, and this one is a group's of the user's."""
        return valid_or(SHARING[0], choice, "shared", SHARING) == "group" and is_of_my_group(self.root)

    @property
    def store_id(self) -> str:
        """The id of this store, the same wherever it is copied."""
        return self._format_lines()[1]

    def day(self, run_id: str) -> Path:
        """Return the folder of a run's files."""
        return Path(f"{self.root}/runs/{_ids.id_day(run_id)}")

    def files_of(self, run_id: str) -> list[WriterFile]:
        """Return a run's files in the order of their writers; a sealed file hides the log that it was made of."""
        day = self.day(run_id)
        try:
            return visible(day, self._names(day, run_id))
        except (FileNotFoundError, NotADirectoryError, OddFile):
            return []

    def _names(self, day: Path, run_id: str) -> list[str]:
        """Return a run's names in a day's folder, which is listed again only if it may have changed."""
        mtime = day.stat().st_mtime_ns
        known = self._listed.get(day)
        if known is None or known[0] != mtime:
            names = list_names(day, self.root)
            if time.time_ns() - mtime <= YOUNG_NS:
                return [name for name in names if name.startswith(f"{run_id}.")]
            found: dict[str, list[str]] = {}
            for name in names:
                found.setdefault(name.partition(".")[0], []).append(name)
            known = self._listed[day] = mtime, found
        return known[1].get(run_id, [])

    def days(self, closed: list[Path]) -> Iterator[Path]:
        """Iterate over the folders that may hold runs, oldest first; those that can't be listed go into `closed`."""
        return (self.runs / day for day in self.day_times(closed))

    def day_times(self, closed: list[Path]) -> dict[str, int]:
        """Return the names of these folders below `runs`, "2026-11/23", each with its mtime in ns."""
        found: dict[str, int] = {}
        for month in self._folders(self.runs, _MONTH, closed):
            days = self._folders(self.runs / month, _DAY, closed)
            found |= {f"{month}/{day}": mtime for day, mtime in days.items()}
        return found

    def _folders(self, parent: Path, form: str, closed: list[Path]) -> dict[str, int]:
        try:
            times = list_folders(parent, self.root)
        except FileNotFoundError:
            return {}
        except OSError:
            closed.append(parent)
            return {}
        return {name: times[name] for name in sorted(filter(re.compile(form).fullmatch, times))}

    def _format_lines(self) -> list[str]:
        try:
            with open_binary(f"{self.root}/format", self.root) as file:
                lines = file.read(MAX_FORMAT_BYTES).decode(errors="replace").split()
        except FileNotFoundError:
            if self._lacks_format():
                return [str(FORMAT), "unknown"]  # until the next run writes it anew
            raise StoreNotFound(f"{str(self.root)!r} is no store: the file 'format' is missing") from None
        return [*lines, "0", "unknown"] if not lines else [*lines, "unknown"]


def visible(day: Path, names: Collection[str]) -> list[WriterFile]:
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


def place_of(descriptor: int, known: Path) -> Path | None:
    """Return where an open file lies, which lay at `known`; None where it was removed.

    Where the system doesn't tell, it counts as where it was.

    Raises:
        OSError: the file is not to be reached any more, as on a disk that is gone.
    """
    status = os.fstat(descriptor)
    try:
        there = os.stat(known)  # noqa: PTH116  # while trainings log: pathlib takes twice as long
        if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
            return known
    except OSError:
        pass
    try:
        found = Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:  # not Linux
        return known if status.st_nlink else None
    return found if found.name == known.name else None  # with "(deleted)", or as NFS calls what is still open


def root_of(log: Path) -> Path | None:
    """Return the store that a log lies in; None where it lies elsewhere, as in the trash."""
    root = store_of(log)
    return root if root != log.parent else None


def find_folder(start: Path | None = None) -> tuple[Path, bool]:
    """Return the store to use from `start` (default: the working directory), and True if a setting names it.

    It is `$RUNLORE_STORE` or `tool.runlore.store`, else the nearest `.runlore` upwards, else one beside the nearest
    `.git` or `pyproject.toml`, else one in `start`. It may not exist yet. What belongs to another user is passed over.
    Linked git worktrees, which are removed when their branch is done, have their store in the main tree. A script that
    goes into a folder of its own below the one where it began (as Hydra's do) has its store where it began; a relative
    name counts from there.
    """
    named = setting("store", start)
    if named and (found := expanded(named)).is_absolute():
        return found, True
    start = (start or present_folder()).absolute()
    began = Path(BEGAN_IN) if BEGAN_IN is not None and start.is_relative_to(BEGAN_IN) else start
    if named:
        return began / expanded(named), True
    places = [start, *start.parents]
    passed: list[Path] = []
    root = next(_stores_upwards(places, passed), None) or next(_marked(places, passed), began) / FOLDER
    for path in passed:
        if path != root:  # else it is refused
            tell_passed_over(path)
    return root, False


def _stores_upwards(places: list[Path], passed: list[Path]) -> Iterator[Path]:
    """Yield the stores in some folders; those of other users go into `passed`."""
    for root in (place / FOLDER for place in places):
        if root.is_dir():
            if is_of_another(root) and not Folder(root).is_of_group():
                passed.append(root)
            else:
                yield root


def _marked(places: list[Path], passed: list[Path]) -> Iterator[Path]:
    """Yield those of some folders that hold a repository or a project of this user's; others' go into `passed`."""
    for place in places:
        marks = [mark for mark in (place / ".git", place / "pyproject.toml") if mark.exists()]
        foreign = [mark for mark in marks if is_of_another(mark)]
        if len(marks) > len(foreign):
            yield _main_tree(place)
        passed += foreign[:1]


def _write(path: Path, text: str) -> None:
    """Write a small new file, for whom its folder is open."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path.parent)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _main_tree(place: Path) -> Path:
    """Return the tree that a linked git worktree is of, if we may write there; any other folder as it is."""
    try:
        git = place / (place / ".git").read_text(encoding="utf-8").partition("gitdir:")[2].strip()
        shared = (git / (git / "commondir").read_text(encoding="utf-8").strip()).resolve()
    except (OSError, ValueError, RuntimeError):  # a folder, the file of a submodule, or anything else
        return place
    is_usable = shared.name == ".git" and os.access(shared.parent, os.W_OK)
    return shared.parent if is_usable else place
