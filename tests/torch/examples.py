"""Loops of the kind that torch's documentation shows, each with its results; run with and without a record."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

Results = Any


def polynomial() -> Results:
    """A sine fitted by a polynomial, without a loader."""
    x = torch.linspace(-math.pi, math.pi, 100)
    y = torch.sin(x)
    powers = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
    loss_fn = nn.MSELoss(reduction="sum")
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for _ in range(20):
        loss = loss_fn(model(powers), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights_of(model)


def quickstart() -> Results:
    """Functions for an epoch of training and of testing."""
    x = torch.rand(64, 1, 8, 8)
    dataset = TensorDataset(x, (x.sum((1, 2, 3)) > 32).long())
    training, testing = random_split(dataset, [48, 16])
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
    loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.05)

    def train_loop(loader: Any) -> None:
        model.train()
        for batch, target in loader:
            loss = loss_fn(model(batch), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    def test_loop(loader: Any) -> float:
        model.eval()
        with torch.no_grad():
            return float(sum(loss_fn(model(batch), target).item() for batch, target in loader))

    train_loader, test_loader = DataLoader(training, batch_size=16, shuffle=True), DataLoader(testing, batch_size=16)
    losses = []
    for _ in range(2):
        train_loop(train_loader)
        losses.append(test_loop(test_loader))
    return weights_of(model), losses


def mixed_precision() -> Results:
    """Autocast with a scaler, accumulated gradients and clipping."""
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu")
    inputs = torch.randn(8, 4, 8)
    for number, batch in enumerate(inputs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(batch).float().square().mean() / 2
        scaler.scale(loss).backward()
        if number % 2:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    return weights_of(model), scaler.state_dict()


def adversaries() -> Results:
    """A generator and a discriminator with an optimizer each."""
    generator, critic = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    criterion = nn.BCELoss()
    of_critic = torch.optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.999))
    of_generator = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999))
    for real in torch.randn(5, 8, 4):
        critic.zero_grad()
        criterion(critic(real).view(-1), torch.ones(8)).backward()
        fake = generator(torch.randn(8, 2))
        criterion(critic(fake.detach()).view(-1), torch.zeros(8)).backward()
        of_critic.step()
        generator.zero_grad()
        criterion(critic(fake).view(-1), torch.ones(8)).backward()
        of_generator.step()
    return weights_of(generator), weights_of(critic)


def characters() -> Results:
    """A recurrent network over a sequence, with a schedule and early stopping."""
    model, head = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 4)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    text = torch.randint(0, 4, (6, 9))
    best, losses = math.inf, []
    for _ in range(6):
        hidden, _ = model(nn.functional.one_hot(text[:, :-1], 4).float())
        loss = nn.functional.cross_entropy(head(hidden).flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if losses[-1] > best:
            break
        best = losses[-1]
    return [weights.tolist() for weights in parameters], losses


def weights_of(model: nn.Module) -> list[Any]:
    return [weights.tolist() for weights in model.parameters()]


EXAMPLES: dict[str, tuple[Callable[[], Results], str, int, int | None, dict[str, Any]]] = {
    # the loop, its key, its steps, its last epoch, and some of its params
    "polynomial": (polynomial, "loss", 20, None, {"optimizer.name": "RMSprop", "model.parameters": 4}),
    "quickstart": (quickstart, "loss", 6, 1, {"optimizer.lr": 0.05, "model.name": "Sequential"}),
    "mixed_precision": (mixed_precision, "loss", 4, None, {"optimizer.name": "AdamW", "grad_scaler": True}),
    "adversaries": (
        adversaries,
        "loss/optimizer_1",
        5,
        None,
        {"optimizer_1.lr": 0.01, "optimizer.betas": [0.5, 0.999]},
    ),
    "characters": (characters, "loss", 6, None, {"model.name": "GRU", "model_1.name": "Linear"}),
}
