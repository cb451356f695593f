"""Models with names as users see them: what they hold, and who changed what when, and why."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from runlore._text import closest, count_text
from runlore.artifacts.artifact import Artifact
from runlore.errors import ArtifactNotFound, ModelNotFound, StillNamed
from runlore.index.select import resolve
from runlore.log.events import Event
from runlore.models import changes
from runlore.models.history import History, replay
from runlore.models.journal import read_journal, read_journals
from runlore.models.names import NEWEST, Address, check_alias, check_name, is_name, label_of
from runlore.store.runs import RecordedRun, Runs
from runlore.store.versions import ModelChange, ModelVersion, change_of, version_of

MAIN_ROLES = ("best", "last")  # of the artifact that counts as a run's model where none is named
MAX_NAMED = 10  # versions and aliases in a message


class Model:
    """A model with a name, as it is when it is first asked, or (`at`) as it was; its changes are made here, too.

    `model["prod"]`, `model["3"]`, `model[3]` and `model["latest"]` are versions. `damage` tells what of its record
    can't be read.
    """

    def __init__(self, store: Runs, name: str, until: datetime | None = None, known: History | None = None) -> None:
        self.store = store
        self.name = check_name(name)
        self.until = until
        self._known = known

    @property
    def _history(self) -> History:
        if self._known is None:
            journal = read_journal(self.store.folder, self.name)
            until = None if self.until is None else int(self.until.timestamp() * 1_000_000)
            self._known = replay(journal.events, _store_id(self.store), journal.damage, until)
        return self._known

    @property
    def versions(self) -> list[ModelVersion]:
        """The versions, oldest first, without those that were withdrawn."""
        return [version_of(self.store, self._history, version) for version in self._history.live]

    @property
    def aliases(self) -> dict[str, ModelVersion]:
        """The versions that aliases name, by alias."""
        names = self._history.aliases
        known = {version: version_of(self.store, self._history, version) for version in frozenset(names.values())}
        return {alias: known[names[alias]] for alias in sorted(names)}

    @property
    def notes(self) -> list[ModelChange]:
        """The notes on the model and on its versions, oldest first."""
        return [change for change in self.history if change.what == "note"]

    @cached_property
    def history(self) -> list[ModelChange]:
        """Every change, oldest first."""
        return [change_of(self._history, change) for change in self._history.changes]

    @property
    def damage(self) -> list[str]:
        """The parts of its record that can't be read, one line each."""
        return list(self._history.damage)

    def at(self, moment: datetime) -> "Model":
        """Return the model as it was at a time; one without a zone is in UTC."""
        return Model(self.store, self.name, moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))

    def __getitem__(self, part: str | int) -> ModelVersion:
        known = self._history
        text = str(part)
        if text == NEWEST and known.live:
            return version_of(self.store, known, known.live[-1])
        version = known.find(text) or known.find(label_of(text) or text)
        if version is None:
            raise ModelNotFound(_lacking(self, text))
        return version_of(self.store, self._history, version)

    def __contains__(self, part: object) -> bool:
        try:
            return isinstance(part, str | int) and self[part] is not None
        except ModelNotFound:
            return False

    def __len__(self) -> int:
        return len(self._history.live)

    def __iter__(self) -> Iterator[ModelVersion]:
        return iter(self.versions)

    def add(
        self, run: "RecordedRun | str", artifact: "Artifact | str | None" = None, *,
        aliases: Sequence[str] = (), note: str = "", reason: str = "",
    ) -> ModelVersion:  # fmt: skip
        """Add an artifact of a run as a version: named, or its best checkpoint, its last, its only model or only file.

        An artifact that is a version already stays that one, and gets the aliases.

        Raises:
            RunNotFound, AmbiguousRun: no run matches, or several do.
            ArtifactNotFound: the run has no such artifact, or its content is not kept.
            NameRefused: an alias can't have this name.
            OSError: the store can't be written.
        """
        found = self.store.run(run) if isinstance(run, str) else run
        item = found.artifact(artifact) if isinstance(artifact, str) else artifact or main_artifact(found)
        if item is None:
            raise ArtifactNotFound(f"run {found.name!r} has several files or none: name the artifact")
        if not item.stored:
            why = f": {item.why}" if item.why else ""
            raise ArtifactNotFound(f"the content of {item.name!r} of run {found.name!r} was not kept{why}")
        version = changes.add_version(
            self.store.folder, self.name, found.id, _content(item), aliases=aliases, note=note, reason=reason
        )
        self._forget()
        return version_of(self.store, self._history, version)

    def set_alias(self, alias: str, version: "ModelVersion | str | int", reason: str = "") -> ModelVersion:
        """Let an alias name a version, whatever it named before. One that was withdrawn is back then.

        Raises:
            ModelNotFound: there is no such version.
            ArtifactNotFound: its content is not in the store any more.
            NameRefused: it can't be an alias.
            OSError: the store can't be written.
        """
        check_alias(alias)
        found = version if isinstance(version, ModelVersion) else self[version]
        if found.model != self.name:
            raise ModelNotFound(f"{found.title} is no version of {self.name!r}")
        if not found.available:
            raise ArtifactNotFound(f"the content of version {found.version} of {self.name!r} is not in this store")
        self._write({"type": "alias", "alias": alias, "version": found.id}, reason)
        return version_of(self.store, self._history, found.id)

    def remove_alias(self, alias: str, reason: str = "") -> None:
        """Take an alias off.

        Raises:
            ModelNotFound: there is no such alias.
            OSError: the store can't be written.
        """
        if alias not in self._history.aliases:
            raise ModelNotFound(_lacking(self, alias))
        self._write({"type": "alias", "alias": alias}, reason)

    def withdraw(self, version: "ModelVersion | str | int", reason: str = "") -> None:
        """Take a version off the model; it stays in the history. Its run and its file stay as they are.

        Raises:
            ModelNotFound: there is no such version.
            StillNamed: an alias names it.
            OSError: the store can't be written.
        """
        found = version if isinstance(version, ModelVersion) else self[version]
        if found.aliases:
            raise StillNamed(
                f"version {found.version} of {self.name!r} is {', '.join(found.aliases)}: "
                "let the alias name another version, or take it off"
            )
        if found.withdrawn:
            return
        self._write({"type": "withdrawn", "version": found.id}, reason)

    def add_note(self, text: str, version: "ModelVersion | str | int | None" = None) -> None:
        """Add a note to the model, or to a version of it.

        Raises:
            ModelNotFound: there is no such version, or nothing of the model yet.
            OSError: the store can't be written.
        """
        if not self._history.changes:
            raise ModelNotFound(_lacking(self, None))
        found = version if version is None or isinstance(version, ModelVersion) else self[version]
        known = {} if found is None else {"version": found.id}
        self._write({"type": "note", "text": changes.masked(text), **known}, "")

    def _write(self, event: Event, reason: str) -> None:
        changes.change(self.store.folder, self.name, lambda _: [event], reason)
        self._forget()

    def _forget(self) -> None:
        self._known = None
        self.__dict__.pop("history", None)

    def __repr__(self) -> str:
        return f"<Model {self.name!r} with {count_text(len(self), 'version')}>"


