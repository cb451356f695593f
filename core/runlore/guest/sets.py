"""Names for the sets of data that one model is evaluated on: one rule for every integration.

The first set that a run meets in a stage ("test", "val", "eval") has the plain names of the framework. Those of another
one end in "/noisy" where it has a name: one that the data itself carries, or that of the variable that the user's call
names; else in "/test_2", "/test_3" and so on. A set whose name tells of another stage ("X_val" in a test) ends in that
in any case, and leaves the plain names to others. Beyond 20 all further sets share "/test_more". A set that the run has
met before keeps its names, also in another process. Where a framework's own names tell the parts of a set, as
"eval_noisy_loss" does, they have an ending only if another set has a part of that name. Two sets are the same if their
content is: that of arrays, tables and tensors by fingerprint, that of a dataset as far as `datasets.content_of` can
tell; else, if they are the same objects.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runlore._process import Part, process
from runlore.guest.datasets import carried_names, content_of
from runlore.guest.wrapping import token_of
from runlore.hookspecs import DataDescription
from runlore.log.record import read_record
from runlore.provenance.call_site import Written

if TYPE_CHECKING:
    from runlore.recording.run import Run

MAX_SETS = 20  # of a stage that have names of their own
NUMBERED = re.compile(r"/(\w+?)_(\d+)(?![A-Za-z0-9])")
MAX_NAME = 40  # characters of a name
STAGES = tuple(  # words that tell of one; the first is that of training
    frozenset(words.split()) for words in ("train training", "val valid validation dev eval evaluation", "test testing")
)
SHAPE = (
    "loader dataloader loaders dataloaders dl dls dataset datasets ds set data split x df features inputs batches dm"
).split()
BEFORE = re.compile(r"^(x|ds|dl|df|data|dataset|loader|dataloader)_(?=.)", re.I)  # no part of the name behind it
BEHIND = re.compile(rf"(?<=.)_({'|'.join(SHAPE)})$", re.I)
GROWN = re.compile(rf"({'|'.join(word for words in STAGES for word in words)})({'|'.join(SHAPE)})", re.I)  # testloader
TELL_NOTHING = frozenset(  # of one set more than of another
    (
        "arg args kwargs argument arguments arr array arrays batch cfg chunk config df examples feature fold frame "
        "hparams input inputs item items model module opt opts options params part points sample samples rows self "
        "subset table trainer value values xs ys datamodule data_module " + " ".join(SHAPE)
    ).split()
)

Descriptions = Mapping[str, DataDescription | None]
Prints = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class EvaluatedSet:
    """A set of data that a model is evaluated on: what the names of its metrics end in.

    `found` are the descriptions of its parts, and `content` a hash of what they hold, where that is known; `is_new` is
    true for a set that the run has not met before, and that has names of its own. `called` is the name that it has with
    its user, also where it has the plain names of the framework.
    """

    stage: str
    ending: str = ""
    found: Descriptions = field(default_factory=dict)
    content: str | None = None
    is_new: bool = False
    called: str | None = None

    def name_of(self, part: str) -> str:
        """Return the name for the data of a part, whose own name begins with that of the stage."""
        return part.replace(self.stage, self.stage + self.ending, 1)


@dataclass(slots=True)
class _Met:
    """The sets that a run has met, and what is taken: by stage the names, whether the plain ones are, and how many."""

    endings: dict[tuple[str, Hashable], str] = field(default_factory=dict)  # by stage and by what identifies a set
    taken: dict[str, set[str]] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)  # of sets with the plain names
    may_go_on: bool = False  # a training of the run has begun, which may not tell what it is evaluated on
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, stage: str, least: int) -> None:
        self.counts[stage] = max(least, self.counts.get(stage, 0))

    def take(self, stage: str, ending: str, *others: str | None) -> None:
        """Note the ending of a set, and others that are no longer free."""
        self.taken.setdefault(stage, set()).update(filter(None, (ending, *others)))
        if not ending:
            self.plain.add(stage)

    def is_free(self, stage: str, ending: str) -> bool:
        return ending not in self.taken.get(stage, ())

    def number(self, stage: str) -> str:
        """Return the ending with the next number."""
        place = self.counts[stage]
        while not self.is_free(stage, f"/{stage}_{place}"):
            place += 1
        return f"/{stage}_{place}"


class _Runs(Part):
    """Holds what the runs that this process knows have met. A forked child goes on with those of its parent."""

    inherited = True

    def __init__(self) -> None:
        self.met: dict[str, _Met] = {}


def numbered(names: Iterable[str]) -> list[str]:
    """Return names with those that came before told apart: `name`, `name_1`, `name_2`."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def name_set(
    run: "Run",
    stage: str,
    parts: Mapping[str, Any],
    found: Descriptions,
    prints: Prints,
    fits: bool,
    written: Written | None = None,
    *,
    names_parts: bool = False,
) -> EvaluatedSet:
    """Return the name of a set of data, by its parts; see `Recorder.evaluated_on`."""
    parts = {name: part for name, part in parts.items() if part is not None}
    if not parts:
        return EvaluatedSet(stage, found=found)
    keys, content = _keys(parts, {**{name: item.fingerprint for name, item in found.items() if item}, **prints})
    met = _met_by(run)
    ending = next((met.endings[stage, key] for key in keys if (stage, key) in met.endings), None)
    called, is_new = None, ending is None
    is_named = names_parts and stage not in parts
    is_plain_free = not met.parts.intersection(parts) if names_parts else stage not in met.plain
    if ending is None and fits and met.may_go_on and run.run_log.mode != "start":
        ending = ""  # a training that goes on has the data that it had
    if ending is None:
        if met.counts.get(stage, 0) >= MAX_SETS:
            return EvaluatedSet(stage, f"/{stage}_more", found)
        met.count(stage, met.counts.get(stage, 0) + 1)
        names = [] if written is None else _names_of(parts.get(stage), stage, written)
        called, ending = (None, "") if is_named and is_plain_free else _new_name(met, stage, names, is_plain_free)
    met.may_go_on = met.may_go_on or fits
    if not ending:
        met.parts.update(parts)
    met.take(stage, ending, called and f"/{called}")
    met.endings |= dict.fromkeys([(stage, key) for key in keys], ending)
    return EvaluatedSet(stage, ending, found, content, is_new, called)


