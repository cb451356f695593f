"""Secrets by their names, and texts that may hold some: what every run needs, while `masking` is loaded by a few.

A name tells of a secret strongly, weakly or faintly. Under a `STRONG` one ("password") every value is a secret; under a
`WEAK` one ("token", "auth", "wandb_key") only a value that looks like one, as models have tokens and dicts have keys,
too; under a `FAINT` one ("key", "wandb") only a long one that nobody would think of.
"""

import re
from functools import lru_cache
from itertools import pairwise

MASK = "[masked]"
STRONG, WEAK, FAINT = 3, 2, 1

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STRONG_WORDS = frozenset(
    "password passwords passwd passphrase passphrases passcode pwd secret credential credentials apikey apikeys "
    "authorization passwort passwörter passwoerter kennwort kennwörter zugangsdaten anmeldedaten motdepasse contraseña "
    "contraseñas contrasena contrasenya credenciales credenciais credenziali senha segredo segreto secreto wachtwoord "
    "wachtwoorden hasło haslo lösenord losenord passord adgangskode salasana heslo jelszó jelszo şifre sifre parool "
    "lozinka".split()
)
_STRONG_ENDS = (  # "dbpassword", "clientsecret"
    "password", "passwd", "passphrase", "secret", "apikey", "passwort", "kennwort", "wachtwoord", "passord", "lösenord",
)  # fmt: skip
_STRONG_PAIRS = frozenset(
    [
        ("api", "key"), ("api", "keys"), ("secret", "key"), ("private", "key"), ("access", "key"), ("de", "passe"),
        ("palavra", "passe"), ("d", "ordine"), ("cle", "api"), ("clé", "api"), ("clave", "api"), ("chave", "api"),
        ("chiave", "api"), ("clave", "secreta"),
    ]
)  # fmt: skip
# Patterns as texts are compiled when a name or value first asks for them: few runs have one.
_STRONG_SCRIPTS = (  # words of languages that join them, or change their ends
    "парол|секрет(?!ар)|密码|密碼|口令|密钥|密鑰|パスワード|暗証番号|비밀번호|암호|κωδικ|كلمة.?(?:ال)?(?:مرور|سر)|סיסמ|पासवर्ड"
)
_WEAK_WORDS = frozenset("pass pw auth creds cred jwt cookie bearer signature passe schlüssel токен 令牌 토큰".split())
_OTHER_PASSES = frozenset("forward backward first second single multi low high band by n num".split())  # before "pass"
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
_FAINT_NAMES = frozenset("key keys wandb comet neptune openai anthropic huggingface cohere clearml replicate".split())
_HEX_KEY = r"[0-9a-f]{40}"  # of Weights & Biases
_PLAIN = (
    r"(?i)none|null|true|false|nil|auto|default|\[masked\]|\w*\*+|utf-?8|latin-?1|b?float\d+|u?int\d+"
    r"|\#[0-9a-f]{3,8}|\W+"
)
_WORDS = r"[a-z]{1,15}(?:[_./:-][a-z]{1,15})*|(?:[A-Z][a-z]{1,15})+"
_VERSION = r"[~^<>=!]{0,2}v?\d+(?:\.\d+){1,9}(?:[.+-]?(?:a|b|rc|dev|post|cu)\d+){0,3}"  # google-auth's
_LIKELY = r"[A-Za-z0-9_+/=.:~!@#$%^&*-]{5,}"  # one word without brackets
_COMMON = frozenset(
    "password passwd secret postgres postgresql mysql root admin administrator username localhost changeme default "
    "example testing development production public private anonymous guest token".split()
)

BEGINNINGS = (  # each value that `masking.forms` knows holds one of these
    "AKIA ASIA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- sk- k_live_ k_test_ hf_ xox xapp- hooks.slack AIza ya29. "
    "npm_ pypi-AgE dop_v1_ SG. eyJ :// gsk_ r8_ nvapi- dckr_pat_ hvs. shpat_ glsa_ GOCSPX- pcsk_ lsv2_ tvly- figd_ "
    "ATATT3 pplx- xai- dapi AGE-SECRET- jdbc:oracle Bearer :AA discord sig= X-Amz-S X-Goog-S".split()
)
STEMS = (  # one of these is in all telling names, and beside all secrets that stand without one
    *"pass pw secret cred key auth token jwt cookie bearer signature kennw daten cle_api clave chave chiave".split(),
    *"contras senha segre wacht haslo losenord kode sana heslo jelsz sifre ordine parool lozinka wandb comet".split(),
    *"neptune openai anthropic huggingface cohere clearml replicate --user mysql mariadb redis-cli login".split(),
    *(" -u", " -p", '"-u', "'-u"),
)
FOREIGN_STEMS = (
    "парол секрет токен 密 口令 令牌 パスワード 暗証 비밀번호 암호 토큰 κωδικ كلمة סיסמ पासवर्ड hasło lösenord şifre "
    "jelszó schlüssel clé".split()
)