def list_models(store: Runs) -> list[Model]:
    """Return the models of a store that have ever had a version, by name."""
    return sorted((model for model in _models(store) if model.name), key=lambda model: model.name)


def unreadable_models(store: Runs) -> list[str]:
    """Return what of the records of models can't be read, one line each."""
    return [line for known in _histories(store) for line in known.damage]


def version_at(store: Runs, text: str) -> ModelVersion | None:
    """Return the version that an address such as "model:digits@prod" names; None for a text that is none.

    A text that looks like one, and is only the name of a run, is none.

    Raises:
        ModelNotFound: there is no such model, version or alias.
    """
    address = Address.parse(text)
    if address is None:
        return None
    if not (is_name(address.model) and Model(store, address.model).history) and store.ask(resolve, text):
        return None
    model = Model(store, address.model)
    return model[NEWEST if address.part is None else address.part]


def versions_of(store: Runs, runs: Sequence[str]) -> dict[str, list[ModelVersion]]:
    """Return the versions behind which some runs stand, without the withdrawn ones, by run."""
    found: dict[str, list[ModelVersion]] = {run: [] for run in runs}
    for known in sorted(_histories(store), key=lambda known: known.name):
        for version in known.live:
            run = known.versions[version]["run"]
            if run in found:
                found[run].append(version_of(store, known, version))
    return found


