"""Spark itself: its name, the versions that were tested, and what a DataFrame tells by private names only.

Nothing here starts a job: the plan that is read was analysed when its DataFrame was made.
"""

import re
from collections.abc import Mapping
from typing import Any

NAME = "spark"
TESTED = ("4.3",)
COLUMN = re.compile(r"(?:^\w+\(|, )(.+?)#(\d+)L?(?=, |\)$)")  # of those in "List(a#1, b#2L)", or "ArrayBuffer(…)"
NUMBER = re.compile(r"#\d+L?")


def check_version() -> None:
    """Warn of a version that runlore was not tested with."""
    import pyspark

    from runlore.guest import wrapping  # late: the plugin, which every run loads, imports this file

    wrapping.check_version("Spark", pyspark.__version__, TESTED)


def plan_of(dataset: Any) -> str | None:
    """Return the text of a DataFrame's plan without the numbers of columns; None for one of Spark Connect."""
    analyzed = _analyzed(dataset)
    return None if analyzed is None else NUMBER.sub("", str(analyzed.toString())).strip()


def columns_of(dataset: Any) -> Mapping[str, int]:
    """Return the numbers of a DataFrame's columns by name, which they keep in what is made of it by `select`, say."""
    analyzed = _analyzed(dataset)
    found = [] if analyzed is None else COLUMN.findall(str(analyzed.output().toString()))
    return {name: int(number) for name, number in found}


def _analyzed(dataset: Any) -> Any:
    frame = getattr(dataset, "_jdf", None)
    return None if frame is None else frame.queryExecution().analyzed()
