"""A loop of one's own: from the first step to the end of what it steps with, whoever else trains meanwhile."""

import gc
import math
import os
import sys
import types
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import runlore
from runlore import RunloreWarning, Store
from runlore_torch import RunloreCallback
from tests.torch.models import Net, data, train


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run


@pytest.mark.shows("torch", "params", "metrics", "data")
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_what_is_recorded_of_a_loop(store: Store, how: str) -> None:
    losses: list[float] = []
    with RunloreCallback() if how == "callback" else runlore.autolog("torch"):
        train(3, 0.05, each=lambda step, loss: losses.append(loss), momentum=0.9)
    run = only(store)
    assert run.status == "finished"
    assert run.metrics["loss"].steps.tolist() == list(range(1, 13))
    assert run.metrics["loss"].values.tolist() == pytest.approx(losses)
    assert run.metrics["loss"].epochs.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert run.metrics["lr"].values.tolist() == [0.05]
    assert (run.params["optimizer.name"], run.params["optimizer.momentum"]) == ("SGD", 0.9)
    assert {"optimizer.lr", "optimizer.momentum"}.isdisjoint(run.captured)
    assert "optimizer.dampening" in run.captured
    assert (run.params["model.name"], run.params["model.parameters"], run.tags["model"]) == ("Net", 21, "Net")
    assert (run.data["train"]["batch_size"], run.data["train"]["rows"]) == (4, 16)


def test_each_call_of_a_function_that_trains_is_a_run(autologged: Store) -> None:
    for lr in (0.1, 0.2):
        train(1, lr)
    assert [run.params["optimizer.lr"] for run in autologged.runs(sort="id")] == [0.1, 0.2]
    assert [run.metrics["loss"].count for run in autologged.runs()] == [4, 4]
    assert {run.status for run in autologged.runs()} == {"finished"}


def test_a_run_lasts_as_long_as_its_optimizer_is_held(autologged: Store) -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer: Any = torch.optim.SGD([weight], lr=0.1)
    for _ in range(2):
        weight.square().sum().backward()
        optimizer.step()
    assert only(autologged).status == "running"
    assert only(autologged).params["parameters"] == 1  # nothing tells of a model
    optimizer = None
    gc.collect()
    assert only(autologged).status == "finished"


def test_two_optimizers_are_one_run_with_a_curve_each(autologged: Store) -> None:
    def adversaries() -> None:
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        of_generator = torch.optim.Adam(generator.parameters(), lr=0.1)
        of_critic = torch.optim.SGD(critic.parameters(), lr=0.2)
        for _ in range(2):
            for _ in range(2):
                of_critic.zero_grad()
                critic(generator(torch.ones(1, 2)).detach()).sum().backward()
                of_critic.step()
            (-critic(generator(torch.ones(1, 2)))).sum().backward()
            of_generator.step()

    adversaries()
    run = only(autologged)
    assert (run.params["optimizer.name"], run.params["optimizer_1.name"]) == ("SGD", "Adam")
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4]
    assert run.metrics["loss/optimizer_1"].steps.tolist() == [1, 2]
    assert (run.metrics["lr"].last, run.metrics["lr/optimizer_1"].last) == (0.2, 0.1)


def test_an_optimizer_that_is_gone_is_not_taken_for_the_next_one(autologged: Store) -> None:
    def several() -> int:
        weight = nn.Parameter(torch.ones(1))
        first = torch.optim.SGD([weight], lr=0.1)
        places: list[int] = []
        while len(places) == len(set(places)):  # until one lies where another lay
            other = torch.optim.SGD([weight], lr=0.2) if places else first
            places.append(id(other))
            for _ in range(2):
                weight.square().sum().backward()
                other.step()
            del other
        return len(places)

    count = several()
    run = only(autologged)
    endings = ["", *(f"/optimizer_{number}" for number in range(1, count))]
    assert [run.metrics[f"loss{ending}"].count for ending in endings] == [2] * count


def test_workers_that_persist_keep_no_loader_from_its_description(autologged: Store) -> None:
    def loop() -> None:
        model, loader = nn.Linear(3, 1), data(num_workers=1, persistent_workers=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()

    loop()
    run = only(autologged)
    assert (run.data["train"]["rows"], run.metrics["loss"].epochs.tolist()) == (16, [0] * 4 + [1] * 4)


def test_a_forked_child_has_loops_of_its_own(autologged: Store) -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for number in range(3):
        weight.grad = torch.ones(1)
        optimizer.step()
        if number == 0:
            child = os.fork()
            if child == 0:
                optimizer.step()
                runlore.autolog("torch").disable()
                os._exit(0)
            os.waitpid(child, 0)
    told = sorted((run.status, run.metrics["lr"].count) for run in autologged.runs())
    assert told == [("finished", 1), ("running", 1)]
    del optimizer
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]


