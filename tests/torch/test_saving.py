"""Files of a loop: what it saves and loads while its run is open."""

import threading
from pathlib import Path

import torch
from torch import nn

import runlore
from runlore import Store


def test_what_a_loop_saves_and_loads_belongs_to_its_run(store: Store, tmp_path: Path) -> None:
    """It did under `runlore run` only."""
    save, file = torch.save, tmp_path / "state.pt"
    with runlore.autolog("torch"):
        model, optimizer = started(0.1)
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
    assert second.data["state.pt"]["fingerprint"] == saved.sha256
    for thread in threading.enumerate():
        if thread.name == "runlore-files":  # which ends with the run that was the last
            thread.join(30)
            assert not thread.is_alive()


def started(lr: float) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    model(torch.ones(3, 2)).sum().backward()
    return model, optimizer
