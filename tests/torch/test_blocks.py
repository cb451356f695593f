"""A loop is in the run that is open as it steps, also where the script holds its optimizer longer."""

import asyncio
from typing import Any

import torch
from torch import nn

import runlore
from runlore import Store


def fit(model: Any, optimizer: Any, steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()


def test_a_loop_is_in_the_run_that_is_open_at_its_steps(autologged: Store) -> None:
    """An optimizer that the script holds goes on in the next block, as does one that others are held beside."""

    def script() -> list[Any]:
        held = []
        for name in ("first", "second"):
            with runlore.start_run(name):
                model = nn.Linear(2, 1)
                held.append(torch.optim.SGD(model.parameters(), lr=0.1))
                fit(model, held[-1])
        with runlore.start_run("third"):
            fit(model, held[-1])
        fit(model, held[-1])
        return held

    assert len(script()) == 2
    runs = list(autologged.runs(sort="id"))
    assert [run.name for run in runs[:3]] == ["first", "second", "third"]
    assert [run.metrics["loss"].steps.tolist() for run in runs] == [[1, 2, 3]] * 4


def test_a_block_within_a_loop_interrupts_it(autologged: Store) -> None:
    def script() -> None:
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with runlore.start_run("outer"):
            fit(model, optimizer, 2)
            with runlore.start_run("inner"):
                fit(model, optimizer, 1)
            fit(model, optimizer, 2)

    script()
    counts = {run.name: run.metrics["loss"].count for run in autologged.runs()}
    assert counts == {"outer": 4, "inner": 1}


def test_tasks_have_loops_of_their_own(autologged: Store) -> None:
    async def train_in(name: str, lr: float) -> None:
        with runlore.start_run(name):
            model = nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=lr)
            for _ in range(3):
                fit(model, optimizer, 1)
                await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(train_in("slow", 0.01), train_in("fast", 0.1))

    asyncio.run(both())
    runs = {run.name: run for run in autologged.runs()}
    assert {name: run.params["optimizer.lr"] for name, run in runs.items()} == {"slow": 0.01, "fast": 0.1}
    assert [run.metrics["loss"].steps.tolist() for run in runs.values()] == [[1, 2, 3]] * 2
