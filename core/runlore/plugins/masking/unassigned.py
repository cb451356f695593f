"""Secrets that no name and sign precede: in prose, comments, command lines, calls, XML, tables and netrc files."""

import re
from collections.abc import Callable

from runlore.plugins.masking.forms import sub_in_lines
from runlore.plugins.secret_words import MASK, STRONG, is_mixed, is_secret, strength

Learn = Callable[[str], object]

_GAP = r"""(?:["',\s\0]{1,6})"""  # between the words of a command line, of a list of them in code, or of arguments
_END = r"""[^\s\0"',)\]]"""  # a character of such a word
_REST = r"[^|;&\n]{0,300}?"  # of the command line
_ALGORITHM = r"(?i)(?:argon2|pbkdf2|sha|md5|base\d|utf|oauth|ntlm|aes|rsa|bcrypt|scrypt)[\w-]*|\d+-?[a-z]+|v\d+"
_ORDINARY = frozenset(
    "str string bytes bool none null text secret password passwd token number list dict object path true false"
    " required optional here below above hidden masked redacted unknown empty missing changeme todo".split()
)
_SPOKEN = (
    r"(?:pass(?:word|wort|phrase|code|wd)|kennwort|api[ _-]?key|mot de passe|contraseña|contrasena|senha|palavra-passe|"
    r"wachtwoord|hasło|haslo|lösenord|passord|heslo|salasana|şifre|jelszó|пароль)"
)
_SPOKEN_PARTS = tuple("pass kennw api contras senha wacht has lösenord heslo salasana şifre jelszó пароль".split())
_OF = r"(?:\s(?:for|of|to|für|von|pour|de|del|di|do|voor|do|для|от)\s[^\n.:;,=]{1,40}?)?"
_IS = r"(?:\s(?:is|was|are|ist|war|lautet|est|es|era|é|è|jest|to|on|это|=|:)\s|\s?[:=]\s?)"


class _Form:
    """A pattern whose group `value` is a secret if `means` says so; looked for in lines that hold one of `parts`."""

    __slots__ = ("means", "parts", "pattern")

    def __init__(self, parts: tuple[str, ...], pattern: str, means: Callable[[re.Match[str]], bool]) -> None:
        self.parts = parts  # in small letters
        self.pattern = pattern
        self.means = means


def _is_any(found: re.Match[str]) -> bool:
    return True


def _is_named(found: re.Match[str]) -> bool:
    return is_secret(found["name"], found["value"])


def _is_mixed(found: re.Match[str]) -> bool:
    return is_mixed(found["value"].rstrip(".,;:!?")) and not found["value"].endswith(("/", ".py", ".sh"))


def _is_literal(found: re.Match[str]) -> bool:
    value = found["value"]
    return len(value) >= 6 and not value.isupper() and " " not in value and is_mixed(value)


def _is_no_number(found: re.Match[str]) -> bool:
    return not found["value"].isdecimal()


def _is_spoken(found: re.Match[str]) -> bool:
    value = found["value"].rstrip(".,;:!?")
    return is_mixed(value) and re.fullmatch(_ALGORITHM, value) is None


def _is_long(found: re.Match[str]) -> bool:
    return len(found["value"]) >= 8 and _is_spoken(found)


def _is_in_table(found: re.Match[str]) -> bool:
    return strength(found["name"].strip(" *`")) == STRONG and is_mixed(found["value"].strip(" *`"))


def _is_symbolic(found: re.Match[str]) -> bool:
    value = found["value"]
    return len(value) >= 8 and "/" not in value and is_mixed(value) and not set("!#$%^&~").isdisjoint(value)