def test_a_rate_that_is_set_anew_at_each_step_is_told_as_it_changes(autologged: Store) -> None:
    def scheduled() -> None:
        weight = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.5)
        for text in ("0.5", "0.5", "0.25", "0.25"):
            optimizer.param_groups[0]["lr"] = float(text)
            weight.square().sum().backward()
            optimizer.step()

    scheduled()
    series = only(autologged).metrics["lr"]
    assert (series.steps.tolist(), series.values.tolist()) == ([1, 3], [0.5, 0.25])


@pytest.mark.filterwarnings("ignore:less is recorded")
def test_an_optimizer_that_can_not_be_read_is_told_once(autologged: Store) -> None:
    class Odd(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            pass

    def odd() -> None:
        optimizer = Odd([nn.Parameter(torch.ones(1))], lr=0.1)
        optimizer.step()
        del optimizer.param_groups
        with pytest.warns(RunloreWarning, match="less is recorded: Loops.note_step failed: AttributeError") as told:
            optimizer.step()
            optimizer.step()
        assert len(told) == 1

    odd()
    assert only(autologged).status == "finished"


def test_groups_of_parameters_and_a_schedule(autologged: Store) -> None:
    def scheduled() -> None:
        model = Net()
        optimizer = torch.optim.AdamW(
            [{"params": model.layers[0].parameters()}, {"params": model.layers[3].parameters(), "lr": 1e-3}], lr=1e-2
        )
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for _ in range(3):
            model(torch.ones(2, 3)).sum().backward()
            optimizer.step()
            schedule.step()

    scheduled()
    run = only(autologged)
    assert run.metrics["lr_0"].values.tolist() == pytest.approx([1e-2, 5e-3, 2.5e-3])
    assert run.metrics["lr_1"].values.tolist() == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert (run.params["optimizer.lr"], run.params["optimizer.group_1.lr"]) == (1e-2, 1e-3)


def test_a_validation_in_an_epoch_is_no_epoch(autologged: Store) -> None:
    def validated() -> None:
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        training, validation = data(), data(8)
        for _ in range(2):
            for x, y in training:
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()
                with torch.no_grad():
                    sum(nn.functional.mse_loss(model(a), b) for a, b in validation)
            for a, _ in validation:
                model(a)

    validated()
    assert only(autologged).metrics["loss"].epochs.tolist() == [0] * 4 + [1] * 4
    assert only(autologged).data["train"]["rows"] == 16


def test_a_scaled_loss_is_recorded_unscaled(autologged: Store) -> None:
    losses = []

    def scaled() -> None:
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 3)).square().mean()
            losses.append(loss.item())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    scaled()
    assert only(autologged).metrics["loss"].values.tolist() == pytest.approx(losses)
    assert only(autologged).params["grad_scaler"] is True


def test_a_compiled_model_is_told_by_its_own_class(autologged: Store) -> None:
    def compiled() -> None:
        model = torch.compile(Net(), backend="eager")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()

    compiled()
    run = only(autologged)
    assert (run.tags["model"], run.params["model.wrapped_in"]) == ("Net", ["OptimizedModule"])


@pytest.mark.filterwarnings("ignore")  # torch warns of itself here
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_compiled_step_is_compiled_as_without_us(store: Store, how: str) -> None:
    """What is ours is not compiled with it: that would break its graph anew, and warn of what is not known there."""
    from torch._dynamo.utils import counters

    model, found = Net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> Any:
        loss = model(torch.ones(2, 3)).square().sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for block in (nullcontext, RunloreCallback if how == "callback" else lambda: runlore.autolog("torch")):
        torch._dynamo.reset()
        counters.clear()
        with block():
            compiled = torch.compile(step, backend="eager")
            losses = [float(compiled()) for _ in range(3)]
        found.append((dict(counters["graph_break"]), dict(counters["resumes"])))
    assert found[1] == found[0]
    assert only(store).metrics["loss"].values.tolist() == pytest.approx(losses)


def test_the_norm_of_the_gradients_on_request(store: Store) -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    with RunloreCallback(grad_norm=True):
        weight.square().sum().div(2).backward()
        optimizer.step()
    assert only(store).metrics["grad_norm"].values.tolist() == [5.0]


