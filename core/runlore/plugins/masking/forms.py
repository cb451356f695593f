"""Secrets in the forms of well-known services, and private keys."""

import re
from collections.abc import Callable, Collection

from runlore.plugins.secret_words import BEGINNINGS, MASK

_SHORT = 200  # characters of a text in which lines are not worth finding

_WORD = "[A-Za-z0-9_-]"
_OTHER = "other"  # a group for what begins as a form does and has not its end; nothing within it has it, either
# A pattern is looked for where one of the parts stands. Those that tell by what is around them come first.
_FORMS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("://",), r"(?<=://)[^\s/:@\"'\\]{0,200}:[^\s\"'\\]{1,200}(?=@[\w.\[\]-]{1,255}+(?:[\w.\[\]:/?#\s\"'\\),;-]|$))"),
    (("://",), r"(?<=://)[^\s/:@\"'\\]{16,200}(?=@)"),  # token@host
    (("jdbc:oracle",), r"(?<=jdbc:oracle:thin:)[^\s/:@\"']{1,80}/[^\s\"'@]{1,200}(?=@)"),
    (("sig=",), r"(?<=[?&]sig=)[^&\s\"']+"),
    (("X-Amz-S",), r"(?:(?<=[?&]X-Amz-Signature=)|(?<=[?&]X-Amz-Security-Token=))[^&\s\"']+"),
    (("X-Goog-S",), r"(?<=[?&]X-Goog-Signature=)[^&\s\"']+"),
    (("Bearer",), r"(?<=\bBearer )(?=[^\s\"']*[\d.])[A-Za-z0-9._~+/=-]{8,}"),
    (("hooks.slack",), r"\bhooks\.slack\.com/services/[A-Za-z0-9/_-]+"),
    (("discord",), r"\bdiscord(?:app)?\.com/api/webhooks/[A-Za-z0-9/_-]+"),
    (("AKIA", "ASIA"), r"\bA[KS]IA[0-9A-Z]{16}\b"),  # AWS
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{20,}"),  # GitHub
    (("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    (("glpat-",), rf"\bglpat-{_WORD}{{16,}}"),  # GitLab
    (("k_live_", "k_test_"), r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}"),  # Stripe
    (("hf_",), r"\bhf_[A-Za-z0-9]{16,}"),  # Hugging Face
    (("xox", "xapp-"), r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}"),  # Slack
    ((":AA",), rf"\b\d{{8,10}}:AA{_WORD}{{28,}}"),  # Telegram
    (("AIza",), rf"\bAIza{_WORD}{{30,}}"),  # Google
    (("ya29.",), rf"\bya29\.{_WORD}{{20,}}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{30,}"),
    (("pypi-AgE",), rf"\bpypi-AgE{_WORD}{{16,}}"),
    (("dop_v1_",), r"\bdop_v1_[a-f0-9]{40,}"),  # DigitalOcean
    (("SG.",), rf"\bSG\.{_WORD}{{16,}}+\.{_WORD}{{16,}}"),  # SendGrid
    (("gsk_", "r8_", "nvapi-", "dckr_pat_"), rf"\b(?:gsk_|r8_|nvapi-|dckr_pat_){_WORD}{{20,}}"),
    (("hvs.", "shpat_", "glsa_", "GOCSPX-"), rf"\b(?:hvs\.|shpat_|glsa_|GOCSPX-){_WORD}{{20,}}"),
    (("pcsk_", "lsv2_", "tvly-", "figd_"), rf"\b(?:pcsk_|lsv2_[a-z]{{2}}_|tvly-|figd_){_WORD}{{20,}}"),
    (("ATATT3", "pplx-", "xai-"), rf"\b(?:ATATT3|pplx-|xai-){_WORD}{{20,}}"),
    (("dapi",), r"\bdapi[0-9a-f]{32}"),  # Databricks
    (("AGE-SECRET-",), r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    (("eyJ",), rf"\beyJ(?:{_WORD}{{8,}}+\.{_WORD}{{8,}}+\.{_WORD}*|(?P<{_OTHER}>{_WORD}*+))"),  # JSON web token
    (("sk-",), rf"\bsk-(?:(?={_WORD}*?[A-Za-z0-9]{{16}}){_WORD}+|(?P<{_OTHER}>{_WORD}*+))"),  # OpenAI, Anthropic
)
_PRINTABLE = rb"[ -~]{12,}"
_BEFORE, _BEHIND = 40, 400  # bytes around what a secret begins with that are looked at
_PRIVATE_KEY = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"


def mask_values(text: str, learn: Callable[[str], object]) -> str:
    """Mask what has such a form; `learn` is called with each."""

    def mask(found: re.Match[str]) -> str:
        if found.lastgroup == _OTHER:
            return found[0]
        learn(found[0].rpartition(":")[2])
        return MASK

    for parts, pattern in _FORMS:
        if any(part in text for part in parts):
            text = sub_in_lines(re.compile(pattern), mask, text, text, parts)
    return text


def mask_keys(text: str) -> str:
    """Mask private keys, line by line."""
    return re.compile(_PRIVATE_KEY).sub(_mask_key, text)


def sub_in_lines(
    pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str, lower: str, parts: Collection[str]
) -> str:
    """Replace what a pattern finds in the lines that hold one of the parts; `lower` is the text, or its lower case."""
    if len(text) < _SHORT or len(text) != len(lower):
        return pattern.sub(replace, text)
    lines = {}
    for part in parts:
        end = -1
        while (place := lower.find(part, end + 1)) >= 0:
            end = lower.find("\n", place)
            end = len(text) if end < 0 else end
            lines[lower.rfind("\n", 0, place) + 1] = end
    pieces = []
    done = 0
    for begin, end in sorted(lines.items()):
        pieces += [text[done:begin], pattern.sub(replace, text[begin:end])]
        done = end
    return "".join([*pieces, text[done:]])


def holds_value(data: bytes) -> bool:
    """Return True if bytes of any kind and size hold something in the form of a well-known service's secrets."""
    for begin, end in _windows(data):
        text = b"\n".join(re.findall(_PRINTABLE, data[begin:end])).decode("ascii")
        if _has_value(text) or re.compile(_PRIVATE_KEY).search(text):
            return True
    return False


def _windows(data: bytes) -> list[tuple[int, int]]:
    """Return where bytes may hold a secret: around what one begins with, in their order, none overlaps another."""
    places = set[int]()
    for beginning in (*map(str.encode, BEGINNINGS), b"PRIVATE KEY"):
        place = data.find(beginning)
        while place >= 0:
            places.add(place)
            place = data.find(beginning, place + len(beginning))
    windows: list[tuple[int, int]] = []
    for place in sorted(places):
        begin, end = max(0, place - _BEFORE), place + _BEHIND
        if windows and begin <= windows[-1][1]:
            begin, _ = windows.pop()
        windows.append((begin, end))
    return windows


def _has_value(text: str) -> bool:
    for parts, pattern in _FORMS:
        if any(part in text for part in parts):
            found = re.compile(pattern).finditer(text)
            if any(match.lastgroup != _OTHER for match in found):
                return True
    return False


def _mask_key(found: re.Match[str]) -> str:
    first, *rest = found[0].split("\n")
    signed = [line[0] if line[:1] in ("+", "-", " ") and not line.startswith("-----") else "" for line in rest]
    return "\n".join([MASK, *(f"{sign}{MASK}" for sign in signed)]) if first else found[0]
