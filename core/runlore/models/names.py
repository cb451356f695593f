"""Names of models, their versions and aliases, and addresses such as "model:digits@prod"."""

import re
from typing import NamedTuple

from runlore._ids import sha256_of
from runlore.errors import NameRefused

PREFIX = "model:"
NEWEST = "latest"  # stands for the newest version, wherever an alias may stand
MAX_PLAIN = 40  # characters of a name that the name of its folder repeats
HASH_DIGITS = 16  # of a name, behind them: names that differ in capitals alone have folders of their own everywhere

_NAME = re.compile(r"[^\W_][\w.+/-]{0,99}")
_ALIAS = re.compile(r"[^\W\d_][\w.-]{0,63}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8}[a-z]{0,4})")
_FOLDER = re.compile(rf"[a-z0-9.-]{{1,{MAX_PLAIN + 1 + HASH_DIGITS}}}")


class Address(NamedTuple):
    """A version of a model as an address names it: by its number, an alias, or (None) as the newest one."""

    model: str
    part: str | None

    @classmethod
    def parse(cls, text: str) -> "Address | None":
        """Return the address that a text is; None for one that does not begin with `model:`."""
        if not text.startswith(PREFIX):
            return None
        name, separator, part = text.removeprefix(PREFIX).partition("@")
        return cls(name, part if separator else None)


def is_name(text: str) -> bool:
    """Return True if a model may have this name."""
    return _NAME.fullmatch(text) is not None


def is_alias(text: str) -> bool:
    """Return True if a version may have this alias: it can't be taken for a number of a version."""
    return _ALIAS.fullmatch(text) is not None and label_of(text) is None and text != NEWEST


def label_of(text: str) -> str | None:
    """Return the version that a text may name: "3" for "3" and "v3"; None for any other text."""
    found = _VERSION.fullmatch(text)
    return found[1] if found is not None else None


def check_name(name: str) -> str:
    """Return the name of a model.

    Raises:
        NameRefused: no model may have it.
    """
    if not is_name(name):
        raise NameRefused(
            f"{name[:100]!r} can't be the name of a model: write letters, digits and . _ + / -, 100 at most, "
            "beginning with a letter or a digit"
        )
    return name


def check_alias(alias: str) -> str:
    """Return an alias.

    Raises:
        NameRefused: no version may have it.
    """
    if not is_alias(alias):
        raise NameRefused(
            f"{alias[:100]!r} can't be an alias: write letters, digits and . _ -, 64 at most, beginning with a "
            f"letter; {NEWEST!r} and what looks like the number of a version, such as 'v3', are taken"
        )
    return alias


def folder_name(name: str) -> str:
    """Return the name of the folder that a model's files lie in."""
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower())[:MAX_PLAIN].strip(".-")
    return f"{plain or 'model'}-{sha256_of(name.encode())[:HASH_DIGITS]}"


def is_folder_name(text: str) -> bool:
    """Return True if a folder of this name may be a model's."""
    return _FOLDER.fullmatch(text) is not None and not text.startswith(".")