def test_what_a_library_steps_is_none_of_the_users_loops(autologged: Store, tmp_path: Path) -> None:
    source = tmp_path / "site-packages" / "processes.py"
    source.parent.mkdir()
    source.write_text(
        "import torch\n"
        "def fit(rounds=2):\n"
        "    weight = torch.nn.Parameter(torch.ones(1))\n"
        "    optimizer = torch.optim.LBFGS([weight], lr=0.1)\n"
        "    def closure():\n"
        "        optimizer.zero_grad()\n"
        "        loss = weight.square().sum()\n"
        "        loss.backward()\n"
        "        return loss\n"
        "    for _ in range(rounds):\n"
        "        optimizer.step(closure)\n"
    )
    library = types.ModuleType("processes")
    exec(compile(source.read_text(), str(source), "exec"), library.__dict__)
    library.fit()
    assert len(autologged.runs()) == 0
    with RunloreCallback("asked for"):
        library.fit()
    assert only(autologged).metrics["loss"].steps.tolist() == [1, 2]


def test_a_closure_is_one_step(autologged: Store) -> None:
    def line_search() -> None:
        weight = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.LBFGS([weight], lr=0.1, max_iter=3)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = weight.square().sum()
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)

    line_search()
    assert only(autologged).metrics["loss"].steps.tolist() == [1, 2]


def test_a_loop_that_tells_no_loss_says_so_and_has_none_of_an_earlier_one(store: Store) -> None:
    def stepped_by_gradients() -> None:
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            weights = list(model.parameters())
            for weight, gradient in zip(weights, torch.autograd.grad(model(torch.ones(3)).sum(), weights), strict=True):
                weight.grad = gradient
            optimizer.step()

    with runlore.autolog("torch"):
        nn.Parameter(torch.ones(1)).square().sum().backward()  # that no optimizer has stepped after
    for block in (RunloreCallback(), runlore.autolog("torch")):
        with block:
            stepped_by_gradients()
    for run in store.runs():
        assert "loss" not in run.metrics
        assert [item["what"] for item in run.missing] == ["loss"]


def test_the_users_run_is_joined(autologged: Store) -> None:
    with autologged.start_run("mine") as mine:
        train(1)
        mine.log_metrics({"accuracy": 0.5})
    run = only(autologged)
    assert (run.name, run.status, run.metrics["loss"].count) == ("mine", "finished", 4)


def test_what_else_is_trained_between_steps_has_a_run_of_its_own(store: Store) -> None:
    from sklearn.linear_model import LinearRegression

    with runlore.autolog("torch", "sklearn"):
        train(1, each=lambda step, loss: step == 2 and LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
    assert sorted(run.tags["integration"] for run in store.runs()) == ["sklearn", "torch"]


def test_an_exception_ends_the_block(store: Store) -> None:
    def fail(step: int, loss: float) -> None:
        raise ValueError("no more")

    @RunloreCallback("decorated")
    def decorated() -> None:
        train(1, each=fail)

    with pytest.raises(ValueError, match="no more"):
        decorated()
    run = only(store)
    assert (run.name, run.status, run.error["message"]) == ("decorated", "failed", "no more")


def test_values_that_are_no_numbers_come_back(autologged: Store) -> None:
    def diverging() -> None:
        weight = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        (weight * math.nan).sum().backward()
        optimizer.step()

    diverging()
    assert math.isnan(only(autologged).metrics["loss"].last)


def test_torch_is_as_it_was(store: Store) -> None:
    from torch.optim import optimizer
    from torch.utils.data import DataLoader

    before = (torch.Tensor.backward, vars(DataLoader)["__iter__"], torch.amp.GradScaler.scale)
    hooks = list(optimizer._global_optimizer_post_hooks)
    with runlore.autolog("torch"), RunloreCallback():
        assert torch.Tensor.backward is not before[0]
    assert (torch.Tensor.backward, vars(DataLoader)["__iter__"], torch.amp.GradScaler.scale) == before
    assert list(optimizer._global_optimizer_post_hooks) == hooks
    with pytest.raises(TypeError, match="tags is 'a'"):
        RunloreCallback(tags="a")  # type: ignore[arg-type]
    assert "runlore_torch" in sys.modules


def test_the_rate_of_a_warm_up_is_the_one_that_it_leads_to(autologged: Store) -> None:
    """The param was where the warm-up began: 0."""

    def warm_up() -> None:
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 4)
        for x, y in data():
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
            schedule.step()

    warm_up()
    assert only(autologged).params["optimizer.lr"] == 0.5
    assert only(autologged).metrics["lr"].values.tolist() == [0.0, 0.125, 0.25, 0.375]
