"""The built-in plugin that masks secrets before anything is written: by names of keys, and by what values look like.

What stands in an environment variable with a telling name, and what was masked once by its key, is masked wherever it
turns up again, in a traceback or a patch, say.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from runlore.hookspecs import CapturedFile, hookimpl
from runlore.plugins.secret_text import (
    MASK,
    find_values,
    holds_value,
    is_secret,
    is_telling_enough,
    mask_patch,
    mask_text,
    strength,
)

SHORT = 200  # characters of a text that is remembered to be clean
MOST_CLEAN = 10_000
PACKAGES = "packages"  # a section of names and versions: a name such as google-auth tells of no secret there
SHORT_WORD = 5  # letters of a word that any model may hold, whatever was assigned it
SHORTEST = 4  # characters of a known secret that a fitted model is searched for
CODE = frozenset(".py .pyi .pyx .pxd .c .cc .cpp .cu .cuh .h .hpp .rs .go .java .jl .js .ts .r .scala .lua".split())
HELD = "it holds a secret, and can't be masked and still be loaded"


class Masker:
    """Masks events and files. `environment` is searched for secrets whose values are masked wherever they stand."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._learned: set[str] = set()  # to be masked everywhere
        self._held: set[str] = set()  # not kept in models; some are too common to be masked everywhere
        self._compiled: re.Pattern[str] | None = None
        self._compiled_for: frozenset[str] = frozenset()
        self._clean: set[str] = set()  # short texts without a secret, as long as no other secrets are known
        self._clean_for: re.Pattern[str] | None = None
        self._seen: tuple[int, Any, frozenset[str]] = (0, None, frozenset())

    # Events

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with its secrets masked; what one key tells is masked beside all others, too."""
        self._learn_from("", event)
        known = self.known()
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
            self._secret(value)

    def _value(self, key: str, value: Any, known: "re.Pattern[str] | None") -> Any:
        if isinstance(value, str):
            return self._secret(value) if is_secret(key, value) else self._text(value, known)
        if isinstance(value, dict):
            if key == PACKAGES:
                return value
            if "$type" in value and is_secret(key, str(value.get("text"))):
                return self._secret(str(value.get("text")))
            return {self._text(str(name), known): self._value(str(name), item, known) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(key, item, known) for item in value]
        return self._secret(str(value)) if is_secret(key, value) else value

    def _text(self, text: str, known: "re.Pattern[str] | None") -> str:
        if known is not self._clean_for or len(self._clean) > MOST_CLEAN:
            self._clean_for, self._clean = known, set()
        if text in self._clean:  # the same params come again with every fit
            return text
        for value in find_values(text):
            self._secret(value)
        masked = mask_text(text, known)
        if masked == text and len(text) <= SHORT:
            self._clean.add(text)
        return masked

    def _secret(self, value: str) -> str:
        """Remember a value that was found to be secret; the mask for it."""
        if len(value) >= SHORTEST and (len(value) > SHORT_WORD or not value.isalpha()):
            self._held.add(value)
        if is_telling_enough(value):
            self._learned.add(value)
        return MASK

    def _arguments(self, arguments: list[Any]) -> list[Any]:
        """A command line: what follows `--token`, too."""
        masked = []
        option = ""
        for argument in arguments:
            bare = str(argument)
            follows = bool(option) and not bare.startswith("--") and is_secret(option, bare)
            masked.append(self._secret(bare) if follows else argument)
            option = bare if bare.startswith("-") and "=" not in bare else ""
        return masked

    # Files

    def file(self, file: CapturedFile) -> CapturedFile | None:
        """The file with its secrets masked, and where; withheld where it is no text that could be masked."""
        if file.kind == "model":
            values = self._held.union(self._known_values())
            held = any(value.encode("utf-8", "surrogateescape") in file.content for value in values)
            return replace(file, content=b"", withheld=HELD) if held or holds_value(file.content) else None
        text = file.content.decode("utf-8", "surrogateescape")
        masked = self._masked_file(file.name, text, self.known())
        known = self.known()  # with what the file itself has told
        masked = masked if known is None else known.sub(MASK, masked)
        if masked == text:
            return None
        places = _places_of_patch(text, masked) if file.name.endswith(".patch") else _places(file.name, text, masked)
        return replace(file, content=masked.encode("utf-8", "surrogateescape"), masked=(*file.masked, *places))

    def _masked_file(self, name: str, text: str, known: "re.Pattern[str] | None") -> str:
        if name.endswith(".ipynb"):
            return _mask_notebook(text, known, self._secret)
        if name.endswith(".patch"):
            return mask_patch(text, known, _is_code, self._secret)
        return mask_text(text, known, in_code=_is_code(name), learn=self._secret)

    # Known values

    def known(self) -> "re.Pattern[str] | None":
        """Finds the values that are known to be secret."""
        values = self._known_values()
        if values is not self._compiled_for:
            text = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
            self._compiled = re.compile(text) if text else None
            self._compiled_for = values
        return self._compiled

    def _known_values(self) -> frozenset[str]:
        """The values; the same object as long as nothing has changed, as every event asks for them."""
        raw = getattr(self._environment, "_data", self._environment)  # os.environ decodes all of it at every look
        if len(self._learned) != self._seen[0] or raw != self._seen[1]:
            found = frozenset(self._learned).union(
                value
                for name, value in list(self._environment.items())
                if strength(name) and is_secret(name, value) and is_telling_enough(value)
                if not (value.startswith("/") and Path(value).exists())  # where a secret lies is none
            )
            self._seen = (len(self._learned), dict(raw), found)
        return self._seen[2]


def _is_code(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CODE


def _mask_notebook(text: str, known: "re.Pattern[str] | None", learn: Callable[[str], object]) -> str:
    """Every cell's source as code, and the rest as text; what is no notebook as text."""
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
    for number, (old, new) in enumerate(zip(before.split("\n"), after.split("\n"), strict=False), 1):
        if old != new:
            yield f"{name} line {number}"


def _places_of_patch(before: str, after: str) -> Iterator[str]:
    """File and line, as the changed files count them."""
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


_masker = Masker()


@hookimpl(trylast=True)
def runlore_rewrite_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Last of all rewriters, so that what others add is masked, too."""
    return _masker.event(event)


@hookimpl(trylast=True)
def runlore_rewrite_file(file: CapturedFile) -> CapturedFile | None:
    """Last of all rewriters, so that what others add is masked, too."""
    return _masker.file(file)
