"""Secrets in the forms of well-known services, and private keys."""

import re
from collections.abc import Callable, Collection

from runlore.plugins.secret_words import BEGINNINGS, MASK

_SHORT = 200  # characters of a text in which lines are not worth finding

_VALUES = r"""(?x)
      \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                                     # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{20,}                                      # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                                        # GitLab
    | \bsk-(?:[A-Za-z0-9_]{1,12}-){0,4}[A-Za-z0-9_-]*[A-Za-z0-9]{16,}[A-Za-z0-9_-]*  # OpenAI, Anthropic
    | \b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}                           # Stripe
    | \bhf_[A-Za-z0-9]{16,}                                             # Hugging Face
    | \bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}                          # Slack
    | \bhooks\.slack\.com/services/[A-Za-z0-9/_-]+
    | \bdiscord(?:app)?\.com/api/webhooks/[A-Za-z0-9/_-]+
    | \b\d{8,10}:AA[A-Za-z0-9_-]{28,}                                   # Telegram
    | \bAIza[A-Za-z0-9_-]{30,}                                          # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-AgE[A-Za-z0-9_-]{16,}
    | \bdop_v1_[a-f0-9]{40,}                                            # DigitalOcean
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}                      # SendGrid
    | \b(?:gsk_|r8_|nvapi-|dckr_pat_|hvs\.|shpat_|glsa_|GOCSPX-|pcsk_|lsv2_[a-z]{2}_|tvly-|figd_|ATATT3|pplx-|xai-)
      [A-Za-z0-9_-]{20,}
    | \bdapi[0-9a-f]{32} | \bAGE-SECRET-KEY-1[A-Z0-9]{20,}              # Databricks, age
    | (?<=jdbc:oracle:thin:)[^\s/:@"']{1,80}/[^\s"'@]{1,200}(?=@)
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*         # JSON web token
    | (?<=://)[^\s/:@"'\\]{0,200}:[^\s"'\\]{1,200}(?=@[\w.\[\]-]+(?:[:/?#\s"'\\),;]|$))  # user:password@host
    | (?<=://)[^\s/:@"'\\]{16,200}(?=@)                                 # token@host
    | (?<=[?&]sig=)[^&\s"']+ | (?<=[?&]X-Amz-Signature=)[^&\s"']+ | (?<=[?&]X-Goog-Signature=)[^&\s"']+
    | (?<=[?&]X-Amz-Security-Token=)[^&\s"']+
    | (?<=\bBearer\ )(?=[^\s"']*[\d.])[A-Za-z0-9._~+/=-]{8,}
"""
_PRINTABLE = rb"[ -~]{12,}"
_PRIVATE_KEY = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"


def mask_values(text: str, learn: Callable[[str], object]) -> str:
    """Mask what has such a form; `learn` is called with each."""

    def mask(found: re.Match[str]) -> str:
        learn(found[0].rpartition(":")[2])
        return MASK

    return sub_in_lines(re.compile(_VALUES), mask, text, text, BEGINNINGS)


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
    for beginning in (*map(str.encode, BEGINNINGS), b"PRIVATE KEY"):
        place = data.find(beginning)
        while place >= 0:
            part = re.compile(_PRINTABLE).search(data, max(0, place - 40), place + 400)
            while part and part.end() <= place:
                part = re.compile(_PRINTABLE).search(data, part.end(), place + 400)
            text = part[0].decode("ascii") if part and part.start() <= place else ""
            if re.compile(_VALUES).search(text) or re.compile(_PRIVATE_KEY).search(text):
                return True
            place = data.find(beginning, place + len(beginning))
    return False


def _mask_key(found: re.Match[str]) -> str:
    first, *rest = found[0].split("\n")
    signed = [line[0] if line[:1] in ("+", "-", " ") and not line.startswith("-----") else "" for line in rest]
    return "\n".join([MASK, *(f"{sign}{MASK}" for sign in signed)]) if first else found[0]