@lru_cache(maxsize=4096)
def strength(name: str) -> int:
    """Rate how clearly a name tells of a secret: STRONG ("db_password"), WEAK ("HF_TOKEN"), FAINT ("key"), or 0."""
    if name in ("PWD", "OLDPWD"):
        return 0  # the working directory
    if name.isascii():
        words = [word.lower() for word in _PARTS.findall(name)]
    else:
        words = re.findall(r"[^\W\d_]+", name.lower())
        if re.search(_STRONG_SCRIPTS, name.lower()):
            return STRONG
    pairs = set(pairwise(words))
    if not _STRONG_WORDS.isdisjoint(words) or not _STRONG_PAIRS.isdisjoint(pairs):
        return STRONG
    if any(word.endswith(_STRONG_ENDS) for word in words):
        return STRONG
    if any(pair[1] in ("key", "keys") and pair[0] in _WEAK_KEYS for pair in pairs):
        return WEAK
    if any(_is_weak(place, words) for place in range(len(words))):
        return WEAK
    return FAINT if words and words[-1] in _FAINT_NAMES and (len(words) == 1 or "." in name) else 0


def _is_weak(place: int, words: list[str]) -> bool:
    """Return True if a word means a credential; after it only words such as "read" or "prod" may follow."""
    word, before = words[place], words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if after and after not in _AFTER_TOKEN and not after.isdecimal():
        return False
    if word in ("token", "tokens"):
        return before not in _MODEL_TOKENS
    if word == "pass" and before in _OTHER_PASSES:
        return False
    return word in _WEAK_WORDS or (word.endswith("token") and word.startswith(_TOKEN_STARTS))


def is_secret(name: str, value: object) -> bool:
    """Return True if the value of a name is a secret."""
    level = strength(name)
    if not level or value is None or isinstance(value, bool):
        return False
    if not isinstance(value, str):
        return level == STRONG and isinstance(value, int | float)
    if not value or re.fullmatch(_PLAIN, value) or (value.startswith(("/", "~/", "./")) and "pwd" in name.lower()):
        return False
    if level == FAINT:
        return is_random(value) or (
            re.fullmatch(_HEX_KEY, value) is not None and not name.lower().endswith(("key", "keys"))
        )
    return level == STRONG or is_likely(value)


def is_likely(value: str) -> bool:
    """Return True if a value could be a credential: one word that mixes kinds of characters, or is long."""
    if not re.fullmatch(_LIKELY, value) or re.fullmatch(_VERSION, value):
        return False
    return any(char.isdigit() for char in value) or not value.isalpha() or value != value.lower() or len(value) >= 20


def is_mixed(value: str) -> bool:
    """Return True if a value mixes letters with digits or signs, as words and names of options hardly do."""
    if value.isdecimal():
        return len(value) >= 6
    has_letter = any(map(str.isalpha, value))
    return has_letter and (any(map(str.isdigit, value)) or not set("!@#$%^&+=~").isdisjoint(value))


def is_random(value: str) -> bool:
    """Return True for a long word of letters and digits between which no word is to be seen."""
    if len(value) < 20 or not value.isascii() or not value.replace("_", "").replace("-", "").isalnum():
        return False
    kinds = [2 if char.isdigit() else 1 if char.isupper() else 0 for char in value]
    changes = sum(a != b and (a, b) != (1, 0) for a, b in pairwise(kinds))  # "Na" begins a word
    return len(set(kinds)) == 3 and changes >= 0.3 * len(value)


def is_words(value: str) -> bool:
    """Return True for words alone, as code writes names of things: input_ids, StrictBool."""
    return re.fullmatch(_WORDS, value) is not None


def is_uncommon(value: str) -> bool:
    """Return True if a secret is so uncommon that every occurrence of it can be masked."""
    if value.lower() in _COMMON or re.fullmatch(_PLAIN, value) or value.isdecimal():
        return False
    return len(value) >= 12 or (len(value) >= 6 and not value.isalpha())


def may_hold_value(text: str) -> bool:
    """Return False for a text that holds nothing in the form of a well-known service's secrets; takes little time."""
    for beginning in BEGINNINGS:  # noqa: SIM110  # any() takes twice as long
        if beginning in text:
            return True
    return False


def may_tell(text: str) -> bool:
    """Return False for a text without a name that tells of a secret, and without a command line; takes little time."""
    lower = text.lower()
    for stem in STEMS:
        if stem in lower:
            return True
    return not text.isascii() and any(stem in lower for stem in FOREIGN_STEMS)
