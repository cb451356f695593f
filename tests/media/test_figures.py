"""Figures of plotly: all of one is kept as it was at the call, and only its words are looked through for secrets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from runlore import Store
from runlore.media.figures import Numbers, snapshot

MANY = 25_000  # more than are written at once
TOKEN = "ghp_" + "A1b2C3d4E5" * 3  # noqa: S105


def figures() -> dict[str, Any]:
    dates = np.array(["2026-01-01", "2026-01-02"], "datetime64[D]")
    return {
        "array": go.Figure(go.Scatter(y=np.linspace(0, 1, MANY), x=np.arange(MANY, dtype="i4"))),
        "list": go.Figure(go.Scatter(y=[0.1 * place for place in range(MANY)], text=["a", "b"])),
        "gaps": go.Figure(go.Scatter(y=[None, float("nan"), 1.5, True] * 100)),
        "rows": go.Figure(go.Heatmap(z=[[float(place) for place in range(80)]] * 3)),
        "surface": go.Figure(go.Surface(z=np.ones((40, 50)))),
        "dates": go.Figure(go.Scatter(x=dates, y=[1, 2], name='"numbers 00000000 0"')),
        "empty": go.Figure(),
    }


@pytest.mark.parametrize("name", figures())
def test_a_figure_is_what_plotly_makes_of_it(name: str) -> None:
    figure = figures()[name]
    numbers = Numbers()
    words = numbers.words_of(snapshot(figure))
    assert len(words) < 12_000  # of which the template takes most
    assert json.loads(numbers.put_back(words)) == json.loads(figure.to_json())


def test_a_large_figure_is_kept_as_it_was_at_the_call_without_its_secrets(store: Store, tmp_path: Path) -> None:
    figure = go.Figure(go.Scatter(y=np.zeros(MANY), text=[f"token={TOKEN}"]))
    figure.update_layout(title=TOKEN)
    other = go.Figure(go.Scatter(y=[1.0, 2.0] * MANY))
    before = json.loads(figure.to_json())
    with store.start_run("figures") as run:
        run.log_media("charts", [figure, other], caption=["one", "two"])
        figure.data[0].y = [1, 2, 3]
    (chart,) = (item for item in store.run(run.id).artifacts if item.media)
    folder = chart.restore(tmp_path)
    kept = [json.loads((folder / member.path).read_bytes()) for member in chart.members]
    assert TOKEN not in json.dumps(kept)
    assert kept[0]["data"][0]["y"] == before["data"][0]["y"]
    assert kept[0]["layout"]["title"]["text"] == "[masked]"
    assert kept[1]["data"][0]["y"] == [1.0, 2.0] * MANY
