"""The built-in plugin that masks secrets before anything is written: by the names of keys, and by the form of values.

The value of an environment variable whose name tells of a secret, and every value that was masked once by its key, is
masked wherever it occurs again, such as in a traceback or a patch.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runlore._frozen import changed
from runlore._process import Part, process
from runlore.hookspecs import CapturedFile, hookimpl
from runlore.plugins.secret_words import (
    MASK,
    STRONG,
    is_mixed,
    is_secret,
    is_uncommon,
    may_hold_value,
    may_tell,
    strength,
)

MIN_CHARS = 4  # of a text that may hold a secret
MAX_CLEAN_CHARS = 200  # of a text that is remembered as clean
MAX_CLEAN_TEXTS = 10_000  # that are remembered
MIN_SEARCHED_CHARS = 4  # of a known secret that fitted models are searched for
MAX_COMMON_LETTERS = 5  # of a word that any model may hold by chance: it is not searched for
PACKAGES = "packages"  # a section of names and versions: there a name such as google-auth tells of no secret
METRICS = "keys"  # the field of an event that lists names of metrics: its own name tells nothing of them
BARE_NAMES = frozenset(["key", "keys", "value"])  # that say nothing without the name of their mapping
BARE_TYPES = frozenset([bool, int, float, type(None)])  # of values that are no secret by their key
COMMAND_FIELDS = ("argv", "program")  # of the opening event
COMMAND_SIGNS = frozenset(["-p", "-u", "-a", "-U", "lo"])  # beginnings of what may tell of a secret in a command line
NAME = re.compile(r"[\w.-]+")  # of a value that follows as the next argument
CODE_SUFFIXES = frozenset(
    ".py .pyi .pyx .pxd .c .cc .cpp .cu .cuh .h .hpp .rs .go .java .jl .js .ts .r .scala .lua".split()
)
WITHHELD_MODEL = "it holds a secret, and could not be loaded with the secret masked"


@hookimpl(trylast=True)
def runlore_rewrite_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask an event, after all other rewriters, as they may add secrets."""
    return process.part(_ProcessMasker).masker.event(event)


@hookimpl(trylast=True)
def runlore_rewrite_file(file: CapturedFile) -> CapturedFile | None:
    """Mask a file, after all other rewriters, as they may add secrets."""
    return process.part(_ProcessMasker).masker.file(file)


class _ProcessMasker(Part):
    """The masker of a process; a forked child goes on masking what its parent has learned."""

    inherited = True

    def __init__(self) -> None:
        self.masker = Masker()