def named_contents(store: Runs) -> tuple[set[str], list[str]]:
    """Return the hashes of the contents that aliases name, of folders also those of their files; and what is unread.

    The second are the parts of records that can't be read, one line each: they may name more.
    """
    found: set[str] = set()
    damage: list[str] = []
    for known in _histories(store):
        damage += known.damage
        for version in known.aliases.values():
            event = known.versions[version]
            found.update(str(member[2]) for member in event.get("files") or ())
            found.add(str(event.get("sha256")))
    return found, damage


def main_artifact(run: RecordedRun) -> Artifact | None:
    """Return the artifact that counts as a run's model: the best checkpoint, the last, its only model, or only file."""
    artifacts = run.artifacts
    for role in MAIN_ROLES:
        if any(role in item.roles for item in artifacts):
            return run.artifact(role)
    made = {item.name for item in artifacts if item.kind not in ("code", "log")}
    only = {item.name for item in artifacts if item.kind == "model"} or made
    return run.artifact(only.pop()) if len(only) == 1 else None


def _lacking(model: Model, part: str | None) -> str:
    """Return what is wrong with a version or an alias that was asked for, or (None) with the model."""
    if not model.history:
        return _no_model(model.store, model.name, model.until)
    names = [*model.aliases, *(version.version for version in model.versions)]
    if part is None or not names:
        return f"model {model.name!r} has no versions" + ("" if model.until is None else " at that time")
    close = closest(part, names)
    hint = f"did you mean {close!r}?" if close is not None else f"it has: {', '.join(names[:MAX_NAMED])}"
    return f"model {model.name!r} has no version or alias {part[:100]!r}; {hint}"


def _content(item: Artifact) -> Event:
    """Return what a version says of an artifact."""
    files: Mapping[str, Any] = {
        "files": [[member.path, member.size, member.sha256] for member in item.members],
        "executable": [member.path for member in item.members if member.executable] or None,
        "escaped_files": [member.path for member in item.members if member.escaped] or None,
    }
    alone = {"executable": item.executable or None, "escaped": item.escaped or None}
    return {
        "artifact": item.name,
        "kind": item.kind,
        "file": None if item.source is None else Path(item.path or "").name,
        "size": item.size,
        "sha256": item.sha256,
        "step": item.step,
        "epoch": item.epoch,
        "roles": list(item.roles),
        **(files if item.is_folder else alone),
    }


def _histories(store: Runs) -> Iterator[History]:
    for journal in read_journals(store.folder):
        yield replay(journal.events, _store_id(store), journal.damage)


def _models(store: Runs) -> Iterator[Model]:
    for known in _histories(store):
        if known.name:
            yield Model(store, known.name, known=known)


def _store_id(store: Runs) -> str:
    return store.folder.store_id if (store.root / "format").exists() else ""


def _no_model(store: Runs, name: str, until: datetime | None) -> str:
    names = [model.name for model in list_models(store)]
    if name in names:
        return f"model {name!r} had no versions at {until:%Y-%m-%d %H:%M:%S} UTC yet"
    close = closest(name, names)
    hint = f"did you mean {close!r}?" if close is not None else "`runlore model` lists them"
    return f"there is no model {name!r} in {str(store.root)!r}: {hint}"