def find_set(run: "Run", stage: str, parts: Mapping[str, Any], found: Descriptions) -> EvaluatedSet | None:
    """Return the name of a set of data that a run has met in a stage; see `Recorder.met_before`."""
    parts = {name: part for name, part in parts.items() if part is not None}
    if not parts:
        return None
    keys, content = _keys(parts, {name: item.fingerprint for name, item in found.items() if item})
    met = _met_by(run)
    ending = next((met.endings[stage, key] for key in keys if (stage, key) in met.endings), None)
    return None if ending is None else EvaluatedSet(stage, ending, found, content)


def _new_name(met: _Met, stage: str, names: Sequence[str], is_plain_free: bool) -> tuple[str | None, str]:
    """Return the name of a new set, by those that it may have, and what the names of its metrics end in."""
    other = _of_another_stage(stage, names)
    wanted = names if other is None else [other, *names]
    called = next((name for name in wanted if name != stage and met.is_free(stage, f"/{name}")), None)
    if other is None and is_plain_free:
        return called, ""
    numbered = re.compile(rf"{re.escape(stage)}_(\d+|more)")
    if called is None or numbered.fullmatch(called):
        return None, met.number(stage)
    return called, f"/{called}"


def _names_of(part: Any, stage: str, written: Written) -> list[str]:
    """Return the names that a set may have, the best one first: what it carries itself, then what the call says."""
    config, split = (None, None) if part is None else carried_names(part)
    split = None if split in STAGES[0] else split  # other parts of a table for training still say so
    is_bare = split is not None and any(split in words for words in STAGES)
    own = [config, None if is_bare and (config is None or _of_another_stage(stage, [str(split)]) is None) else split]
    said = next((name for word in written.words() if (name := _bare(word))), None)
    found = ["_".join(filter(None, own)), said, split]
    return list(dict.fromkeys(re.sub(r"[^\w-]+", "_", name)[:MAX_NAME] for name in found if name))


def _bare(word: str) -> str | None:
    """Return what is left of a variable's name without words for its kind; None where nothing tells it from others."""
    name, before = word.strip("_"), ""
    while name != before:
        name, before = BEHIND.sub("", BEFORE.sub("", name)), name
    grown = GROWN.fullmatch(name)
    name = grown[1] if grown else name
    stem = name.rstrip("0123456789").rstrip("_")
    return None if len(stem) < 2 or stem.lower() in TELL_NOTHING else name


def _of_another_stage(stage: str, names: Sequence[str]) -> str | None:
    """Return the first name that tells of a stage, if that is not the one asked for."""
    own = {place for place, words in enumerate(STAGES) if stage.lower() in words}
    for name in names:
        told = _stages_in(name)
        if own and told:
            return name if not told & own else None
    return None


def _stages_in(name: str) -> set[int]:
    words = re.findall("[a-z]+", name.lower())
    return {place for place, known in enumerate(STAGES) if known.intersection(words)}


def _keys(parts: Mapping[str, Any], prints: Prints) -> tuple[list[Hashable], str | None]:
    """Return what identifies a set, and the hash of its content, which is one of that where it is known."""
    contents = {name: prints.get(name) or content_of(part) for name, part in parts.items()}
    objects = tuple((name, prints.get(name) or token_of(part)) for name, part in parts.items())
    if None in contents.values():
        return [objects], None
    content = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:32]
    return [content, objects], content


def _met_by(run: "Run") -> _Met:
    """Return what a run has met in this process, and before that where it is not one that this process began."""
    runs = process.part(_Runs)
    found = runs.met.get(run.id)
    if found is None:
        found = runs.met[run.id] = _Met() if run.run_log.mode == "start" else _recorded(run)
    return found


def _recorded(run: "Run") -> _Met:
    """Return the sets that a run has met according to its files; a training waits for no index of the whole store."""
    record, writers = read_record(run.folder, run.id)
    met = _Met(may_go_on=True)
    named = set()  # stages and endings
    for name, facts in record.data.items():
        content, numbered = facts.get("set"), NUMBERED.search(name)
        met.parts.update(() if "/" in name else (name.partition(".")[0],))
        called = str(facts["called"]) if facts.get("called") else None
        if content is None and called is None:
            continue
        stage = numbered[1] if numbered and not called else re.split(r"\W|_", name)[0]
        ending = f"/{called}" if called and name.startswith(f"{stage}/{called}") else numbered[0] if numbered else ""
        if content is not None:
            met.endings[stage, str(content)] = ending
        met.take(stage, ending, called and f"/{called}")
        met.count(stage, max(met.counts.get(stage, 0) + 1, int(numbered[2]) if numbered and not called else 1))
        named.add((stage, ending))
    for key, series in writers.tallies().items():
        numbered, last = NUMBERED.search(key), f"/{key.rpartition('/')[2]}"
        if series.split and numbered and numbered[1] == series.split:
            met.count(series.split, int(numbered[2]))
            met.take(series.split, numbered[0])
        elif series.split and (series.split, last) not in named:
            met.count(series.split, 1)
            met.take(series.split, "", last)
    return met
