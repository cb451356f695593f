"""Files of a loop: what it saves and loads while its run is open."""

import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

import runlore
from runlore import Store
from runlore_torch import RunloreCallback


def test_what_a_loop_saves_and_loads_belongs_to_its_run(store: Store, tmp_path: Path) -> None:
    """It did under `runlore run` only."""
    save, file = torch.save, tmp_path / "state.pt"
    with runlore.autolog("torch"):
        model, optimizer = started(0.1)
        optimizer.step()
        torch.save(model.state_dict(), file)
        optimizer.step()
        optimizer.step()
        torch.save(model.state_dict(), file)
        optimizer.step()
        (first,) = store.runs()
        model, optimizer = started(0.1)
        optimizer.step()
        model.load_state_dict(torch.load(file))
    assert torch.save is save
    second, _ = store.runs()
    (saved,) = (item for item in store.run(first.id).artifacts if item.kind == "model")
    assert (saved.step, saved.epoch) == (3, None)  # of the content that it has
    assert second.data["state.pt"]["fingerprint"] == saved.sha256
    for thread in threading.enumerate():
        if thread.name == "runlore-files":  # which ends with the run that was the last
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize("how", ["alone", "within another", "autolog left it out"])
def test_a_block_keeps_what_its_loop_saves_and_loads(store: Store, tmp_path: Path, how: str) -> None:
    """It took autolog."""
    save, file = torch.save, tmp_path / "state.pt"
    torch.save({}, tmp_path / "before.pt")
    left_out = runlore.autolog("torch", without=["torch-files"]) if how == "autolog left it out" else nullcontext()
    with left_out, RunloreCallback("outer") if how == "within another" else nullcontext(), RunloreCallback("inner"):
        model, optimizer = started(0.1)
        optimizer.step()
        torch.save(model.state_dict(), file)
        torch.load(tmp_path / "before.pt")
    torch.save({}, tmp_path / "behind.pt")
    assert torch.save is save
    (run,) = store.runs()
    names = [] if how == "autolog left it out" else ["state.pt"]
    assert [item.name for item in run.artifacts if item.kind == "model"] == names
    assert {name for name in run.data if name.endswith(".pt")} == ({"before.pt"} if names else set())


def test_autolog_that_begins_in_a_block_outlives_it(store: Store, tmp_path: Path) -> None:
    with RunloreCallback():
        log = runlore.autolog("torch")
    try:
        model, optimizer = started(0.1)
        optimizer.step()
        torch.save(model.state_dict(), tmp_path / "state.pt")
    finally:
        log.disable()
    (run,) = store.runs()
    assert [item.name for item in run.artifacts if item.kind == "model"] == ["state.pt"]


def started(lr: float) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    model(torch.ones(3, 2)).sum().backward()
    return model, optimizer


LOOP = """
import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for batch in torch.utils.data.DataLoader(torch.ones(8, 2), batch_size=2):
        model(batch).sum().backward()
        optimizer.step()
    torch.save(model.state_dict(), f"epoch-{epoch}.pt")
"""


def test_what_a_program_saves_has_the_step_of_its_loop(store: Store, tmp_path: Path) -> None:
    """It had none: the file is one of the program's run, and the loop's is below that."""
    (tmp_path / "loop.py").write_text(LOOP)
    command = [sys.executable, "-m", "runlore", "run", sys.executable, "loop.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (run,) = store.runs()
    saved = {item.name: (item.step, item.epoch) for item in run.artifacts if item.kind == "model"}
    assert saved == {"epoch-0.pt": (4, 0), "epoch-1.pt": (8, 1), "epoch-2.pt": (12, 2)}