class Masker:
    """Masks events and files. The secrets in `environment`, and those that were seen once, are masked everywhere."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._learned: set[str] = set()  # secrets to mask everywhere
        self._searched: set[str] = set()  # secrets that no model may hold; some are too common to mask everywhere
        self._known: frozenset[str] = frozenset()  # the learned ones and those of the environment …
        self._known_for: tuple[int, Any] = (0, None)  # … with so many learned, and this environment
        self._pattern: re.Pattern[str] | None = None  # finds the known values
        self._pattern_for: frozenset[str] = frozenset()
        self._clean: set[str] = set()  # short texts without a secret, by the pattern below
        self._clean_for: re.Pattern[str] | None = None

    # Events

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event with its secrets masked; a value that one key tells to be secret is masked everywhere."""
        known = len(self._learned)
        masked = self._masked(event)
        return masked if len(self._learned) == known else self._masked(masked)  # what one text tells, another may hold

    def _masked(self, event: Mapping[str, Any]) -> dict[str, Any]:
        known = self._known_pattern()
        masked = {
            key: value if key in ("type", "sha256") else self._value("" if key == METRICS else key, value, known)
            for key, value in event.items()
        }
        for key in COMMAND_FIELDS:
            if isinstance(event.get(key), list):
                texts = [self._text(str(item), known, learn=self._learn) for item in event[key]]
                masked[key] = self._arguments(texts)
        return masked

    def _value(self, key: str, value: Any, known: "re.Pattern[str] | None") -> Any:
        if type(value) in BARE_TYPES:  # a number is no secret, whatever it is called
            return value
        if isinstance(value, str):
            if strength(key) and is_secret(key, value):
                return self._learn(value)
            return value if known is self._clean_for and value in self._clean else self._text(value, known)
        if isinstance(value, dict):
            if key == PACKAGES:
                return value
            if "$type" in value and is_secret(key, str(value.get("text"))):
                return self._learn(str(value.get("text")))
            found = {}
            for name, item in value.items():
                below = f"{key}.{name}" if name in BARE_NAMES and key else str(name)
                is_clean = known is self._clean_for and name in self._clean
                found[name if is_clean else self._text(str(name), known)] = self._value(below, item, known)
            return found
        if isinstance(value, list):
            return [self._value(key, item, known) for item in value]
        return value

    def _text(
        self, text: str, known: "re.Pattern[str] | None", learn: Callable[[str], object] = lambda value: None
    ) -> str:
        if known is not self._clean_for or len(self._clean) > MAX_CLEAN_TEXTS:
            self._clean_for, self._clean = known, set()
        if len(text) < MIN_CHARS or text in self._clean:  # the same params come again with every fit
            return text
        if _may_hold(text):
            from runlore.plugins.masking.text import mask_text  # few runs need it

            masked = mask_text(text, known, learn=learn, learn_value=self._learn)
        else:
            masked = text if known is None else known.sub(MASK, text)
        if masked == text and len(text) <= MAX_CLEAN_CHARS:
            self._clean.add(text)
        return masked

    def _learn(self, value: str) -> str:
        """Remember a secret; return the mask for it."""
        if len(value) >= MIN_SEARCHED_CHARS and (len(value) > MAX_COMMON_LETTERS or not value.isalpha()):
            self._searched.add(value)
        if is_uncommon(value):
            self._learned.add(value)
        return MASK

    def _arguments(self, arguments: list[str]) -> list[str]:
        """Mask a command line, where the value of `--token` is the next argument."""
        masked = []
        option = ""
        is_command = False
        for bare in arguments:
            follows = bool(option) and not bare.startswith("--") and is_secret(option, bare)
            follows = follows and (option.startswith("-") or is_mixed(bare))
            masked.append(self._learn(bare) if follows else bare)
            is_command = is_command or bare[:2] in COMMAND_SIGNS
            is_name = bare[:1] == "-" or (strength(bare) == STRONG and NAME.fullmatch(bare) is not None)
            option = bare if is_name and "=" not in bare else ""
        if not is_command:
            return masked
        from runlore.plugins.masking.unassigned import mask_arguments  # few command lines need it

        return mask_arguments(masked, self._learn)

    # Files

    def file(self, file: CapturedFile) -> CapturedFile | None:
        """Return the file with its secrets masked, and the places; None where it has none.

        A model can't be masked: one that holds a secret is withheld.
        """
        if file.kind == "model":
            from runlore.plugins.masking.forms import holds_value  # likewise

            values = self._searched.union(self._known_values())
            held = any(value.encode("utf-8", "surrogateescape") in file.content for value in values)
            return changed(file, content=b"", withheld=WITHHELD_MODEL) if held or holds_value(file.content) else None
        text = file.content.decode("utf-8", "surrogateescape")
        masked = self._masked_file(file.name, text, self._known_pattern())
        known = self._known_pattern()  # with what was learned from the file itself
        masked = masked if known is None else known.sub(MASK, masked)
        if masked == text:
            return None
        places = _places_of_patch(text, masked) if file.name.endswith(".patch") else _places(file.name, text, masked)
        return changed(file, content=masked.encode("utf-8", "surrogateescape"), masked=(*file.masked, *places))

    def _masked_file(self, name: str, text: str, known: "re.Pattern[str] | None") -> str:
        if not _may_hold(text):
            return text if known is None else known.sub(MASK, text)
        from runlore.plugins.masking.text import mask_patch, mask_text

        if name.endswith(".ipynb"):
            return _mask_notebook(text, known, self._learn)
        if name.endswith(".patch"):
            return mask_patch(text, known, _is_code, self._learn)
        return mask_text(text, known, in_code=_is_code(name), learn=self._learn)

    # Known values

    def _known_pattern(self) -> "re.Pattern[str] | None":
        """Return a pattern that finds the known secrets; None where none is known."""
        values = self._known_values()
        if values is not self._pattern_for:
            text = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
            self._pattern = re.compile(text) if text else None
            self._pattern_for = values
        return self._pattern

    def _known_values(self) -> frozenset[str]:
        """Return the known secrets: the same object until one is added, as every event asks for them."""
        raw = getattr(self._environment, "_data", self._environment)  # os.environ decodes every value it is asked for
        if (len(self._learned), raw) != self._known_for:
            raw = dict(raw)  # other threads may change it
            self._known = frozenset(self._learned).union(
                value
                for name, value in ((os.fsdecode(name), os.fsdecode(value)) for name, value in raw.items())
                if strength(name) and is_secret(name, value) and is_uncommon(value)
                if not (value.startswith("/") and Path(value).exists())  # the path of a secret is not secret
            )
            self._known_for = (len(self._learned), raw)
        return self._known


def _may_hold(text: str) -> bool:
    """Return False for a text that holds no secret but a known one; takes little time."""
    return may_tell(text) or may_hold_value(text) or "PRIVATE KEY" in text


def _is_code(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CODE_SUFFIXES


def _mask_notebook(text: str, known: "re.Pattern[str] | None", learn: Callable[[str], object]) -> str:
    """Mask the sources of a notebook's cells of code as code, all else, and what is not JSON, as text."""
    from runlore.plugins.masking.text import mask_text

    try:
        notebook = json.loads(text)
    except ValueError:
        return mask_text(text, known, learn=learn)

    def masked(value: Any, in_code: bool) -> Any:
        if isinstance(value, str):
            return mask_text(value, known, in_code=in_code, learn=learn)
        if isinstance(value, list):
            if in_code and all(isinstance(line, str) for line in value):
                return mask_text("".join(value), known, in_code=True, learn=learn).splitlines(keepends=True)
            return [masked(item, False) for item in value]
        if not isinstance(value, dict):
            return value
        is_cell = value.get("cell_type") == "code"
        return {name: masked(item, is_cell and name == "source") for name, item in value.items()}

    found = masked(notebook, False)
    return text if found == notebook else json.dumps(found, indent=1, ensure_ascii=False)


def _places(name: str, before: str, after: str) -> Iterator[str]:
    """Name the lines of a file that masking has changed."""
    for number, (old, new) in enumerate(zip(before.split("\n"), after.split("\n"), strict=False), 1):
        if old != new:
            yield f"{name} line {number}"


def _places_of_patch(before: str, after: str) -> Iterator[str]:
    """Name the lines of a patch that masking has changed, by the file and the line that they belong to."""
    name, line = "", 0
    for old, new in zip(before.split("\n"), after.split("\n"), strict=False):
        if new.startswith("+++ "):
            name = new[4:].removeprefix("b/").rstrip("\t")
        elif new.startswith("@@ "):
            found = re.search(r"\+(\d+)", new)
            line = int(found[1]) - 1 if found else 0
        elif new.startswith((" ", "+")):
            line += 1
        if old != new:
            yield f"{name} line {line}"
