"""Texts in place of queries, from what people write to what only an attacker sends."""

import random
from collections.abc import Callable

FIELDS = [
    "params.lr",
    "params.model",
    "metrics.loss",
    "metrics.loss.min",
    "metrics.loss.count",
    "tags.team",
    "env.python.version",
    "data.x.rows",
    "summary.t",
    "started",
    "ended",
    "duration",
    "status",
    "name",
    "id",
    "parent",
    "experiment",
    "params['x y']",
    'params["\\ud800"]',
    'params["\\x00"]',
    'params["\U0001f600"]',
    'metrics["a.b"].max',
    "params.été",
    "params.ℌ",
    "nope",
    "params",
    "loss",
    "params.a.b.c",
    "status.x",
    "params[0]",
    "params[lr]",
    "params['a'][0]",
    "metrics['" + "m" * 900 + "']",
    "lr",
]
CONSTANTS = [
    "0",
    "1",
    "-1",
    "0.1",
    "1e308",
    "1e999",
    "-1e999",
    "nan",
    "True",
    "None",
    "'a'",
    "''",
    '"\\ud800"',
    "'\\x00'",
    "'2026-01-01'",
    "'9999-12-31T23:59:59.999999+23:59'",
    "'0001-01-01T00:00-23:59'",
    "ago('7d')",
    f"ago('{'9' * 300}w')",
    "ago('99999999999d')",
    "ago(1)",
    "b'x'",
    "1j",
    "...",
    f"0x{'f' * 5000}",
    f"0x{'f' * 800}",
    "9" * 5000,
    "9" * 900,
    "1_000",
    f"'{'x' * 50_000}'",
    "[1,2]",
    "('a',)",
    "{1}",
    "[]",
    "f'{1}'",
    "'%'",
    f"'{'%a_' * 150}'",
    "'finished'",
    "'running'",
    "lambda: 0",
    "(yield)",
    "(x:=1)",
    "*x",
    "`x`",
    "$x",
    "x if y else z",
    "[x for x in y]",
    "params.lr.__class__",
    "2**100000",
    "'(a+)+$'",
    "'(.*)*b'",
    "'[a-z]+$'",
    "'(?i)[\\x00-\\uffff]'",
    "'('",
    "'a{9999999999}'",
    "'(?<=a+)b'",
]
OPERATORS = [*"== != < <= > >= is in = && & | + - * / % ** @ <> ~ ^ <<".split(), "is not", "not in"]
SIGNS = [0, 9, 10, 13, 34, 39, 92, 40, 41, 0x2028, 0xD800, 0x202E, 0x1F600]


def query_of(luck: random.Random, depth: int) -> str:
    def term() -> str:
        return f"{luck.choice(FIELDS)} {luck.choice(OPERATORS)} {luck.choice(CONSTANTS + FIELDS)}"

    def repeated(*counts: int) -> int:
        return luck.choice(counts)

    def listed() -> str:
        return ", ".join(luck.choice(CONSTANTS) for _ in range(repeated(0, 1, 5, 300)))

    def called() -> str:
        name = luck.choice(["like", "match", "ago", "eval", "len"])
        return f"{name}({luck.choice(FIELDS)}, {luck.choice(CONSTANTS)})"

    def joined() -> str:
        words = luck.choice(["and", "or", "AND", ",", ";"])
        return f"({query_of(luck, depth - 1)} {words} {query_of(luck, depth - 1)})"

    def braced() -> str:
        count = repeated(10, 90, 200, 3000, 90_000)
        return "(" * count + term() + ")" * count

    ways: list[Callable[[], str]] = [
        term,
        term,
        called,
        called,
        braced,
        joined,
        lambda: "not " * repeated(1, 3, 60, 400) + query_of(luck, depth - 1),
        lambda: f"{luck.choice(FIELDS)} in [{listed()}]",
        lambda: f"{luck.choice(CONSTANTS)} {luck.choice(OPERATORS)} {luck.choice(FIELDS)} < {luck.choice(CONSTANTS)}",
        lambda: luck.choice(["-", "+", "~", "not "]) * repeated(100, 1000, 30_000) + "1 == params.lr",
        lambda: "params" + luck.choice([".a", "['a']", "[0]", "()"]) * repeated(100, 1000, 30_000) + " == 1",
        lambda: luck.choice([" and ", " or ", ", "]).join([luck.choice(FIELDS)] * repeated(9, 100, 1500, 20_000)),
        lambda: luck.choice([" and ", " or "]).join([f"{luck.choice(FIELDS)} == 1"] * repeated(9, 190, 1500)),
    ]
    text = term() if depth <= 0 else luck.choice(ways)()
    signs = list(text[:5000])
    for _ in range(repeated(0, 0, 0, 1, 5)):
        if signs:
            signs[luck.randrange(len(signs))] = chr(luck.choice([*SIGNS, luck.randrange(0x110000)]))
    return "".join(signs) if luck.random() < 0.3 else text
