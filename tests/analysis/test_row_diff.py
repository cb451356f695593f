"""What became of the rows of a data file."""

import random
import time
from collections.abc import Callable

import pytest

from runlore.analysis import row_diff
from runlore.analysis.row_diff import compare_rows

Rows = list[str]
HEAD = "id,text,label\n"
KEYED = [f"{number * 7},text {number},{number % 3}" for number in range(1, 1401)]
PLAIN = [f"{number % 40}.5,{number % 7},{number % 3}" for number in range(1400)]


def told(path: str, a: Rows | None, b: Rows | None, head: str = "") -> str | None:
    states = [None if rows is None else (head + "".join(f"{row}\n" for row in rows)).encode() for rows in (a, b)]
    found = compare_rows(path, *states)
    return None if found is None else found.text


def shuffled(rows: Rows) -> Rows:
    return random.Random(0).sample(rows, len(rows))


@pytest.mark.parametrize("rows", [KEYED, PLAIN], ids=["with a key", "without"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows[:300] + rows[500:], "200 of 1,400 rows removed, none changed"),
        (lambda rows: [row for place, row in enumerate(rows) if place % 7], "200 of 1,400 rows removed, none changed"),
        (lambda rows: [*rows, "-1,new,2", "-2,new,2"], "2 rows added to 1,400, none changed"),
        (lambda rows: [row + "9" if 9 < place < 13 else row for place, row in enumerate(rows)],
         "3 of 1,400 rows changed, none removed or added"),
        (lambda rows: [row + "9" if place == 3 else row for place, row in enumerate(rows[100:])],
         "100 of 1,400 rows removed, 1 changed"),
        (shuffled, "the same 1,400 rows in another order"),
        (lambda rows: shuffled(rows[200:]), "200 of 1,400 rows removed, none changed, the others in another order"),
        (lambda rows: [f"{row}\r" for row in rows], "the same 1,400 rows written in another way"),
    ],
)  # fmt: skip
def test_the_fate_of_rows_is_told(rows: Rows, change: Callable[[Rows], Rows], text: str) -> None:
    assert told("train.csv", rows, change(rows), HEAD) == text


def test_a_file_that_is_new_or_gone_is_told_with_its_rows() -> None:
    assert told("a/new.csv", None, KEYED[:3], HEAD) == "new, with 3 rows"
    assert told("gone.tsv", KEYED[:1], None) == "gone, with its 1 row"


def test_a_row_that_moved_and_changed_is_known_by_its_key() -> None:
    changed = [row.replace("text 9,", "other,") for row in KEYED]
    assert told("a.csv", KEYED, shuffled(changed), HEAD) == (
        "1 of 1,400 rows changed, none removed or added, the others in another order"
    )


def test_a_number_that_counts_the_rows_is_no_difference() -> None:
    """An index that pandas writes is counted anew when rows are removed."""

    def numbered(rows: Rows) -> Rows:
        return [f"{place},{row}" for place, row in enumerate(rows)]

    assert told("a.csv", numbered(PLAIN), numbered(PLAIN[200:]), ",x,y,label\n") == (
        "200 of 1,400 rows removed, none changed"
    )
    assert told("a.csv", numbered(PLAIN), numbered(shuffled(PLAIN))) == "the same 1,400 rows in another order"


def test_quotes_and_line_breaks_in_fields_make_no_rows() -> None:
    a = b'text,label\n"one\ntwo",1\nthree,2\n'
    b = b'text,label\r\n"one\ntwo","1"\r\n"three",2\r\n'
    found = compare_rows("a.csv", a, b)
    assert found is not None
    assert found.text == "the same 2 rows written in another way"


def test_objects_are_rows_whatever_the_order_of_their_keys() -> None:
    a = [f'{{"id": "q{number}", "answer": {number}}}' for number in range(30)]
    b = [f'{{"answer": {number}, "id": "q{number}"}}' for number in range(30)]
    assert told("a.jsonl", a, b) == "the same 30 rows written in another way"
    assert told("a.jsonl", a, [*b[:5], '{"answer": 99, "id": "q5"}', *b[6:]]) == (
        "1 of 30 rows changed, none removed or added"
    )


def test_texts_are_data_only_where_their_lines_look_alike() -> None:
    names = [f"img_{number:04}.png" for number in range(60)]
    assert told("split/train.txt", names, names[20:]) == "20 of 60 rows removed, none changed"
    assert told(
        "points.dat", [f"{number} 0.5 x" for number in range(60)], [f"{number} 0.5 x" for number in range(9, 60)]
    )
    prose = ["Some words, and more", "than", "one line", "of text, which is", "no data"] * 5
    assert told("notes.txt", prose, prose[1:]) is None
    assert told("requirements.txt", names, names[1:]) is None
    assert told("train.py", names, names[1:]) is None
    assert compare_rows("a.csv", b"version https://git-lfs.github.com/spec/v1\n", b"version https://git-lfs 2") is None


def test_what_is_too_large_is_told_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_diff, "MAX_ROWS", 100)
    assert told("a.csv", KEYED, KEYED[1:]) == row_diff.TOO_LARGE
    monkeypatch.setattr(row_diff, "MAX_BYTES", 100)
    assert told("a.csv", KEYED[:50], KEYED[:49]) == row_diff.TOO_LARGE
    assert "32 MiB or 200,000 rows" in row_diff.TOO_LARGE


def test_a_file_without_equal_rows_takes_no_longer() -> None:
    """Comparing line by line takes a time that grows with the square."""
    rows = [f"{number}.25,{number % 5}.5" for number in range(60_000)]
    began = time.thread_time()
    assert told("a.csv", rows, [row + "1" for row in rows]) == "60,000 of 60,000 rows changed, none removed or added"
    assert time.thread_time() - began < 10


def test_long_digits_that_are_no_number_take_no_longer() -> None:
    """The time once grew with the square of their length: minutes for a field of 100,000."""
    rows = [f"{place},{'01' * 20_000}-" for place in range(20)]
    began = time.thread_time()
    assert told("bits.csv", rows, rows[1:]) == "1 of 20 rows removed, none changed"
    assert time.thread_time() - began < 5