_COMMANDS = (
    _Form(("mysql", "mariadb"), rf"\b(?:mysql|mariadb)[\w-]*\b{_REST}{_GAP}-p(?P<value>{_END}+)", _is_any),
    _Form(("sshpass",), rf"\bsshpass{_GAP}-p{_GAP}?(?P<value>{_END}+)", _is_any),
    _Form(("redis-cli",), rf"\bredis-cli\b{_REST}{_GAP}-a{_GAP}(?P<value>{_END}+)", _is_any),
    _Form(
        ("curl", "wget", "http"),
        rf"\b(?:curl|wget|https?)\b{_REST}{_GAP}(?:-u|-U|-a|--user|--proxy-user|--auth)(?:{_GAP}|=)?"
        rf"[^\s\0:\"',]{{1,80}}:(?P<value>{_END}{{4,}})",
        _is_no_number,
    ),
    _Form(
        (" -p", "\0-p", '"-p', "'-p"),
        rf"(?:{_GAP})(?:-u|-U|--?user|--?username|--login)(?:{_GAP}|=)?(?!python)[A-Za-z][\w@-]{{0,40}}{_GAP}"
        rf"(?:-p|-P|-pw){_GAP}?(?P<value>{_END}+)",
        _is_mixed,
    ),
    _Form((" -p", "\0-p", '"-p', "'-p"), rf"{_GAP}-p{_GAP}?(?P<value>{_END}+)", _is_symbolic),
    _Form(("wandb",), rf"\bwandb{_GAP}login{_GAP}(?:--\w+{_GAP})?(?P<value>[\w-]{{30,}})", _is_mixed),
)
_TEXTS = (
    *_COMMANDS,
    _Form(
        _SPOKEN_PARTS, rf"(?i)\b{_SPOKEN}[*_`]*{_OF}{_IS}[*_`\"']*(?P<value>[^\s\"'`*,;()<>{{}}\[\]]{{4,}})", _is_spoken
    ),
    _Form(_SPOKEN_PARTS, rf"(?i)\b{_SPOKEN}\s[*_`\"']*(?P<value>[^\s\"'`*,;()<>{{}}\[\]]{{8,}})", _is_long),
    _Form(
        ("密", "口令", "パスワード", "비밀번호"),
        r"(?:密码|密碼|口令|密钥|密鑰|パスワード|비밀번호)\s*(?:是|为|為|は|는|은|[：:＝=])\s*(?P<value>[!-~]{4,})",
        _is_any,
    ),
    _Form(("</",), r"<(?P<name>[\w.:-]+)[^<>]{0,100}>(?P<value>[^<>\n]{4,200})</", _is_named),
    _Form(
        ("value",),
        r"""\b(?:key|name)\s?=\s?["'](?P<name>[\w.:-]+)["']\s+value\s?=\s?["'](?P<value>[^"'\n]{4,200})""",
        _is_named,
    ),
    _Form(("|",), r"\|(?P<name>[^|\n]{2,40})(?=\|)\|\s*(?P<value>[^|\s]{4,80})\s*(?=\|)", _is_in_table),
)
_NETRC = _Form(  # not in lines, as it is spread over three
    ("machine",), r"\bmachine\s+\S+\s+login\s+\S+(?:\s+account\s+\S+)?\s+password\s+(?P<value>\S+)", _is_any
)
_CALL_PARTS = ("login(", "auth(", "set_", "setpass", "setapi", "setsecret", "settoken", "authenticate(")
_CALLS = (
    r"(?i)\b(?:set_?(?:password|passwd|api_?key|secret|token)|HTTP(?:Basic|Digest)Auth|BasicAuth|login|authenticate)"
    r"\([^()\n]{6,200}\)"
)
_LITERAL = r"""(?P<quote>["'])(?P<value>[^"'\n]{0,200})(?P=quote)"""
_DEFAULT = _Form(  # a value that stands in where a variable is not set
    (" or ", "||", "??", " else "),
    r"""(?P<name>[^\W\d][\w.-]{2,60})["']?[\])]{0,2}\s{0,3}(?:or|\|\||\?\?|if\s[^\n]{1,60}?\selse)\s{1,3}"""
    r"""(?P<quote>["'])(?P<value>[^"'\n]{4,200})(?P=quote)(?!\s{0,2}(?:in|not|==|!=|<|>)\b)""",
    _is_named,
)
_COMMENT = r"(?:\#|//|/\*|<!--)[^\n]*"
_COMMENTS = ("#", "//", "/*", "<!--")
_REMARK = r"(?P<name>[^\W\d][\w.-]{1,60})\s?[:=]\s?[*_`\"']*(?P<value>[^\s\"'`*,;(){}\[\]<>]{4,200})(?P<rest>[^\n]*)"


def mask_unassigned(text: str, in_code: bool, learn: Learn) -> str:
    """Return a text with such secrets masked."""
    lower = text.lower()
    if _NETRC.parts[0] in lower:
        text = re.compile(_NETRC.pattern).sub(_masking(_NETRC.means, learn), text)
        lower = text.lower()
    for form in (*_TEXTS, _DEFAULT):
        text, lower = _mask(text, lower, form, learn)
    if not in_code:
        return text

    def in_comment(found: re.Match[str]) -> str:
        return re.compile(_REMARK).sub(_masking(_is_remark, learn), found[0])

    def in_call(found: re.Match[str]) -> str:
        return re.compile(_LITERAL).sub(_masking(_is_literal, learn), found[0])

    text = sub_in_lines(re.compile(_COMMENT), in_comment, text, text, _COMMENTS)
    return sub_in_lines(re.compile(_CALLS), in_call, text, text.lower(), _CALL_PARTS)


def mask_arguments(arguments: list[str], learn: Learn) -> list[str]:
    """Return the arguments of a process with those masked that its options, or the program, tell to be secret."""
    text = "\0".join(["", *arguments])
    masked = text
    for form in _COMMANDS:
        masked, text = _mask(masked, text, form, learn)
    found = masked.split("\0")[1:]
    return found if len(found) == len(arguments) else arguments


def _mask(text: str, lower: str, form: _Form, learn: Learn) -> tuple[str, str]:
    """Return the text with the secrets of a form masked, and that in small letters."""
    if not any(part in lower for part in form.parts):
        return text, lower
    pattern, replace = re.compile(form.pattern), _masking(form.means, learn)
    masked = sub_in_lines(pattern, replace, text, lower, form.parts)
    return masked, lower if masked == text else masked.lower()


def _masking(means: Callable[[re.Match[str]], bool], learn: Learn) -> Callable[[re.Match[str]], str]:
    def mask(found: re.Match[str]) -> str:
        value = found["value"].rstrip(".,;:!?") or found["value"]
        if MASK in value or not means(found):
            return found[0]
        learn(value)
        begin = found.start("value") - found.start()
        return found[0][:begin] + MASK + found[0][begin + len(value) :]

    return mask


def _is_remark(found: re.Match[str]) -> bool:
    """Return True for a value that mixes letters and digits, or the only word behind a name that tells of a secret."""
    value = found["value"].rstrip(".,;:!?")
    if not is_secret(found["name"], value):
        return False
    if "=" in value.rstrip("="):
        return False  # an expression
    if is_mixed(value):
        return re.fullmatch(_ALGORITHM, value) is None and "." not in value
    is_last = not found["rest"].strip(" */->`'\")")
    return is_last and strength(found["name"]) == STRONG and value.isalpha() and value.lower() not in _ORDINARY
