"""Secrets in text: in the forms of well-known services, assigned to telling names, and what `unassigned` finds."""

import re
from collections.abc import Callable
from functools import partial

from runlore.plugins.masking.forms import mask_keys, mask_values
from runlore.plugins.masking.unassigned import mask_unassigned
from runlore.plugins.secret_words import (
    MASK,
    STRONG,
    WEAK,
    is_likely,
    is_secret,
    is_words,
    may_hold_value,
    may_tell,
    strength,
)

_AUTHORIZATION = (
    r"""(?i)(\bauthorization\b\\*["']?\s*[:=,]\s*\\*["']?(?:(?:basic|token|digest|apikey)[ ]+)?)([^\s"',}\\]{4,})"""
)
_OPTION = r"(?P<option>(?<!\S)--[A-Za-z][\w-]{1,60} )(?!-)(?P<value>\S+)"

# A name and a sign, perhaps with a type between them; quotes may be escaped, as in JSON within a text.
_TYPE = r"[\w.]+(?:\[[^\]\n]{0,60}\])?"
_SIGN = rf"""(?:\\*["'])?\]?\s?(?P<sign>:\s?{_TYPE}(?:\s?\|\s?{_TYPE}){{0,5}}\s?=(?!=)|[:=：＝](?!=)>?)[ \t]?[ \t]?"""
_ASSIGNED = rf"""(?<![\w-])(?P<name>[A-Za-z_-][\w.-]{{0,80}}){_SIGN}"""
_ASSIGNED_ABROAD = rf"""(?<![\w-])(?P<name>(?:[^\W\d]|-)[\w.-]{{0,80}}){_SIGN}"""  # takes longer
_QUOTED = (
    r"""[rbufRBUF]{0,2}(?P<quote>\\*(?:\"{3}|'{3}|["']))"""
    r"""(?P<value>(?:(?!(?P=quote))(?:\\[^\n]|[^\\])){0,4000}?)(?P=quote)"""
)
MAX_BARE = 4000  # characters of a value without quotes that are looked at
_BARE = r"""(?P<value>[^\s"',;(){}\[\]<>\\]{4,4000})"""  # MAX_BARE; a longer one is taken to its end where it is masked
_MORE = r"""[^\s"',;(){}\[\]<>\\]*"""
_LINE = r"""(?P<value>(?:(?!\s\#)[^\n"',;(){}\[\]<>\\]){4,200})"""
_NEXT_ARGUMENT = (  # getenv("DB_PASSWORD", "x"), add_argument("--password", default="x"), ["password", "x"]
    r"""(?P<quote>\\*["'])(?P<name>-{0,2}[^\W\d][\w.-]{2,60})(?P=quote)\s{0,5},\s{0,5}(?:(?:default|value|fallback)\s?=\s?)?(?=\\*["'])"""
)
_ENTRY = (  # name: DB_PASSWORD, and in the next line value: x
    r"""name:\s*["']?(?P<name>[\w.-]{3,60})["']?[ \t]*\n[+\- \t]*value:[ \t]*["']?(?P<value>[^\s"']+)"""
)
_BLOCK = (  # a key of YAML whose value follows in deeper lines
    r"(?m)^(?P<head>(?P<indent>[+\- ]?[ \t]*)(?P<name>[^\W\d][\w.-]{0,60}):[ \t]*[|>]?[+-]?[ \t]*\n)"
    r"(?P<body>(?:(?P=indent)(?:[ \t]+|-[ \t]+)\S[^\n]*(?:\n|\Z))+)"
)
_SETTING = r"[A-Z0-9_]+=\S+"
Spans = Callable[[str, re.Match[str]], list[tuple[int, int]]]
_REACH = 300  # characters of an expression that are searched for a value
_SPECIAL = r"""["'\\()\[\]{}\n,;:]"""


def mask_text(
    text: str,
    known: "re.Pattern[str] | None" = None,
    *,
    in_code: bool = False,
    learn: Callable[[str], object] = lambda value: None,
    learn_value: Callable[[str], object] = lambda value: None,
) -> str:
    """Return the text with its secrets masked, and with as many lines as before.

    With `in_code`, bare words are names and not values. `learn` is called with each value of a telling name,
    `learn_value` with each that is known by its form.
    """
    if "PRIVATE KEY" in text:
        text = mask_keys(text)
    if may_hold_value(text):
        text = mask_values(text, learn_value)
    if may_tell(text):
        text = _mask_named(text, in_code, learn)
    return text if known is None else known.sub(MASK, text)


def _mask_named(text: str, in_code: bool, learn: Callable[[str], object]) -> str:
    """Mask the values of telling names."""
    if "authorization" in text.lower():
        text = re.compile(_AUTHORIZATION).sub(rf"\1{MASK}", text)
    if not in_code:
        if "--" in text:
            text = re.compile(_OPTION).sub(partial(_mask_option, learn), text)
        if "\n" in text and ":" in text:
            text = re.compile(_ENTRY).sub(_mask_entry, text)
            text = re.compile(_BLOCK).sub(_mask_block, text)
    text = _mask_following(text, re.compile(_NEXT_ARGUMENT), _next_literal, learn)
    assigned = re.compile(_ASSIGNED if text.isascii() else _ASSIGNED_ABROAD)
    text = _mask_following(text, assigned, _code_value if in_code else _text_value, learn)
    if " " not in text and "<" not in text and not any(sign in text for sign in "|\n") and text.isascii():
        return text
    return mask_unassigned(text, in_code, learn)


