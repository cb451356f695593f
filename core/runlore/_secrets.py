"""The built-in plugin that masks secrets before anything is written: by names of keys, and by what values look like.

Known values come first: what stands in an environment variable with a telling name, and what was masked by its key
earlier in this process, is masked wherever it turns up again, in a traceback or a patch, say.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from runlore.hookspecs import CapturedFile, hookimpl

MASK = "[masked]"
KNOWN_LENGTH = 8  # characters from which a value of a telling environment variable is looked for everywhere

SHORT = 16  # characters below which a plain word looks like no secret of any service

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
STRONG = frozenset(
    "password passwords passwd passphrase passcode pwd secret credential credentials apikey apikeys "
    "authorization cookie".split()
)
PAIRS = frozenset(
    [("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("account", "key"), ("signing", "key"),
     ("encryption", "key"), ("master", "key"), ("auth", "key"), ("storage", "key"), ("subscription", "key")]
)  # fmt: skip
# What stands before "token" where it is a word of language models, and what may follow it.
HARMLESS_TOKENS = frozenset(
    "pad eos bos sep cls mask unk special image video audio start end decoder prefix suffix new first last per max min "
    "num n next forced additional sub word".split()
)

VALUES = re.compile(
    r"""
      \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                           # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{20,}                            # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                              # GitLab
    | \bsk-[A-Za-z0-9_-]{16,}                                 # OpenAI, Anthropic
    | \b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}                 # Stripe
    | \bhf_[A-Za-z0-9]{16,}                                   # Hugging Face
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                        # Slack
    | \bAIza[A-Za-z0-9_-]{30,}                                # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{16,}
    | \bdop_v1_[a-f0-9]{40,}                                  # DigitalOcean
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}            # SendGrid
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*  # JSON web token
    | (?<=://)[^\s/:@"']{0,200}:[^\s/@"']{1,200}(?=@)         # user:password@host
    | (?<=://)[^\s/:@"']{16,200}(?=@)                         # token@host
    | (?<=\bBearer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?<=\bBasic\ )[A-Za-z0-9+/]{12,}={0,2}
    """,
    re.VERBOSE,
)
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S
)
KEY_BEGIN = "PRIVATE KEY"
# A name and a sign; then a value, in quotes, or bare up to the next blank.
ASSIGNED = re.compile(
    r"""(?<![\w-])(?P<name>[A-Za-z_-][\w.-]{0,80})["']?\]?\s?(?P<sign>:[\w .,\[\]|]{1,60}=|[:=]>?)\s?\s?"""
)
QUOTED = re.compile(r"""[rbuf]{0,2}(?P<quote>["'])(?P<value>(?:\\.|(?!(?P=quote))[^\\\n])*)""")
BARE = re.compile(r"""(?P<value>[^\s"',;(){}\[\]<>]{4,})""")
OPTION = re.compile(r"(?P<option>(?<!\S)--[A-Za-z][\w-]{1,60} )(?!-)\S+")
CODE = frozenset(".py .pyi .pyx .pxd .c .cc .cpp .cu .cuh .h .hpp .rs .go .java .jl .js .ts .r .scala .lua".split())
PLAIN_WORDS = re.compile(r"(?i)none|null|true|false|nil|auto|default|\[masked\]")
CONFIG_LINE = re.compile(r"[A-Z0-9_]+=\S+")


@lru_cache(maxsize=4096)
def is_telling(name: str) -> bool:
    """Whether a key by this name holds a secret, by its words: "db_password", "apiKey", "HF_TOKEN", not "pad_token"."""
    if name in ("PWD", "OLDPWD"):
        return False  # the working directory
    words = [word.lower() for word in WORDS.findall(name)]
    if not STRONG.isdisjoint(words) or not PAIRS.isdisjoint(pairwise(words)):
        return True
    return bool(words) and words[-1] == "token" and (len(words) == 1 or words[-2] not in HARMLESS_TOKENS)


class Masker:
    """Masks events and files. `environment` is searched for secrets whose values are masked wherever they stand."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._learned: set[str] = set()
        self._compiled: re.Pattern[str] | None = None
        self._compiled_for: frozenset[str] = frozenset()
        self._seen: tuple[int, Any, frozenset[str]] = (0, None, frozenset())

    # Events

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with its secrets masked."""
        known = self.known()
        masked = {
            key: value if key in ("type", "sha256") else self._value(key, value, known) for key, value in event.items()
        }
        if isinstance(masked.get("argv"), list):
            masked["argv"] = self._arguments(masked["argv"])
        return masked

    def _value(self, key: str, value: Any, known: "re.Pattern[str] | None") -> Any:
        if isinstance(value, str):
            return MASK if self._is_secret(key, value) else self._masked(value, known)
        if isinstance(value, dict):
            if "$type" in value and is_telling(key) and not PLAIN_WORDS.fullmatch(str(value.get("text"))):
                self._learn(str(value.get("text")))
                return MASK
            return {mask_text(str(name), known): self._value(str(name), item, known) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(key, item, known) for item in value]
        if type(value) in (int, float) and is_telling(key):
            self._learn(str(value))
            return MASK
        return value

    def _masked(self, text: str, known: "re.Pattern[str] | None") -> str:
        if len(text) < SHORT and text.isidentifier():
            return text if known is None else known.sub(MASK, text)
        for found in VALUES.finditer(text):
            self._learn(found[0].rpartition(":")[2])
        return mask_text(text, known)

    def _is_secret(self, key: str, value: str) -> bool:
        if not value or not is_telling(key) or PLAIN_WORDS.fullmatch(value):
            return False
        self._learn(value)
        return True

    def _arguments(self, arguments: list[Any]) -> list[Any]:
        """A command line: what follows `--token`, too."""
        telling = False
        masked = []
        for argument in arguments:
            bare = str(argument)
            masked.append(MASK if telling and not bare.startswith("--") else argument)
            if telling and not bare.startswith("--"):
                self._learn(bare)
            telling = bare.startswith("-") and "=" not in bare and is_telling(bare)
        return masked

    # Files

    def file(self, file: CapturedFile) -> CapturedFile | None:
        """The file with its secrets masked, and where; withheld where it is no text that could be masked."""
        if file.kind == "model":
            if any(value.encode("utf-8", "surrogateescape") in file.content for value in self._values()):
                return replace(file, content=b"", withheld="it holds a secret, and can't be masked and still be loaded")
            return None
        text = file.content.decode("utf-8", "surrogateescape")
        in_code = PurePosixPath(file.name).suffix.lower() in CODE or file.name.endswith(".patch")
        masked = mask_text(text, self.known(), in_code=in_code)
        if masked == text:
            return None
        places = _places_of_patch(text, masked) if file.name.endswith(".patch") else _places(file.name, text, masked)
        return replace(file, content=masked.encode("utf-8", "surrogateescape"), masked=(*file.masked, *places))

    # Known values

    def known(self) -> "re.Pattern[str] | None":
        """Finds the values that are known to be secret."""
        values = self._values()
        if values is not self._compiled_for:
            text = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
            self._compiled = re.compile(text) if text else None
            self._compiled_for = values
        return self._compiled

    def _values(self) -> frozenset[str]:
        """The values; the same object as long as nothing has changed, as every event asks for them."""
        raw = getattr(self._environment, "_data", self._environment)  # os.environ decodes all of it at every look
        if len(self._learned) != self._seen[0] or raw != self._seen[1]:
            found = frozenset(self._learned).union(
                value
                for name, value in list(self._environment.items())
                if len(value) >= KNOWN_LENGTH and is_telling(name) and not PLAIN_WORDS.fullmatch(value)
                if not (value.startswith("/") and Path(value).exists())  # where a secret lies is none
            )
            self._seen = (len(self._learned), dict(raw), found)
        return self._seen[2]

    def _learn(self, value: str) -> None:
        """Remember a value, unless it is so short or common that masking it everywhere would mangle other text."""
        varied = any(not char.isalpha() for char in value) and not value.isdecimal()
        if len(value) >= 12 or (len(value) >= 6 and varied):
            self._learned.add(value)


def mask_text(text: str, known: "re.Pattern[str] | None" = None, *, in_code: bool = False) -> str:
    """The text with its secrets masked; as many lines as before. `in_code`: bare words are names, not values."""
    if len(text) < 4:
        return text
    if KEY_BEGIN in text:
        text = PRIVATE_KEY.sub(_mask_block, text)
    if known is not None:
        text = known.sub(MASK, text)
    text = VALUES.sub(MASK, text)
    if not in_code:
        text = OPTION.sub(_mask_option, text)

    return _mask_assigned(text, in_code=in_code)


def _mask_assigned(text: str, *, in_code: bool) -> str:
    """Mask what is assigned to telling names."""
    pieces = []
    done = place = 0
    while found := ASSIGNED.search(text, place):
        place = found.end("name")
        if not is_telling(found["name"]):
            continue
        place = found.end()
        value = QUOTED.match(text, place) or BARE.match(text, place)
        if value is None or not value["value"] or PLAIN_WORDS.fullmatch(value["value"]):
            continue
        if in_code and value.re is BARE and _is_name(text, found.start(), value.end()):
            continue
        begin, place = value.span("value")
        pieces += [text[done:begin], MASK]
        done = place
    return "".join([*pieces, text[done:]])


def _is_name(code: str, start: int, end: int) -> bool:
    """Whether a bare word that is assigned in code is a name rather than a value in a string or a settings line."""
    before = code[code.rfind("\n", 0, start) + 1 : start]
    in_string = before.count('"') % 2 or before.count("'") % 2
    return not in_string and not CONFIG_LINE.fullmatch(code[start:end])


def _mask_option(found: re.Match[str]) -> str:
    return f"{found['option']}{MASK}" if is_telling(found["option"]) else found[0]


def _mask_block(found: re.Match[str]) -> str:
    """Every line of a private key, the signs of a patch kept."""
    first, *rest = found[0].split("\n")
    lines = [
        f"{line[0]}{MASK}" if line[:1] in ("+", "-", " ") and not line.startswith("-----") else MASK for line in rest
    ]
    return "\n".join([MASK, *lines]) if first else found[0]


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
