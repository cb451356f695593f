"""The built-in plugin that masks secrets before anything is written: by the names of keys, and by the form of values.

The value of an environment variable whose name tells of a secret, and every value that was masked once by its key, is
masked wherever it occurs again, such as in a traceback or a patch.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from runlore._process import Part, process
from runlore.hookspecs import CapturedFile, hookimpl
from runlore.plugins.secret_text import (
    MASK,
    find_values,
    holds_value,
    is_secret,
    is_uncommon,
    mask_patch,
    mask_text,
    strength,
)

MAX_CLEAN_CHARS = 200  # of a text that is remembered as clean
MAX_CLEAN_TEXTS = 10_000  # that are remembered
MIN_SEARCHED_CHARS = 4  # of a known secret that fitted models are searched for
MAX_COMMON_LETTERS = 5  # of a word that any model may hold by chance: it is not searched for
PACKAGES = "packages"  # a section of names and versions: there a name such as google-auth tells of no secret
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
        self._learn_from("", event)
        known = self._known_pattern()
        masked = {
            key: value if key in ("type", "sha256") else self._value(key, value, known) for key, value in event.items()
        }
        for key in ("argv", "program"):
            if isinstance(masked.get(key), list):
                masked[key] = self._arguments(masked[key])
        return masked

    def _learn_from(self, key: str, value: Any) -> None:
        if key == PACKAGES:
            return
        if isinstance(value, Mapping):
            for name, item in value.items():
                self._learn_from(str(name), item)
        elif isinstance(value, str) and is_secret(key, value):
            self._learn(value)

    def _value(self, key: str, value: Any, known: "re.Pattern[str] | None") -> Any:
        if isinstance(value, str):
            return self._learn(value) if is_secret(key, value) else self._text(value, known)
        if isinstance(value, dict):
            if key == PACKAGES:
                return value
            if "$type" in value and is_secret(key, str(value.get("text"))):
                return self._learn(str(value.get("text")))
            return {self._text(str(name), known): self._value(str(name), item, known) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(key, item, known) for item in value]
        return value  # a number is no secret, whatever it is called

    def _text(self, text: str, known: "re.Pattern[str] | None") -> str:
        if known is not self._clean_for or len(self._clean) > MAX_CLEAN_TEXTS:
            self._clean_for, self._clean = known, set()
        if text in self._clean:  # the same params come again with every fit
            return text
        for value in find_values(text):
            self._learn(value)
        masked = mask_text(text, known)
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

    def _arguments(self, arguments: list[Any]) -> list[Any]:
        """Mask a command line, where the value of `--token` is the next argument."""
        masked = []
        option = ""
        for argument in arguments:
            bare = str(argument)
            follows = bool(option) and not bare.startswith("--") and is_secret(option, bare)
            masked.append(self._learn(bare) if follows else argument)
            option = bare if bare.startswith("-") and "=" not in bare else ""
        return masked

    # Files

    def file(self, file: CapturedFile) -> CapturedFile | None:
        """Return the file with its secrets masked, and the places; None where it has none.

        A model can't be masked: one that holds a secret is withheld.
        """
        if file.kind == "model":
            values = self._searched.union(self._known_values())
            held = any(value.encode("utf-8", "surrogateescape") in file.content for value in values)
            return replace(file, content=b"", withheld=WITHHELD_MODEL) if held or holds_value(file.content) else None
        text = file.content.decode("utf-8", "surrogateescape")
        masked = self._masked_file(file.name, text, self._known_pattern())
        known = self._known_pattern()  # with what was learned from the file itself
        masked = masked if known is None else known.sub(MASK, masked)
        if masked == text:
            return None
        places = _places_of_patch(text, masked) if file.name.endswith(".patch") else _places(file.name, text, masked)
        return replace(file, content=masked.encode("utf-8", "surrogateescape"), masked=(*file.masked, *places))

    def _masked_file(self, name: str, text: str, known: "re.Pattern[str] | None") -> str:
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


def _is_code(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CODE_SUFFIXES


def _mask_notebook(text: str, known: "re.Pattern[str] | None", learn: Callable[[str], object]) -> str:
    """Mask the sources of a notebook's cells as code, everything else as text; mask what is not JSON as text."""
    try:
        notebook = json.loads(text)
    except ValueError:
        return mask_text(text, known, learn=learn)

    def masked(value: Any, key: str) -> Any:
        if isinstance(value, str):
            return mask_text(value, known, in_code=key == "source", learn=learn)
        if isinstance(value, list):
            if key == "source" and all(isinstance(line, str) for line in value):
                return mask_text("".join(value), known, in_code=True, learn=learn).splitlines(keepends=True)
            return [masked(item, key) for item in value]
        return {name: masked(item, name) for name, item in value.items()} if isinstance(value, dict) else value

    found = masked(notebook, "")
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
