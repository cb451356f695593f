"""Secrets in text, found by telling names, by the formats of well-known services, and by assignments.

A name tells of a secret strongly or weakly. Under a `STRONG` one ("password") every value is a secret; under a `WEAK`
one ("token", "auth", "wandb_key") only a value that looks like one, as models have tokens and dicts have keys, too.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

MASK = "[masked]"
STRONG, WEAK = 2, 1

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STRONG_WORDS = frozenset(
    "password passwords passwd passphrase passphrases passcode pwd secret credential credentials apikey apikeys "
    "authorization".split()
)
_STRONG_ENDS = ("password", "passwd", "passphrase", "secret", "apikey")  # "dbpassword", "clientsecret"
_STRONG_PAIRS = frozenset([("api", "key"), ("api", "keys"), ("secret", "key"), ("private", "key"), ("access", "key")])
_WEAK_WORDS = frozenset("pass pw auth creds cred jwt cookie bearer signature".split())
_WEAK_KEYS = frozenset(  # words before "key" in names of secrets
    "ssh wandb hf openai anthropic aws gcp azure comet neptune github gitlab stripe twilio sendgrid slack service hub "
    "deploy license app application client consumer server rsa pgp gpg account signing encryption master auth storage "
    "subscription shared session webhook mlflow clearml cohere mistral google".split()
)
_TOKEN_STARTS = (  # of "authtoken", "usertoken"
    "access", "auth", "api", "refresh", "session", "hub", "bot", "user", "id", "bearer", "github", "hf",
)  # fmt: skip
# Words that may follow "token" and the like.
_AFTER_TOKEN = frozenset("read write value secret main prod production dev test admin default".split())
# Words before "token" where it means a token of a language model, or a number of them.
_MODEL_TOKENS = frozenset(
    "pad padding eos bos sep cls mask unk special image video audio start end decoder encoder prefix suffix new first "
    "last per max min num n next forced additional sub word placeholder initializer delimiter blank boi eoi stop lang "
    "language response output input target source prompt bot eot system assistant trigger fill class type total".split()
)
_PLAIN = re.compile(r"(?i)none|null|true|false|nil|auto|default|\[masked\]|\*+")
_VERSION = re.compile(r"[~^<>=!]{0,2}v?\d+(?:\.\d+){1,4}(?:[.+-]?(?:a|b|rc|dev|post|cu)\d+){0,3}")  # google-auth's
_LIKELY = re.compile(r"[A-Za-z0-9_+/=.:~!@#$%^&*-]{5,}")  # one word without brackets
_COMMON = frozenset(
    "password passwd secret postgres postgresql mysql root admin administrator username localhost changeme default "
    "example testing development production public private anonymous guest token".split()
)

_VALUES = re.compile(
    r"""
      \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                                     # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{20,}                                      # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                                        # GitLab
    | \bsk-(?:[A-Za-z0-9_]{1,12}-){0,4}[A-Za-z0-9_-]*[A-Za-z0-9]{16,}[A-Za-z0-9_-]*  # OpenAI, Anthropic
    | \b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}                           # Stripe
    | \bhf_[A-Za-z0-9]{16,}                                             # Hugging Face
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                                  # Slack
    | \bhooks\.slack\.com/services/[A-Za-z0-9/_-]+
    | \bdiscord(?:app)?\.com/api/webhooks/[A-Za-z0-9/_-]+
    | \b\d{8,10}:[A-Za-z0-9_-]{30,}                                     # Telegram
    | \bAIza[A-Za-z0-9_-]{30,}                                          # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-AgE[A-Za-z0-9_-]{16,}
    | \bdop_v1_[a-f0-9]{40,}                                            # DigitalOcean
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}                      # SendGrid
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*         # JSON web token
    | (?<=://)[^\s/:@"'\\]{0,200}:[^\s"'\\]{1,200}(?=@[\w.\[\]-]+(?:[:/?#\s"'\\),;]|$))  # user:password@host
    | (?<=://)[^\s/:@"'\\]{16,200}(?=@)                                 # token@host
    | (?<=[?&]sig=)[^&\s"']+ | (?<=[?&]X-Amz-Signature=)[^&\s"']+ | (?<=[?&]X-Goog-Signature=)[^&\s"']+
    | (?<=[?&]X-Amz-Security-Token=)[^&\s"']+
    | (?<=\bBearer\ )(?=[^\s"']*[\d.])[A-Za-z0-9._~+/=-]{8,}
    """,
    re.VERBOSE,
)
# The beginnings of all values above; files too large for the patterns are searched for these first.
_BEGINNINGS = (
    b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"sk-", b"k_live_",
    b"k_test_", b"hf_", b"xox", b"hooks.slack", b"AIza", b"ya29.", b"npm_", b"pypi-AgE", b"dop_v1_", b"SG.", b"eyJ",
    b"://", b"Bearer ", b"PRIVATE KEY",
)  # fmt: skip
_PRINTABLE = re.compile(rb"[ -~]{12,}")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S
)
_AUTHORIZATION = re.compile(
    r"""(?i)(\bauthorization\b\\*["']?\s*[:=,]\s*\\*["']?(?:(?:basic|token|digest|apikey)[ ]+)?)([^\s"',}\\]{4,})"""
)
_OPTION = re.compile(r"(?P<option>(?<!\S)--[A-Za-z][\w-]{1,60} )(?!-)(?P<value>\S+)")

# A name and a sign, perhaps with a type between them; quotes may be escaped, as in JSON within a text.
_TYPE = r"[\w.]+(?:\[[^\]\n]{0,60}\])?"
_ASSIGNED = re.compile(
    rf"""(?<![\w-])(?P<name>[A-Za-z_-][\w.-]{{0,80}})(?:\\*["'])?\]?\s?"""
    rf"""(?P<sign>:\s?{_TYPE}(?:\s?\|\s?{_TYPE}){{0,5}}\s?=(?!=)|[:=](?!=)>?)[ \t]?[ \t]?"""
)
_QUOTED = re.compile(
    r"""[rbufRBUF]{0,2}(?P<quote>\\*(?:\"{3}|'{3}|["']))(?P<value>(?:(?!(?P=quote))(?:\\[^\n]|[^\\])){0,4000}?)(?P=quote)"""
)
_BARE = re.compile(r"""(?P<value>[^\s"',;(){}\[\]<>\\]{4,})""")
_LINE = re.compile(r"""(?P<value>(?:(?!\s\#)[^\n"',;(){}\[\]<>\\]){4,200})""")
_NEXT_ARGUMENT = re.compile(  # getenv("DB_PASSWORD", "x"), add_argument("--password", default="x"), ["password", "x"]
    r"""(?P<quote>\\*["'])(?P<name>-{0,2}[A-Za-z_][\w.-]{2,60})(?P=quote)\s{0,5},\s{0,5}(?:(?:default|value|fallback)\s?=\s?)?(?=\\*["'])"""
)
_ENTRY = re.compile(  # name: DB_PASSWORD, and in the next line value: x
    r"""name:\s*["']?(?P<name>[\w.-]{3,60})["']?[ \t]*\n[+\- \t]*value:[ \t]*["']?(?P<value>[^\s"']+)"""
)
_BLOCK = re.compile(  # a key of YAML whose value follows in deeper lines
    r"(?m)^(?P<head>(?P<indent>[+\- ]?[ \t]*)(?P<name>[A-Za-z_][\w.-]{0,60}):[ \t]*[|>]?[+-]?[ \t]*\n)"
    r"(?P<body>(?:(?P=indent)(?:[ \t]+|-[ \t]+)\S[^\n]*(?:\n|\Z))+)"
)
_SETTING = re.compile(r"[A-Z0-9_]+=\S+")
Spans = Callable[[str, re.Match[str]], list[tuple[int, int]]]
_REACH = 300  # characters of an expression that are searched for a value
_SPECIAL = re.compile(r"""["'\\()\[\]{}\n,;:]""")
_SUSPICIOUS = re.compile(r"""[=:"'@/_.-]|AKIA|ASIA|AIza|eyJ""")  # a text without any holds no secret of these forms


@lru_cache(maxsize=4096)
def strength(name: str) -> int:
    """Rate how clearly a name tells of a secret: STRONG ("db_password"), WEAK ("HF_TOKEN"), or 0 ("pad_token")."""
    if name in ("PWD", "OLDPWD"):
        return 0  # the working directory
    words = [word.lower() for word in _PARTS.findall(name)]
    pairs = set(pairwise(words))
    if not _STRONG_WORDS.isdisjoint(words) or not _STRONG_PAIRS.isdisjoint(pairs):
        return STRONG
    if any(word.endswith(_STRONG_ENDS) for word in words):
        return STRONG
    if any(pair[1] in ("key", "keys") and pair[0] in _WEAK_KEYS for pair in pairs):
        return WEAK
    return WEAK if any(_is_weak(place, words) for place in range(len(words))) else 0


def _is_weak(place: int, words: list[str]) -> bool:
    """Return True if a word means a credential; after it only words such as "read" or "prod" may follow."""
    word, before = words[place], words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if after and after not in _AFTER_TOKEN and not after.isdecimal():
        return False
    if word in ("token", "tokens"):
        return before not in _MODEL_TOKENS
    return word in _WEAK_WORDS or (word.endswith("token") and word.startswith(_TOKEN_STARTS))


def is_secret(name: str, value: object) -> bool:
    """Return True if the value of a name is a secret."""
    level = strength(name)
    if not level or value is None or isinstance(value, bool):
        return False
    if not isinstance(value, str):
        return level == STRONG and isinstance(value, int | float)
    if not value or _PLAIN.fullmatch(value) or (value.startswith(("/", "~/", "./")) and "pwd" in name.lower()):
        return False
    return level == STRONG or is_likely(value)


def is_likely(value: str) -> bool:
    """Return True if a value could be a credential: one word that mixes kinds of characters, or is long."""
    if not _LIKELY.fullmatch(value) or _VERSION.fullmatch(value):
        return False
    return any(char.isdigit() for char in value) or not value.isalpha() or value != value.lower() or len(value) >= 20


def is_uncommon(value: str) -> bool:
    """Return True if a secret is so uncommon that every occurrence of it can be masked."""
    if value.lower() in _COMMON or _PLAIN.fullmatch(value) or value.isdecimal():
        return False
    return len(value) >= 12 or (len(value) >= 6 and not value.isalpha())


def find_values(text: str) -> list[str]:
    """Return the parts of a text that have the form of a well-known service's secrets."""
    if not _SUSPICIOUS.search(text):
        return []
    return [found[0].rpartition(":")[2] for found in _VALUES.finditer(text)]


def holds_value(data: bytes) -> bool:
    """Return True if bytes of any kind and size hold something in the form of a well-known service's secrets."""
    for beginning in _BEGINNINGS:
        place = data.find(beginning)
        while place >= 0:
            part = _PRINTABLE.search(data, max(0, place - 40), place + 400)
            while part and part.end() <= place:
                part = _PRINTABLE.search(data, part.end(), place + 400)
            text = part[0].decode("ascii") if part and part.start() <= place else ""
            if _VALUES.search(text) or _PRIVATE_KEY.search(text):
                return True
            place = data.find(beginning, place + len(beginning))
    return False


def mask_text(
    text: str,
    known: "re.Pattern[str] | None" = None,
    *,
    in_code: bool = False,
    learn: Callable[[str], object] = lambda value: None,
) -> str:
    """Return the text with its secrets masked, and with as many lines as before.

    With `in_code`, bare words are names and not values. `learn` is called with each value of a telling name.
    """
    if len(text) < 4:
        return text
    if not _SUSPICIOUS.search(text):
        return text if known is None else known.sub(MASK, text)
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(_mask_key, text)
    text = _VALUES.sub(MASK, text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    if not in_code:
        text = _OPTION.sub(_mask_option, text)
        if "\n" in text and ":" in text:
            text = _ENTRY.sub(_mask_entry, text)
            text = _BLOCK.sub(_mask_block, text)
    text = _mask_following(text, _NEXT_ARGUMENT, _next_literal, learn)
    text = _mask_following(text, _ASSIGNED, _code_value if in_code else _text_value, learn)
    return text if known is None else known.sub(MASK, text)


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
                learn(text[begin:end])
                pieces += [text[done:begin], MASK if "\n" not in text[begin:end] else _mask_lines(text[begin:end])]
                done = place = end
    return "".join([*pieces, text[done:]])


def _next_literal(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    value = _QUOTED.match(text, found.end())
    return [value.span("value")] if value else []


def _text_value(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    """Find the value of a name in text: in quotes, one word, or for a strong name the rest of the line."""
    value = _QUOTED.match(text, found.end())
    if value is None and strength(found["name"]) == STRONG and found["sign"] == ":":
        value = _LINE.match(text, found.end())
    value = value or _BARE.match(text, found.end())
    return [value.span("value")] if value else []


def _code_value(text: str, found: re.Match[str]) -> list[tuple[int, int]]:
    """Find the literals in an expression of code; bare words count only in a string or in a line like NAME=word."""
    around = _quote_around(text, found)
    bare = _BARE.match(text, found.end())
    if around or (bare is not None and _SETTING.fullmatch(text[found.start() : bare.end()])):
        value = None if text.startswith(around or "\0", found.end()) else _QUOTED.match(text, found.end())
        value = value or bare
        return [value.span("value")] if value else []
    spans = []
    depth = 0
    place, limit = found.end(), min(len(text), found.end() + _REACH)
    while special := _SPECIAL.search(text, place, limit):
        direct = not text[found.end() : special.start()].strip(" ([{\n+-")  # else it may be the argument of a call
        place = special.end()
        char = special[0]
        literal = _QUOTED.match(text, special.start()) if char in "\"'\\" else None
        if literal:
            content = literal["value"]
            if (direct or is_likely(content)) and not content.isupper():  # os.environ["API_KEY"] only names one
                spans.append(literal.span("value"))
            place = literal.end()
            continue
        depth += (char in "([{") - (char in ")]}")
        if depth < 0 or (depth == 0 and char in "\n,;:"):
            break
    return spans


def _quote_around(text: str, found: re.Match[str]) -> str:
    """Return the opening quote of the string of code that the name stands in; "" outside of strings."""
    start = found.start()
    before = text[max(text.rfind("\n", max(0, start - _REACH), start) + 1, start - _REACH, 0) : start]
    if before.endswith(('"', "'")) and text[found.end("name") : found.end("name") + 1] == before[-1]:
        before = before[:-1]  # the name itself is in quotes
    return next((quote for quote in "\"'" if before.count(quote) % 2), "")


def _mask_option(found: re.Match[str]) -> str:
    return f"{found['option']}{MASK}" if is_secret(found["option"].strip(), found["value"]) else found[0]


def _mask_entry(found: re.Match[str]) -> str:
    if not is_secret(found["name"], found["value"]):
        return found[0]
    return found[0][: found.start("value") - found.start()] + MASK + found[0][found.end("value") - found.start() :]


def _mask_block(found: re.Match[str]) -> str:
    if not strength(found["name"]) or ":" in found["body"].partition("\n")[0].replace("://", ""):
        return found[0]  # a mapping: its own keys tell
    return found["head"] + _mask_lines(found["body"])


def _mask_lines(text: str) -> str:
    """Mask every line; keep its sign in a patch and its indent."""
    return "\n".join(re.sub(r"(?m)^([+\- ]?[ \t]*(?:- )?)\S.*$", rf"\1{MASK}", line) for line in text.split("\n"))


def _mask_key(found: re.Match[str]) -> str:
    first, *rest = found[0].split("\n")
    signed = [line[0] if line[:1] in ("+", "-", " ") and not line.startswith("-----") else "" for line in rest]
    return "\n".join([MASK, *(f"{sign}{MASK}" for sign in signed)]) if first else found[0]
