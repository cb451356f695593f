"""How a run and a list of runs look in a notebook."""

from html import escape
from typing import TYPE_CHECKING, Any

from runlore._text import ago_text, duration_text, number_text

if TYPE_CHECKING:
    from runlore.runs import RecordedRun, RunList

MOST = 50  # rows of a table


def run_page(run: "RecordedRun") -> str:
    """A run's summary, params and metrics."""
    facts = f"{run.status} · {ago_text(run.started)} · {duration_text(run.duration)} · {run.experiment} · {run.id}"
    params = _table(["param", "value"], [[key, _value(value)] for key, value in run.params.items()])
    rows = [
        [key, number_text(series.last), number_text(series.min), number_text(series.max), str(series.count)]
        for key, series in run.metrics.items()
    ]
    metrics = _table(["metric", "last", "min", "max", "points"], rows)
    return f"<div><b>{escape(run.name)}</b><br><small>{escape(facts)}</small>{metrics}{params}</div>"


def run_table(runs: "RunList") -> str:
    """A row a run, with its newest metrics."""
    keys = list(dict.fromkeys(key for run in runs for key in run.metrics))[:8]
    rows = [
        [run.name, run.status, ago_text(run.started), duration_text(run.duration)]
        + [number_text(run.metrics[key].last) if key in run.metrics else "" for key in keys]
        for run in runs[:MOST]
    ]
    more = f"<small>… and {len(runs) - MOST} more</small>" if len(runs) > MOST else ""
    return _table(["name", "status", "started", "duration", *keys], rows) + more


def _value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