def mask_patch(
    text: str,
    known: "re.Pattern[str] | None",
    is_code: Callable[[str], bool],
    learn: Callable[[str], object] = lambda value: None,
) -> str:
    """Return a unified diff with its secrets masked, each file as code or as text."""
    parts = re.split(r"(?m)^(?=diff --git )", text)
    masked = []
    for part in parts:
        name = re.search(r"(?m)^(?:\+\+\+ b/|--- a/)(.+?)\t?$", part)
        masked.append(mask_text(part, known, in_code=name is not None and is_code(name[1]), learn=learn))
    return "".join(masked)


def _mask_following(text: str, head: re.Pattern[str], spans_of: Spans, learn: Callable[[str], object]) -> str:
    """Mask the values of telling names; `head` finds a name, `spans_of` the values that follow it."""
    pieces = []
    done = place = 0
    while found := head.search(text, place):
        place = found.end("name")
        if not strength(found["name"]) or found["name"].lower() == "authorization":
            continue
        for begin, end in spans_of(text, found):
            if begin >= done and is_secret(found["name"], text[begin:end]):
                more = re.compile(_MORE).match(text, end) if end - begin == MAX_BARE else None
                end = more.end() if more else end
                learn(text[begin:end])
                pieces += [text[done:begin], MASK if "\n" not in text[begin:end] else _mask_lines(text[begin:end])]
                done = place = end
    return "".join([*pieces, text[done:]])


def _next_literal(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    value = re.compile(_QUOTED).match(text, found.end())
    if value is None or (strength(found["name"]) < STRONG and _names(found["name"], value["value"], direct=True)):
        return []
    return [value.span("value")]


def _text_value(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    """Find the value of a name in text: in quotes, one word, or for a strong name the rest of the line."""
    value = re.compile(_QUOTED).match(text, found.end())
    if value is None and strength(found["name"]) == STRONG and found["sign"] == ":":
        value = re.compile(_LINE).match(text, found.end())
    value = value or re.compile(_BARE).match(text, found.end())
    return [value.span("value")] if value else []


def _code_value(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    """Find the literals in an expression of code; bare words count only in a string or in a line like NAME=word."""
    around = _quote_around(text, found)
    bare = re.compile(_BARE).match(text, found.end())
    if around or (bare is not None and re.compile(_SETTING).fullmatch(text[found.start() : bare.end()])):
        value = None if text.startswith(around or "\0", found.end()) else re.compile(_QUOTED).match(text, found.end())
        value = value or bare
        return [value.span("value")] if value else []
    spans = []
    depth = 0
    place, limit = found.end(), min(len(text), found.end() + _REACH)
    while special := re.compile(_SPECIAL).search(text, place, limit):
        direct = not text[found.end() : special.start()].strip(" ([{\n+-")  # else it may be the argument of a call
        place = special.end()
        char = special[0]
        literal = re.compile(_QUOTED).match(text, special.start()) if char in "\"'\\" else None
        if literal:
            content = literal["value"]
            if not _names(found["name"], content, direct) and (direct or is_likely(content)):
                spans.append(literal.span("value"))
            place = literal.end()
            continue
        depth += (char in "([{") - (char in ")]}")
        if depth < 0 or (depth == 0 and char in "\n,;:"):
            break
    return spans


def _names(name: str, content: str, direct: bool) -> bool:
    """Return True for a literal that names something: os.environ["API_KEY"], vault("hf-token"), tokens["input_ids"]."""
    if content.isupper() or (not direct and strength(content) > 0):
        return True
    return strength(name) < STRONG and is_words(content)


def _quote_around(text: str, found: re.Match[str]) -> str:
    """Return the opening quote of the string of code that the name stands in; "" outside of strings."""
    start = found.start()
    before = text[max(text.rfind("\n", max(0, start - _REACH), start) + 1, start - _REACH, 0) : start]
    if before.endswith(('"', "'")) and text[found.end("name") : found.end("name") + 1] == before[-1]:
        before = before[:-1]  # the name itself is in quotes
    return next((quote for quote in "\"'" if before.count(quote) % 2), "")


def _mask_option(learn: Callable[[str], object], found: re.Match[str]) -> str:
    if not is_secret(found["option"].strip(), found["value"]):
        return found[0]
    learn(found["value"])
    return f"{found['option']}{MASK}"


def _mask_entry(found: re.Match[str]) -> str:
    if not is_secret(found["name"], found["value"]):
        return found[0]
    return found[0][: found.start("value") - found.start()] + MASK + found[0][found.end("value") - found.start() :]


def _mask_block(found: re.Match[str]) -> str:
    if strength(found["name"]) < WEAK or ":" in found["body"].partition("\n")[0].replace("://", ""):
        return found[0]  # a mapping: its own keys tell
    return found["head"] + _mask_lines(found["body"])


def _mask_lines(text: str) -> str:
    """Mask every line; keep its sign in a patch and its indent."""
    return "\n".join(re.sub(r"(?m)^([+\- ]?[ \t]*(?:- )?)\S.*$", rf"\1{MASK}", line) for line in text.split("\n"))
