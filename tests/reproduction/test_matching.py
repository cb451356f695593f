"""Which new run repeats which of the first ones."""

import json
from pathlib import Path

from runlore import Store
from tests.commands import document, runlore
from tests.reproduction.projects import train

MANY = """\
import os, runlore
count = int(os.environ.get("COUNT", "3"))
for number in range(count):
    with runlore.start_run(f"top{number}") as run:
        run.log_metrics({"loss": float(number)})
        for fold in range(count):
            with runlore.start_run(f"fold{fold}", parent=run) as child:
                child.log_metrics({"loss": float(fold)})
"""


def test_several_runs_of_a_script_find_those_that_they_stand_for(store: Store, project: Path) -> None:
    (project / "train.py").write_text(
        "import runlore\n"
        "for lr in (1, 2, 3):\n"
        "    with runlore.start_run(f'run {lr}', params={'lr': lr}) as run:\n"
        "        run.log_metrics({'loss': lr})\n"
        "        for number in range(2):\n"
        "            with runlore.start_run(f'{lr}.{number}', params={'number': number}, parent=run) as child:\n"
        "                child.log_metrics({'loss': lr + number})\n"
    )
    train(project)
    firsts = {run.name: run.id for run in store.runs()}
    found = document("reproduce", "run 2", "--here", "--json")
    assert found["verdict"] == "bit-identical"
    pairs = {item["first"]: item["again"] for item in found["runs"]}
    assert set(pairs) == {firsts[name] for name in ("run 2", "2.0", "2.1")}
    assert all(f"{store.run(first).name}-again" == store.run(again).name for first, again in pairs.items())
    assert len(found["others"]) == 6
    for run in store.runs():
        for link in run.links:
            assert store.run(link["run"]).name == run.name.removesuffix("-again")
    (pair,) = document("reproduce", firsts["3.1"], "--here", "--json")["runs"]
    assert store.run(pair["again"]).params == {"number": 1}


def test_runs_that_do_not_come_again_are_missed(store: Store, project: Path) -> None:
    """Once, runs were paired by their order alone, and one that was not repeated was not missed."""
    (project / "train.py").write_text(MANY)
    train(project)
    again = ["--here", "--json", "--", "env", "COUNT=2", "python", "train.py"]
    found = json.loads(runlore("reproduce", "top1", *again).stdout)
    assert [store.run(item["again"]).name for item in found["runs"]] == ["top1-again", "fold0-again", "fold1-again"]
    assert [store.run(run).name for run in found["lacking"]] == ["fold2"]
    assert found["verdict"] == "different"
    result = runlore("reproduce", "top2", *again)
    assert result.exit_code == 1
    assert "recorded no run that stands for 'top2'" in result.stderr
