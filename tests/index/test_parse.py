"""From text to conditions: what each part becomes, and errors that point and suggest."""

import gc
import sys
import threading

import pytest

from runlore.errors import QueryError
from runlore.index.conditions import (
    Always,
    Comparison,
    Condition,
    FieldComparison,
    Junction,
    Match,
    Membership,
    Missing,
    Not,
    fields_of,
)
from runlore.index.fields import Field
from runlore.index.parse import parse_field, parse_query, parse_sort

N = Field("params", "n", "", 0)


def parse(where: str) -> Condition:
    return parse_query(where, lambda: 1000.0)


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        (" ", Always(True)),
        ("False", Always(False)),
        ("params.n < 3", Comparison(N, "<", 3)),
        ("params.n != -3", Comparison(N, "<>", -3)),
        ("3 < params.n", Comparison(Field("params", "n", "", 4), ">", 3)),
        ("params.n in [1, 'a']", Membership(N, (1, "a"))),
        ("params.n not in ()", Not(Membership(N, ()))),
        ("params.n is None", Missing(N)),
        ("params.n != None", Not(Missing(N))),
        ("like(name, 'a%')", Match(Field("", "", "name", 5), "like", "a%")),
        ("started > ago('1 m')", Comparison(Field("", "", "started", 0), ">", 940_000_000)),
        ("started > '1970-01-02'", Comparison(Field("", "", "started", 0), ">", 86_400_000_000)),
        ("params.n > metrics.a.b.min", FieldComparison(N, ">", Field("metrics", "a.b", "min", 11))),
        ("params.n > metrics['min']", FieldComparison(N, ">", Field("metrics", "min", "last", 11))),
        (
            "1 < params.n < 3 or True",
            Junction(
                "OR",
                (
                    Junction(
                        "AND",
                        (
                            Comparison(Field("params", "n", "", 4), ">", 1),
                            Comparison(Field("params", "n", "", 4), "<", 3),
                        ),
                    ),
                    Always(True),
                ),
            ),
        ),
    ],
)
def test_a_query_becomes_a_tree(where: str, condition: Condition) -> None:
    assert parse(where) == condition


def test_fields_come_in_the_order_of_the_query() -> None:
    found = fields_of(parse("not (1 < tags.t) and params.n < metrics.loss.min or like(name, 'a') or env.x.y in [1]"))
    assert [field.text for field in found] == ["tags.t", "params.n", "metrics.loss.min", "name", "env.x.y"]


def test_places_count_characters() -> None:
    (field,) = fields_of(parse(" 'ää' == params.n"))
    assert field.place == 9
    ((_, _), (field, descending)) = parse_sort('tags["ää"], -params.n')
    assert (field.place, descending) == (13, True)


@pytest.mark.parametrize(
    ("text", "table", "field"),
    [
        ("metrics.loss.max", "", Field("metrics", "loss", "max", 0)),
        ("status", "params", Field("", "", "status", 0)),
        ("loss", "metrics", Field("metrics", "loss", "last", 0)),
        ("val/loss.max", "metrics", Field("metrics", "val/loss", "max", 0)),
        ("net.max", "params", Field("params", "net.max", "", 0)),
        ("learning rate", "params", Field("params", "learning rate", "", 0)),
    ],
)
def test_a_name_alone_is_a_key_of_the_table_asked_for(text: str, table: str, field: Field) -> None:
    assert parse_field(text, table) == field


@pytest.mark.parametrize(
    ("text", "message"), [("loss", "no field 'loss'"), ("params", "is a table"), ("name, id", "is several fields")]
)
def test_what_is_no_field_is_explained(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_field(text)


@pytest.mark.parametrize(
    ("where", "message", "column"),
    [
        ("metric.loss < 3", "did you mean metrics.loss", 0),
        ("params.n < 3 and stats == 'x'", "did you mean status", 17),
        ("params.n = 3", "did you mean ==", None),
        ("metrics.val/loss < 3", r'did you mean metrics\["val/loss"\]', 0),
        ("metrics.val/loss.min < 3", r'did you mean metrics\["val/loss"\]\.min', 0),
        ("params.lambda < 3", r'params\["lambda"\]', None),
        ("metrics.auc.1 > 0.5", r'metrics\["auc\.1"\]', None),
        ("params.n", "compare params.n with something", 0),
        ("params < 3", "params is a table", 0),
        ("lr < 3", "did you mean params.lr or metrics.lr", 0),
        ("params.n + 1 < 3", "arithmetic", 0),
        ("1 < 2", "both sides are constants", 0),
        ("params.n in 3", "wants a list", 12),
        ("status == finished", "a text stands in quotes: write 'finished'", 10),
        ("name == wise-koala-2b", "not a query", None),
        ("name != wise-koala", "a text stands in quotes: write 'wise-koala'", 8),
        ("params.n in ['a', adam]", "a text stands in quotes: write 'adam'", 18),
        ("params.n == metric.loss", "did you mean metrics.loss", 12),
        ("params.n == duration - 1", "arithmetic", 12),
        ("name like 'base%'", r"write like\(name, 'pattern'\)", None),
        ("tags.a == 'b' and name MATCH 'v[0-9]'", r"write match\(name, 'pattern'\)", None),
        ("started > ago(7d)", r"write ago\('7d'\)", None),
        ("started > 'soon'", "is no time", 10),
        ("started > ago('soon')", "ago\\('7d'\\)", 10),
        ("match(name, '(')", "no regular expression", 12),
        ("open('/etc/passwd')", "no condition open", 0),
        ("__import__('os').system('true') == 0", "neither a field nor a constant", 0),
        ("params.n < 3 &", "not a query", None),
        ("(params.n < 3) & (params.n > 1)", "write `and` and `or`", 0),
        ("'ä' == params.n and foo.x == 1", "there is no 'foo'", 20),
        ("lambda: 3", "neither a field", 0),
        ("params.n < tags.t and env.x.y < tags.t", "compare env with a constant", 22),
        ("status == 'finishd'", "did you mean 'finished'", 10),
        ("params.n < None", "None has no order", 11),
        ("params.n is 3", "write ==", 12),
        ("params[3] == 1", "a name in brackets is a text", 0),
    ],
)
def test_what_is_no_query_is_explained(where: str, message: str, column: int | None) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(where)
    assert column in (None, caught.value.column)  # that of an error of syntax is Python's
    assert str(caught.value).splitlines()[-1] == " " * (caught.value.column + 2) + "^"


def test_a_query_that_is_nested_too_deeply_is_explained() -> None:
    with pytest.raises(QueryError, match="nested|not a query"):
        parse("not " * 5000 + "params.n == 1")


def test_a_sort_by_nothing_is_explained() -> None:
    for sort in ("3", "metrics", "-", "foo.bar", "name,,id"):
        with pytest.raises(QueryError):
            parse_sort(sort)


class Cycle:
    """Garbage that runs Python code when it is collected."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


def test_queries_of_several_threads_are_parsed_whatever_comes_between() -> None:
    """A question of the page failed now and then: SystemError, "AST constructor recursion depth mismatch"."""
    text = f"id in {[str(number) for number in range(20)]!r}"
    failed: list[BaseException] = []

    def parse() -> None:
        try:
            for _ in range(400):
                parse_query(text, lambda: 0.0)
        except SystemError as error:
            failed.append(error)

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(5)
    try:
        threads = [threading.Thread(target=parse) for _ in range(6)]
        threads.append(threading.Thread(target=lambda: [Cycle() for _ in range(20_000)] and None))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
    assert failed == []
